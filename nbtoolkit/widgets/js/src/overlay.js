// @ts-check
/** A small grid painted over a picture: heat, or the contour of its stronger half. The grid is stretched over the whole picture. */

import { h } from "./dom.js";

export const OVERLAYS = { none: "picture alone", heat: "where it lies", contour: "its outline" };
const CELL = 16; // canvas pixels a patch, for contours

/** A canvas that lies over a picture. */
export const overlayCanvas = () => h("canvas", { class: "nbt-overlay", "aria-hidden": "true" });

/**
 * Paint one map; values run from 0 to 255, and `zero` is where the score is 0.
 * @param {HTMLCanvasElement} canvas @param {string} mode @param {Uint8Array} values @param {number} height @param {number} width @param {number} zero
 */
export function paintMap(canvas, mode, values, height, width, zero) {
  const brush = canvas.getContext("2d");
  if (!brush) return;
  const size = mode === "contour" ? CELL : 1;
  canvas.width = width * size;
  canvas.height = height * size;
  const strength = (/** @type {number} */ i) => Math.max(0, (values[i] - zero) / Math.max(1, 255 - zero));
  if (mode === "heat") { // darker where it is not, so that the picture's own colours stay
    const image = brush.createImageData(width, height);
    for (let i = 0; i < values.length; i++) image.data[4 * i + 3] = 170 * (1 - strength(i));
    brush.putImageData(image, 0, 0);
  } else if (mode === "contour") {
    const inside = (/** @type {number} */ y, /** @type {number} */ x) => y >= 0 && x >= 0 && y < height && x < width && strength(y * width + x) > 0.5;
    for (const [colour, thick] of /** @type {[string, number][]} */ ([["#000", 5], ["#ffd400", 2.5]])) {
      brush.strokeStyle = colour;
      brush.lineWidth = thick;
      brush.beginPath();
      for (let y = 0; y <= height; y++) for (let x = 0; x <= width; x++) {
        if (inside(y, x) !== inside(y - 1, x)) { brush.moveTo(x * CELL, y * CELL); brush.lineTo((x + 1) * CELL, y * CELL); }
        if (inside(y, x) !== inside(y, x - 1)) { brush.moveTo(x * CELL, y * CELL); brush.lineTo(x * CELL, (y + 1) * CELL); }
      }
      brush.stroke();
    }
  }
}

/**
 * Where a map is strongest, in words. @param {import("./types.js").Translator} t @param {Uint8Array} values @param {number} height @param {number} width
 */
export function describeMap(t, values, height, width) {
  let best = 0;
  for (let i = 1; i < values.length; i++) if (values[i] > values[best]) best = i;
  const third = (/** @type {number} */ at, /** @type {number} */ n, /** @type {string[]} */ names) => names[Math.min(2, Math.floor((3 * at) / n))];
  const row = third(Math.floor(best / width), height, [t`top`, t`middle`, t`bottom`]), column = third(best % width, width, [t`left`, t`centre`, t`right`]);
  return t`strongest at the ${row} ${column}`;
}
