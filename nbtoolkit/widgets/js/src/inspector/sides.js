// @ts-check
/** Two sides as one grid: pure functions of their results. */

import { coordsOf, indexOf, pick, sum } from "./arrays.js";

/** @typedef {import("./types.js").Result} Result */
/** @typedef {{ layers: number[], heads: number[], values: Float32Array, top: number }} Difference layers × heads; the largest absolute value */

export const GRIDS = ["attention", "contribution", "knockout"];
export const OF_EDITED = ["attention"]; // what is measured under edits

/** The instrument whose grids are compared: that of the trait `grid` where both sides can have it. @param {string} grid @param {string} side */
export const comparable = (grid, side) => ((side === "edited" ? OF_EDITED : GRIDS).includes(grid) ? grid : "attention");

/** Layers × heads of a result; attention is that to the selected patches, or to all. @param {Result} result @param {number[]} patches */
function byHead({ arrays: { values } }, patches) {
  if (!values.dims.includes("patch")) return values;
  return sum(patches.length ? pick(values, { patch: patches }) : values, "patch");
}

/**
 * What the second side has more of, where both have a layer and head.
 * @param {Result} first @param {Result} second @param {number[]} patches @returns {Difference}
 */
export function differenceGrid(first, second, patches) {
  const [a, b] = [first, second].map((result) => byHead(result, patches));
  const both = (/** @type {string} */ dim) =>
    coordsOf(a, dim)
      .filter((at) => indexOf(b, dim, at) >= 0)
      .map(Number);
  const [layers, heads] = [both("layer"), both("head")];
  const at = (/** @type {any} */ array, /** @type {number} */ layer, /** @type {number} */ head) =>
    array.data[indexOf(array, "layer", layer) * array.shape[1] + indexOf(array, "head", head)];
  const values = Float32Array.from(
    layers.flatMap((layer) => heads.map((head) => at(b, layer, head) - at(a, layer, head))),
  );
  const top = values.reduce((most, value) => (Math.abs(value) > most ? Math.abs(value) : most), 0);
  return { layers, heads, values, top };
}
