// @ts-check
/** Maps over the image: which result each one needs, its value at every patch, and the scale that they have in colour. */

import { at, extent, mean } from "./arrays.js";
import { colourAt } from "../colour_scale.js";

/** @typedef {import("./types.js").Result} Result @typedef {import("./types.js").NDArray} NDArray */
/** @typedef {{ layer: number | null, head: number | null, concept: number | null, studied: number | null, n_layers: number }} Selection */
/** @typedef {{ low: number, high: number, signed: boolean }} Scale colours from low, which is clear, to high; signed: zero is clear, both ends have one size */
/** @typedef {{ name: string, of: string, map: string } | { reason: string }} Need result of an instrument, about what, and what faithfulness calls the map; or the reason why there is no map */
/** @typedef {{ values: Float32Array, scale: Scale, unit: string }} ImageMap */

export const METRICS = {
  lens: "logit lens",
  attention: "attention",
  occlusion: "occlusion",
  gradients: "gradients",
  concept: "concept",
  head: "attention of a head",
  "": "no map",
};
const STEPS = 128; // of colour on either side of zero
const FAINT = 0.35; // of the opacity of a value within its null

/** The layer at which the lens is read: the last one while none is selected. @param {Selection} selection */
export const readAt = ({ layer, n_layers }) => layer ?? n_layers;

/** What a map needs. @param {string} metric @param {Selection} selection @returns {Need | null} null for no map */
export function needOf(metric, selection) {
  const { layer, head, concept, studied } = selection;
  if (!metric) return null;
  if (metric === "lens") return { name: "lens", of: "", map: `lens:${readAt(selection)}` };
  if (metric === "head") {
    if (!layer || head === null) return { reason: "Select a layer and head in the grid to see what it reads." };
    return { name: "attention", of: "", map: `head:${layer}.${head}` };
  }
  if (metric === "concept") {
    if (studied === null)
      return { reason: "Concepts come from a study of this model: open the Inspector with study=…." };
    if (concept === null) return { reason: "Select a concept in the ledger to see its map." };
    return { name: "concept", of: `${studied}:${concept}`, map: `concept:${studied}:${concept}` };
  }
  return { name: metric, of: "", map: metric };
}

/** @type {WeakMap<NDArray, NDArray>} mean attention of all heads */
const means = new WeakMap();

/** @param {NDArray} attention */
function meanOf(attention) {
  const old = means.get(attention);
  if (old) return old;
  const all = mean(attention, ["layer", "head"]);
  means.set(attention, all);
  return all;
}

/**
 * Value at every patch; null where the result has none there (a layer that it lacks).
 * @param {Result} result @param {string} metric @param {Selection} selection @param {number[]} positions of the patches
 * @returns {Float32Array | null}
 */
export function valuesOf({ arrays: { values } }, metric, selection, positions) {
  if (!values) return null;
  if (metric === "lens") {
    const row = at(values, { layer: readAt(selection) });
    return row ? Float32Array.from(positions, (position) => at(row, { position }) ?? NaN) : null;
  }
  if (metric === "attention") return meanOf(values).data.slice(0, positions.length);
  if (metric !== "head") return /** @type {Float32Array} */ (values.data);
  return at(values, { layer: selection.layer ?? 0, head: selection.head ?? 0 })?.data ?? null;
}

/**
 * The scale of values: from zero on, on both sides of it where some are negative; of log-probabilities from the smallest on.
 * @param {{ data: ArrayLike<number> }} array @param {boolean} [fromLowest] @returns {Scale}
 */
export function scaleOf(array, fromLowest = false) {
  const { low, high, top } = extent(array);
  if (fromLowest) return { low, high, signed: false };
  return low < 0 ? { low: -top, high: top, signed: true } : { low: 0, high, signed: false };
}

/** Unit of a result: attention is a share. @param {Result} result */
export const unitOf = ({ name, unit }) => (name === "attention" ? "share" : unit === "no unit" ? "" : unit);

/** The map of a result. @param {Result} result @param {string} metric @param {Selection} selection @param {number[]} positions @returns {ImageMap | null} */
export function mapOf(result, metric, selection, positions) {
  const values = valuesOf(result, metric, selection, positions);
  return values && { values, scale: scaleOf({ data: values }, metric === "lens"), unit: unitOf(result) };
}

/** Share of a scale, −1 to 1; NaN where there is no value. @param {Scale} scale @param {number} value */
export const shareOf = ({ low, high, signed }, value) =>
  signed ? (high ? value / high : 0) : high > low ? (value - low) / (high - low) : 0;

/** Red, green, blue and opacity (0 to 255) of 257 shares, −1 to 1. */
const table = new Uint8ClampedArray(
  Array.from({ length: 2 * STEPS + 1 }, (_, i) => colourAt(i / STEPS - 1)).flatMap(([r, g, b, a]) => [
    r,
    g,
    b,
    255 * a,
  ]),
);

/** Place of a share in the table of colours, times four. @param {number} share */
export const slotOf = (share) => 4 * Math.round((Math.max(-1, Math.min(1, share)) + 1) * STEPS);

/** Colour of a share as CSS. @param {number} share */
export function cssOf(share) {
  if (Number.isNaN(share)) return "transparent";
  const i = slotOf(share);
  return `rgba(${table[i]}, ${table[i + 1]}, ${table[i + 2]}, ${(table[i + 3] / 255).toFixed(3)})`;
}

/**
 * Values as pixels, one each.
 * @param {ImageData} image @param {Float32Array} values @param {Scale} scale @param {ArrayLike<number> | null} [faint] 1 where a value is within its null
 */
export function paintPixels({ data }, values, scale, faint = null) {
  for (let n = 0; n < values.length; n++) {
    const share = shareOf(scale, values[n]);
    const i = slotOf(Number.isNaN(share) ? 0 : share);
    data[4 * n] = table[i];
    data[4 * n + 1] = table[i + 1];
    data[4 * n + 2] = table[i + 2];
    data[4 * n + 3] = Number.isNaN(share) ? 0 : table[i + 3] * (faint?.[n] ? FAINT : 1);
  }
}

/**
 * The most probable words of the lens at a position.
 * @param {Result | undefined} lens @param {number} layer @param {number} position @param {number} [n]
 * @returns {{ word: string, p: number }[]}
 */
export function wordsAt(lens, layer, position, n = 3) {
  const { words, log_probs } = lens?.arrays ?? {};
  const own = words && at(words, { layer, position });
  if (!own) return [];
  const p = log_probs && at(log_probs, { layer, position });
  return Array.from(own.data.slice(0, n), (/** @type {number} */ index, /** @type {number} */ i) => ({
    word: lens?.strings[index] ?? "",
    p: p ? Math.exp(p.data[i]) : NaN,
  }));
}
