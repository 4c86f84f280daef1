// @ts-check
/**
 * Image overlay: a small grid of scores over a grey image as heat map, or over the image as contour of its stronger half; or
 * the image zoomed to that half. The grid lies on its frame: the part of the image that the model saw.
 */

import { colourAt, gradient } from "./colour_scale.js";
import { about, h, signed } from "./dom.js";
import { dim, lay, shade } from "./seen.js";
import { over } from "./tile.js";

export const OVERLAYS = { none: "none", "heat map": "heat map", contour: "contour" };
export const EXEMPLAR_OVERLAYS = { ...OVERLAYS, zoom: "zoom" };
const ZOOM = 0.35; // of a tile: a smaller part would be a blur
const CELL = 16; // canvas pixels per patch, for contours
const GREY = "linear-gradient(#d0d0d0, #6c6c6c)"; // in the legend, what an image is below its map
const HALF = 0.5; // of the largest score: what a contour surrounds

/** @typedef {{ values: Uint8Array, height: number, width: number, frame: number[], zero: number, low: number, high: number }} Grid values from 0 to 255; `zero` is where the score is 0 */

/** A canvas over an image. */
export const overlayCanvas = () => h("canvas", { class: "nbt-overlay", "aria-hidden": "true" });

/** What takes the colours of the image below it. */
export const grey = () => h("i", { class: "nbt-grey" });

/** Share of the largest score, from 0 to 1. @param {Grid} grid @param {number} i */
const strength = ({ values, zero, high }, i) =>
  high > 0 ? Math.max(0, (values[i] - zero) / Math.max(1, 255 - zero)) : 0;

/**
 * Paint one grid.
 * @param {HTMLCanvasElement} canvas @param {string} mode @param {Grid} grid
 */
export function paintGrid(canvas, mode, grid) {
  const brush = canvas.getContext("2d");
  if (!brush) return;
  const size = mode === "contour" ? CELL : 1;
  canvas.width = grid.width * size;
  canvas.height = grid.height * size;
  lay(canvas, grid.frame);
  if (mode === "contour") paintContour(brush, grid);
  else paintHeat(brush, grid);
}

/** @param {CanvasRenderingContext2D} brush @param {Grid} grid */
function paintHeat(brush, grid) {
  const image = brush.createImageData(grid.width, grid.height);
  const [span, limit] = [grid.high - grid.low, Math.max(Math.abs(grid.low), Math.abs(grid.high)) || 1];
  grid.values.forEach((value, i) => {
    const [red, green, blue, opacity] = colourAt((grid.low + (span * value) / 255) / limit);
    image.data.set([red, green, blue, 255 * opacity], 4 * i);
  });
  brush.putImageData(image, 0, 0);
}

/** @param {CanvasRenderingContext2D} brush @param {Grid} grid */
function paintContour(brush, grid) {
  const { height, width } = grid;
  const inside = (/** @type {number} */ y, /** @type {number} */ x) =>
    y >= 0 && x >= 0 && y < height && x < width && strength(grid, y * width + x) > HALF;
  const line = (/** @type {number[]} */ [x, y], /** @type {number[]} */ [dx, dy]) => {
    brush.moveTo(x * CELL, y * CELL);
    brush.lineTo((x + dx) * CELL, (y + dy) * CELL);
  };
  for (const [colour, thick] of /** @type {[string, number][]} */ ([
    ["#000", 5],
    ["#ffd400", 2.5],
  ])) {
    brush.strokeStyle = colour;
    brush.lineWidth = thick;
    brush.beginPath();
    for (let y = 0; y <= height; y++) {
      for (let x = 0; x <= width; x++) {
        if (inside(y, x) !== inside(y - 1, x)) line([x, y], [1, 0]);
        if (inside(y, x) !== inside(y, x - 1)) line([x, y], [0, 1]);
      }
    }
    brush.stroke();
  }
}

/**
 * Legend of an overlay: the colours of the heat map with its ends and zero.
 * @param {import("./types.js").Translator} t @param {string} mode
 * @param {{ top: string, bottom?: string }} ends the largest score, or absolute score; and its opposite where signs matter
 * @returns {(HTMLElement | string)[]}
 */
export function legend(t, mode, { top, bottom }) {
  if (mode === "contour") return [h("i", { class: "nbt-scale-line" }), t`more than half of ${top}`];
  if (mode === "zoom") return [t`zoomed to more than half of ${top}`];
  if (mode !== "heat map") return [];
  const zero = bottom ? h("span", { text: "0" }) : null;
  const bar = h(
    "i",
    { class: "nbt-scale-heat", style: { backgroundImage: `${gradient(Boolean(bottom))}, ${GREY}` } },
    zero,
  );
  return [bottom ?? "0", bar, top];
}

/**
 * Score of a concept at a patch.
 * @param {import("./types.js").Maps} maps @param {number} k @param {number} i row × width + column
 */
export function scoreAt({ shape: [, height, width], low, high, bytes, slots }, k, i) {
  const j = slots ? slots.get(k) : k;
  return j === undefined ? 0 : low[j] + ((high[j] - low[j]) * bytes[j * height * width + i]) / 255;
}

/** The grid of one concept. @param {import("./types.js").Maps} maps @param {number} concept @returns {Grid} */
export function gridOf({ shape: [, height, width], low, high, frame, bytes, slots }, concept) {
  const size = height * width;
  const k = slots?.get(concept) ?? concept;
  const zero = low[k] < 0 ? (255 * -low[k]) / Math.max(1e-12, high[k] - low[k]) : 0;
  const values = bytes.subarray(k * size, (k + 1) * size);
  return { values, height, width, frame, zero, low: low[k], high: high[k] };
}

/**
 * Sum of the maps of all concepts, weighted by activation.
 * @param {import("./types.js").Maps} maps @param {number[]} activations of a token
 * @returns {Grid}
 */
export function weightedGrid(maps, activations) {
  const { shape, frame } = maps;
  const [, height, width] = shape;
  const sum = new Float64Array(height * width);
  activations.forEach((v, k) => {
    if (v) for (let i = 0; i < sum.length; i++) sum[i] += Math.abs(v) * Math.max(0, scoreAt(maps, k, i));
  });
  const high = Math.max(...sum, 1e-30);
  const values = Uint8Array.from(sum, (v) => Math.round((255 * v) / high));
  return { values, height, width, frame, zero: 0, low: 0, high };
}

/**
 * Paint a concept's map over a tile that shows the middle square of an image; "zoom" shows its stronger half instead.
 * @param {HTMLElement} tile @param {import("./types.js").Thumb} thumb @param {string} mode @param {Grid} grid
 * @param {number[]} seen
 */
export function paintTile(tile, thumb, mode, grid, seen) {
  about(tile, thumb.caption, `${signed(grid.low, 1)} … ${signed(grid.high, 1)}`);
  const [drawn, unseen] = [grid.high > 0, shade()];
  if (mode === "zoom") {
    if (drawn) zoomTile(tile, thumb, grid);
    return;
  }
  const canvas = drawn ? overlayCanvas() : null;
  over(tile, thumb.aspect, [drawn && mode === "heat map" ? grey() : null, canvas, unseen]);
  if (canvas) paintGrid(canvas, mode, grid);
  dim(unseen, seen);
}

/** @param {HTMLElement} tile @param {import("./types.js").Thumb} thumb @param {Grid} grid */
function zoomTile(tile, thumb, grid) {
  const [wide, tall] = [Math.max(1, thumb.aspect), Math.max(1, 1 / thumb.aspect)]; // of the image, in tiles
  const patches = [...grid.values.keys()].filter((i) => strength(grid, i) > HALF);
  const [x0, y0, x1, y1] = grid.frame;
  const at = (/** @type {number} */ share, /** @type {number} */ span) => share * span - (span - 1) / 2; // in parts of the tile
  const xs = patches.map((i) => i % grid.width);
  const ys = patches.map((i) => Math.floor(i / grid.width));
  const across = (/** @type {number} */ column) => at(x0 + (column / grid.width) * (x1 - x0), wide);
  const down = (/** @type {number} */ row) => at(y0 + (row / grid.height) * (y1 - y0), tall);
  const [left, right] = [across(Math.min(...xs)), across(Math.max(...xs) + 1)];
  const [top, bottom] = [down(Math.min(...ys)), down(Math.max(...ys) + 1)];
  const side = Math.min(1, Math.max(ZOOM, right - left, bottom - top));
  const move = (/** @type {number} */ middle) => Math.min(1 - side, Math.max(0, middle - side / 2));
  const [x, y] = [move((left + right) / 2), move((top + bottom) / 2)];
  tile.style.backgroundSize = `${(100 * thumb.count) / side}% ${100 / side}%`;
  tile.style.backgroundPosition = `${position(thumb.index + x, thumb.count, side)}% ${position(y, 1, side)}%`;
}

/**
 * CSS position of a background, in percent, so that the part from `from` on of a strip fills a box.
 * @param {number} from @param {number} whole length of the strip @param {number} side of the box
 */
const position = (from, whole, side) => (whole > side ? (100 * from) / (whole - side) : 50);

/** The place of the largest value, in words. @param {import("./types.js").Translator} t @param {Grid} grid */
export function describe(t, { values, height, width, frame: [x0, y0, x1, y1] }) {
  let best = 0;
  for (let i = 1; i < values.length; i++) if (values[i] > values[best]) best = i;
  const third = (/** @type {number} */ share, /** @type {string[]} */ names) =>
    names[Math.min(2, Math.max(0, Math.floor(3 * share)))];
  const row = third(y0 + ((Math.floor(best / width) + 0.5) / height) * (y1 - y0), [t`top`, t`middle`, t`bottom`]);
  const column = third(x0 + (((best % width) + 0.5) / width) * (x1 - x0), [t`left`, t`centre`, t`right`]);
  return t`largest at the ${row} ${column}`;
}
