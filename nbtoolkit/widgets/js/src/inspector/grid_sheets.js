// @ts-check
/** What the grids show: layers × heads, layers × positions, layers × groups of positions. */

import { coordsOf } from "./arrays.js";
import { scaleOf, unitOf } from "./image_map.js";
import { runsOf, sign } from "./ribbon.js";

/** @typedef {import("./types.js").Result} Result @typedef {import("./types.js").NDArray} NDArray @typedef {import("./types.js").Side} Side */
/** @typedef {{ name: string, role: string, positions: number[], patches: number[] }} Column of one position, or of several of one role */
/** @typedef {Omit<import("./grid.js").Sheet, "height" | "least"> & { layers: number[], unit: string, heads?: number[], best?: Int32Array }} Content best: the position that a cell shows */

export const HEAD_GRIDS = {
  attention: "attention to the image",
  contribution: "contribution",
  knockout: "knockout",
  writers: "writers of a concept",
};
export const POSITION_GRIDS = { lens: "logit lens", patching: "activation patching" };
export const MODES = { compact: "image by rows", words: "with words", patches: "every patch" };
const WITHIN = {
  two: (/** @type {number} */ v, /** @type {number} */ n) => Math.abs(v) <= Math.abs(n),
  one: (/** @type {number} */ v, /** @type {number} */ n) => v <= n,
};

/** Sums over some patches, or all. @param {NDArray} array (layer, head, patch) @param {number[]} patches none for all @returns {Float32Array} */
export function sumOver({ shape, data }, patches) {
  const [n, size] = [shape[0] * shape[1], shape[2]];
  const own = patches.filter((i) => i < size);
  const out = new Float32Array(n);
  for (let i = 0, start = 0; i < n; i++, start += size) {
    let total = 0;
    if (patches.length) for (const patch of own) total += data[start + patch];
    else for (let patch = 0; patch < size; patch++) total += data[start + patch];
    out[i] = total;
  }
  return out;
}

/**
 * Where values are within their null: between the ends of its draws, or no more than a null that is one array.
 * @param {Record<string, ArrayLike<number> | undefined>} nulls low, high, or one @param {Float32Array} values @param {boolean} signed
 */
export function withinNull({ low, high, one }, values, signed) {
  if (low && high) return Uint8Array.from(values, (v, i) => Number(v >= low[i] && v <= high[i]));
  if (!one) return null;
  return Uint8Array.from(values, (v, i) => Number((signed ? WITHIN.two : WITHIN.one)(v, one[i])));
}

/** @type {WeakMap<NDArray, Float32Array>} sums over all patches, which are many */
const wholes = new WeakMap();

/** @param {NDArray | undefined} array @param {number[]} patches */
function attentionTo(array, patches) {
  if (!array || patches.length) return array && sumOver(array, patches);
  const old = wholes.get(array) ?? sumOver(array, []);
  wholes.set(array, old);
  return old;
}

/** Layers × heads. @param {Result} result @param {number[]} patches to which attention is summed @returns {Content} */
export function headContent(result, patches) {
  const { arrays } = result;
  const { values: array, null_low: low, null_high: high, null: one } = arrays;
  const byPatch = array.dims.includes("patch");
  const flat = (/** @type {NDArray | undefined} */ a) =>
    /** @type {Float32Array | undefined} */ (byPatch ? attentionTo(a, patches) : a?.data);
  const values = /** @type {Float32Array} */ (flat(array));
  const scale = scaleOf({ data: values });
  const layers = coordsOf(array, "layer").map(Number);
  const heads = coordsOf(array, "head").map(Number);
  const bands = byPatch ? { one: flat(one) } : { low: low?.data, high: high?.data, one: one?.data }; // bands of patches do not add up
  return {
    rows: layers.map(String),
    layers,
    heads,
    n: heads.length,
    names: namesOf(array, heads),
    values,
    faint: withinNull(bands, values, scale.signed),
    texts: null,
    scale,
    unit: unitOf(result),
  };
}

/** @type {WeakMap<NDArray, import("./grid.js").Sheet["names"]>} */
const headNames = new WeakMap();

/** Names of heads: the same ones for the same result. @param {NDArray} array @param {number[]} heads */
function namesOf(array, heads) {
  const names = headNames.get(array) ?? heads.map((head, j) => ({ from: j, to: j + 1, text: `${head}` }));
  headNames.set(array, names);
  return names;
}

/**
 * Columns of a sequence: the system's text as one, the image by rows of its grid (or patch by patch, or as one), all others by themselves.
 * @param {Side} side @param {boolean} each whether every patch has a column @returns {Column[]}
 */
export function columnsOf({ tokens, geometry }, each) {
  const patchOf = new Map((geometry?.positions ?? []).map((position, i) => [position, i]));
  return runsOf(tokens).flatMap(({ role, from, texts }) => {
    const positions = texts.map((_, i) => from + i);
    const one = (/** @type {number[]} */ own, /** @type {string} */ name) => {
      const patches = own.flatMap((position) => patchOf.get(position) ?? []);
      return { name, role, positions: own, patches };
    };
    if (role === "system") return [one(positions, "system")];
    if (role !== "image") return positions.map((position, i) => one([position], sign(texts[i])));
    if (each) return positions.map((position) => one([position], `${(patchOf.get(position) ?? -1) + 1}`));
    /** @type {Map<string, number[]>} */
    const rows = new Map();
    for (const position of positions) {
      const i = patchOf.get(position);
      if (i === undefined && geometry) continue; // separators and the like
      const [tile, row] = geometry?.cells.length && i !== undefined ? geometry.cells.slice(3 * i) : [0, 0];
      const key = `${tile} ${row}`;
      rows.set(key, [...(rows.get(key) ?? []), position]);
    }
    return [...rows.entries()].map(([key, own]) =>
      one(own, rows.size > 1 ? `${Number(key.split(" ")[1]) + 1}` : "image"),
    );
  });
}

/** Names over columns: each by itself, or each role by one. @param {Column[]} columns @param {boolean} each @param {(role: string) => string} text @param {number} target position that is strong */
export function columnNames(columns, each, text, target) {
  if (each) {
    return columns.map(({ name, role, positions }, j) => ({
      from: j,
      to: j + 1,
      text: role === "system" ? text(role) : role === "image" ? `${text(role)} ${name}` : name,
      strong: positions.includes(target),
    }));
  }
  /** @type {import("./grid.js").Sheet["names"]} */
  const names = [];
  columns.forEach(({ role }, j) => {
    const last = names[names.length - 1];
    if (last && columns[last.from].role === role) last.to = j + 1;
    else names.push({ from: j, to: j + 1, text: text(role) });
  });
  return names;
}

/** Layers × positions: of several positions the one where the word is most probable. @param {Result} lens @param {Column[]} columns @param {import("./grid.js").Sheet["names"]} names @returns {Content} */
export function lensContent({ arrays: { values: array, words, null: one }, strings, unit }, columns, names) {
  const layers = coordsOf(array, "layer").map(Number);
  const [n, width] = [columns.length, array.shape[1]];
  const values = new Float32Array(layers.length * n).fill(NaN);
  const best = new Int32Array(values.length);
  const index = new Map(coordsOf(array, "position").map((position, i) => [Number(position), i]));
  const places = columns.map(({ positions }) => positions.map((position) => index.get(position) ?? -1));
  const faint = one ? new Uint8Array(values.length) : null;
  const tops = words ? words.shape[2] : 0;
  const texts = words ? new Array(values.length).fill("") : null;
  for (let i = 0, to = 0; i < layers.length; i++) {
    for (let j = 0; j < n; j++, to++) {
      let from = -1;
      places[j].forEach((place, k) => {
        if (place < 0 || !(from < 0 || array.data[i * width + place] > values[to])) return;
        from = i * width + place;
        values[to] = array.data[from];
        best[to] = columns[j].positions[k];
      });
      if (from < 0) continue;
      if (texts && words) texts[to] = (strings[words.data[from * tops]] ?? "").trim();
      if (faint && one && one.shape.join() === array.shape.join()) faint[to] = Number(values[to] <= one.data[from]);
    }
  }
  const rows = layers.map(String);
  return { rows, layers, n, names, values, faint, texts, scale: scaleOf({ data: values }, true), unit, best };
}

/** Layers × groups of positions. @param {Result} result @param {(text: string) => string} text @returns {Content} */
export function groupContent(result, text) {
  const { arrays } = result;
  const { values: array, null_low: low, null_high: high, null: one } = arrays;
  const layers = coordsOf(array, "layer").map(Number);
  const groups = coordsOf(array, "group").map(String);
  const values = /** @type {Float32Array} */ (array.data);
  const names = groups.map((group, j) => ({ from: j, to: j + 1, text: text(group) }));
  const scale = scaleOf(array);
  const faint = withinNull({ low: low?.data, high: high?.data, one: one?.data }, values, scale.signed);
  return {
    rows: layers.map(String),
    layers,
    n: groups.length,
    names,
    values,
    faint,
    texts: null,
    scale,
    unit: unitOf(result),
  };
}
