// @ts-check
/** A small grid painted over a picture: heat, or the contour of its stronger half. The grid is stretched over the whole picture. */

import { h, signed } from "./dom.js";

export const OVERLAYS = { none: "picture alone", heat: "where it lies", contour: "its outline" };
const ZOOM = 0.35; // of a tile: what is zoomed in on is at least as large, or it would be a blur
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
 * What the shades of an overlay stand for; `top` tells the strongest score.
 * @param {import("./types.js").Translator} t @param {string} mode @param {string} top
 * @returns {(HTMLElement | string)[]}
 */
export function overlayScale(t, mode, top) {
  if (mode === "heat") return [t`0 or less`, h("i", { class: "nbt-scale-heat" }), top];
  if (mode === "contour") return [h("i", { class: "nbt-scale-line" }), t`more than half of ${top}`];
  return mode === "crop" ? [t`zoomed in on more than half of ${top}`] : [];
}

/** The score of a concept at a patch. @param {import("./types.js").Maps} maps @param {number} k @param {number} i row × width + column */
export const scoreAt = ({ shape: [, height, width], low, high, bytes }, k, i) => low[k] + ((high[k] - low[k]) * bytes[k * height * width + i]) / 255;

/** The map of one concept, and where in it the score is 0. @param {import("./types.js").Maps} maps @param {number} k */
export function mapOf({ shape: [, height, width], low, high, bytes }, k) {
  return { values: bytes.subarray(k * height * width, (k + 1) * height * width), height, width,
    zero: low[k] < 0 ? (255 * -low[k]) / Math.max(1e-12, high[k] - low[k]) : 0, low: low[k], high: high[k] };
}

/**
 * Paint a concept's map over a tile that shows the middle square of a picture; "crop" shows where it is strong instead.
 * @param {HTMLElement} tile @param {import("./types.js").Thumb} thumb @param {string} mode @param {import("./types.js").Maps} maps @param {number} k
 */
export function paintTile(tile, thumb, mode, maps, k) {
  const { values, height, width, zero, low, high } = mapOf(maps, k);
  tile.title = `${thumb.caption} (${signed(low, 1)} … ${signed(high, 1)})`;
  if (!(high > 0)) return;
  const a = thumb.aspect, [wide, tall] = a > 1 ? [a, 1] : [1, 1 / a];
  if (mode === "crop") {
    const strong = [...values.keys()].filter((i) => values[i] - zero > 0.5 * (255 - zero));
    // in parts of the tile: the strong patches' box, made square
    const at = (/** @type {number} */ v, /** @type {number} */ n, /** @type {number} */ span) => (v / n) * span - (span - 1) / 2;
    const xs = strong.map((i) => i % width), ys = strong.map((i) => Math.floor(i / width));
    const left = at(Math.min(...xs), width, wide), right = at(Math.max(...xs) + 1, width, wide), top = at(Math.min(...ys), height, tall), bottom = at(Math.max(...ys) + 1, height, tall);
    const side = Math.min(1, Math.max(ZOOM, right - left, bottom - top)), move = (/** @type {number} */ middle) => Math.min(1 - side, Math.max(0, middle - side / 2));
    const x = move((left + right) / 2), y = move((top + bottom) / 2);
    tile.style.backgroundSize = `${(100 * thumb.count) / side}% ${100 / side}%`;
    tile.style.backgroundPosition = `${share(thumb.index + x, thumb.count, side)}% ${share(y, 1, side)}%`;
    return;
  }
  const canvas = overlayCanvas();
  Object.assign(canvas.style, { width: `${100 * wide}%`, height: `${100 * tall}%`, left: `${-50 * (wide - 1)}%`, top: `${-50 * (tall - 1)}%` });
  paintMap(canvas, mode, values, height, width, zero);
  tile.replaceChildren(canvas);
}

/** What CSS calls a background's position, so that the part from `from` on of a strip `whole` long fills a box `side` long. @param {number} from @param {number} whole @param {number} side */
const share = (from, whole, side) => (whole > side ? (100 * from) / (whole - side) : 50);

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
