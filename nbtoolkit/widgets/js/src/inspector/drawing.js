// @ts-check
/** Drawing on canvases: their size in pixels, the colours of the page, a map over the image, outlines of patches. */

import { cssOf, shareOf } from "./image_map.js";

/** @typedef {import("./patches.js").Box} Box */

export const EDGE = 3; // pixels around the image that outlines may take
const DENSITY = 2; // pixels of a canvas for one of the page, at most

/**
 * Give a canvas the pixels for its size in the page, cleared; setting the size of a canvas is slow, so only where it is another one.
 * @param {HTMLCanvasElement} canvas @param {number} width @param {number} height @param {number} [density] pixels of a canvas for one of the page
 * @returns {CanvasRenderingContext2D}
 */
export function sized(canvas, width, height, density = Math.min(DENSITY, globalThis.devicePixelRatio || 1)) {
  const [w, h] = [Math.max(1, Math.round(width * density)), Math.max(1, Math.round(height * density))];
  const brush = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
  if (canvas.width !== w || canvas.height !== h) Object.assign(canvas, { width: w, height: h });
  brush.setTransform(1, 0, 0, 1, 0, 0);
  brush.clearRect(0, 0, w, h);
  brush.setTransform(density, 0, 0, density, 0, 0);
  return brush;
}

/** Call back when the page's colours change. @param {AbortSignal} signal @param {() => void} callback */
export function onTheme(signal, callback) {
  const media = matchMedia("(prefers-color-scheme: dark)");
  media.addEventListener("change", callback, { signal });
  const watch = new MutationObserver(callback);
  for (const el of [document.documentElement, document.body]) {
    watch.observe(el, { attributes: true, attributeFilter: ["class", "theme", "data-jp-theme-light"] });
  }
  signal.addEventListener("abort", () => watch.disconnect());
}

/** Call back with the size of an element, now and when it changes. @param {HTMLElement} el @param {AbortSignal} signal @param {(width: number, height: number) => void} callback */
export function onSize(el, signal, callback) {
  const watch = new ResizeObserver(([{ contentRect }]) => {
    if (contentRect.width) callback(contentRect.width, contentRect.height);
  });
  watch.observe(el);
  signal.addEventListener("abort", () => watch.disconnect());
}

/** A box in pixels, on whole ones, so that neighbours meet without a seam. @param {Box} box @param {number} width @param {number} height @returns {Box} */
export const pixels = ([x0, y0, x1, y1], width, height) => {
  const [left, top] = [Math.round(x0 * width), Math.round(y0 * height)];
  return [left, top, Math.max(1, Math.round(x1 * width) - left), Math.max(1, Math.round(y1 * height) - top)];
};

/**
 * Paint values of patches.
 * @param {HTMLCanvasElement} canvas @param {number} width @param {number} height @param {(Box | null)[]} boxes
 * @param {import("./image_map.js").ImageMap | null} map
 */
export function paintMap(canvas, width, height, boxes, map) {
  const brush = sized(canvas, width, height);
  if (!map) return;
  boxes.forEach((box, i) => {
    if (!box || !(i < map.values.length)) return;
    brush.fillStyle = cssOf(shareOf(map.scale, map.values[i]));
    brush.fillRect(...pixels(box, width, height));
  });
}

/** Outline patches, all of them with one line. @param {CanvasRenderingContext2D} brush @param {Box[]} rects in pixels @param {[string, number][]} lines colour and width, the widest first */
export function outline(brush, rects, lines) {
  for (const [colour, thick] of lines) {
    brush.fillStyle = colour;
    for (const [x, y, w, h] of rects) brush.fillRect(x - thick, y - thick, w + 2 * thick, h + 2 * thick);
  }
  for (const rect of rects) brush.clearRect(...rect);
}

/** Thin lines between patches. @param {HTMLCanvasElement} canvas @param {number} width @param {number} height @param {(Box | null)[]} boxes */
export function paintLines(canvas, width, height, boxes) {
  const brush = sized(canvas, width, height);
  brush.strokeStyle = "rgba(255, 255, 255, 0.8)";
  brush.lineWidth = 0.5;
  for (const box of boxes) if (box) brush.strokeRect(...pixels(box, width, height));
}
