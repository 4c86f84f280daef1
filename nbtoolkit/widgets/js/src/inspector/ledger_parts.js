// @ts-check
/** Parts of a prediction that the ledger ranks: pure functions of the results. */

import { coordsOf } from "./arrays.js";

/** @typedef {import("./types.js").Result} Result */
/** @typedef {{ layer?: number, head?: number, patch?: number, concept?: number }} Place what a click on a part selects */
/**
 * @typedef {object} Part
 * @property {string} key as the trait `ticked` has it: "L4.H1", "A4", "MLP4", "N4.123", "P36", "C4.7"; "" for what cannot be ticked
 * @property {string} kind "head", "attention", "mlp", "neuron", "patch", "concept" or "other"
 * @property {string} text
 * @property {string[]} words what it promotes
 * @property {number} value
 * @property {[number, number] | null} band of the null
 * @property {Place} place
 *
 * @typedef {object} Ledger
 * @property {Part[]} parts the strongest first
 * @property {number} sum of all of them
 * @property {number | null} total what they sum to with `others`; null where the measure is not additive
 * @property {[string, number][]} others what else the total has: biases, embedding, the parts that are not listed
 */

/** What each kind of part is read from. @type {Record<string, string>} */
export const FROM = {
  layers: "contribution",
  heads: "contribution",
  neurons: "neurons",
  patches: "occlusion",
  concepts: "concepts",
};

/** Sums by layer that a contribution can have, and how their keys begin. @type {Record<string, [string, string]>} */
const BY_LAYER = {
  attention: ["A", "attention"],
  mlp: ["MLP", "mlp"],
  "cross-attention": ["", "other"],
  deepstack: ["", "other"],
};

/** @param {Result} result @param {number} i place of the value */
function bandAt({ arrays }, i) {
  const { null_low: low, null_high: high, null: one } = arrays;
  if (low && high) return finite([low.data[i], high.data[i]]);
  return one ? finite([Math.min(0, one.data[i]), Math.max(0, one.data[i])]) : null;
}

/** @param {[number, number]} band */
const finite = (band) => (band.every(Number.isFinite) ? band : null);

/** @param {Part[]} parts */
const ranked = (parts) =>
  parts.filter(({ value }) => Number.isFinite(value)).sort((a, b) => Math.abs(b.value) - Math.abs(a.value));

const NAMES = { attention: "attention", mlp: "MLP" };

/** @param {Result} result @returns {Part[]} */
const layerParts = ({ arrays }) =>
  Object.entries(BY_LAYER).flatMap(([name, [stem, kind]]) => {
    const array = arrays[name];
    if (!array) return [];
    return coordsOf(array, "layer").map((layer, i) => ({
      key: stem && `${stem}${layer}`,
      kind,
      text: `${NAMES[/** @type {"mlp"} */ (name)] ?? name} ${layer}`,
      words: [],
      value: array.data[i],
      band: null,
      place: { layer: Number(layer) },
    }));
  });

/** @param {Result} result @returns {Part[]} */
function headParts(result) {
  const { values } = result.arrays;
  const [layers, heads] = [coordsOf(values, "layer"), coordsOf(values, "head")];
  return layers.flatMap((layer, row) =>
    heads.map((head, column) => {
      const i = row * heads.length + column;
      return {
        key: `L${layer}.H${head}`,
        kind: "head",
        text: `L${layer}.H${head}`,
        words: [],
        value: values.data[i],
        band: bandAt(result, i),
        place: { layer: Number(layer), head: Number(head) },
      };
    }),
  );
}

/** @param {Result} result @returns {Part[]} */
function neuronParts(result) {
  const { values, words } = result.arrays;
  const n = words?.shape[1] ?? 0;
  return coordsOf(values, "neuron").map((name, i) => ({
    key: `N${name}`,
    kind: "neuron",
    text: `N${name}`,
    words: n ? Array.from(words.data.subarray(i * n, (i + 1) * n), (k) => result.strings[k] ?? "") : [],
    value: values.data[i],
    band: bandAt(result, i),
    place: { layer: Number(String(name).split(".")[0]) },
  }));
}

/** @param {Result} result @returns {Part[]} */
function patchParts(result) {
  const { values } = result.arrays;
  return coordsOf(values, "patch").map((patch, i) => ({
    key: `P${patch}`,
    kind: "patch",
    text: `patch ${patch}`,
    words: [],
    value: values.data[i],
    band: bandAt(result, i),
    place: { patch: Number(patch) },
  }));
}

/** @param {Result} result @param {number} layer @param {string[]} names @returns {Part[]} */
function conceptParts(result, layer, names) {
  const { values } = result.arrays;
  return coordsOf(values, "concept").map((concept, i) => ({
    key: `C${layer}.${concept}`,
    kind: "concept",
    text: names[Number(concept)] ?? String(concept),
    words: [],
    value: values.data[i],
    band: bandAt(result, i),
    place: { layer, concept: Number(concept) },
  }));
}

/** @param {Part[]} parts */
export const sumOf = (parts) => parts.reduce((sum, { value }) => sum + value, 0);

/** A number of the facts, or null. @param {any} value */
const number = (value) => (typeof value === "number" && Number.isFinite(value) ? value : null);

/**
 * The parts of a kind, and what they sum to.
 * @param {string} kind of the trait `ledger` @param {Result} result @param {{ layer?: number, names?: string[] }} [of] layer and names of concepts
 * @returns {Ledger}
 */
export function ledgerOf(kind, result, { layer = 0, names = [] } = {}) {
  const { facts } = result;
  const read = {
    layers: layerParts,
    heads: headParts,
    neurons: neuronParts,
    patches: patchParts,
    concepts: (/** @type {Result} */ r) => conceptParts(r, layer, names),
  }[/** @type {"layers"} */ (kind)];
  const parts = ranked(read(result));
  const sum = sumOf(parts);
  const total = kind === "patches" ? null : number(facts.total);
  if (total === null) return { parts, sum, total, others: [] };
  if (kind === "layers") {
    const others = ["embedding", "constant"].map((name) => [name, number(facts[name]) ?? 0]);
    return { parts, sum, total, others: /** @type {[string, number][]} */ (others.filter(([, value]) => value)) };
  }
  const left = { heads: "MLPs, embedding and biases", neurons: "neurons that are not listed" }[kind];
  return { parts, sum, total, others: left ? [[left, total - sum]] : [] };
}

/** Whether the parts and what else there is sum to the total. @param {Ledger} ledger */
export const isWhole = ({ sum, total, others }) =>
  total !== null &&
  Math.abs(others.reduce((all, [, value]) => all + value, sum) - total) <= 0.005 * Math.max(1, Math.abs(total));

/** Sum of what is in the ledger: the parts and what else there is. @param {Ledger} ledger */
export const wholeOf = ({ sum, others }) => others.reduce((all, [, value]) => all + value, sum);

/** What the rows that are not listed add, the rest of a ledger. @param {Ledger} ledger @param {number} n rows that are listed */
export const restOf = (ledger, n) => wholeOf(ledger) - sumOf(ledger.parts.slice(0, n));

/** Smallest and largest value of bars with their bands, zero included. @param {Part[]} parts @param {number[]} more */
export function rangeOf(parts, more = []) {
  const all = [0, ...more, ...parts.flatMap(({ value, band }) => [value, ...(band ?? [])])];
  return { low: Math.min(...all), high: Math.max(...all) };
}

/** Left edge and width of a bar from a to b, as percentages. @param {number} a @param {number} b @param {{ low: number, high: number }} range */
export function span(a, b, { low, high }) {
  const whole = high - low || 1;
  return { left: (100 * (Math.min(a, b) - low)) / whole, width: (100 * Math.abs(b - a)) / whole };
}

/** Whether a value is one that random parts have, too. @param {Part} part */
export const isWithin = ({ value, band }) => band !== null && value >= band[0] && value <= band[1];

/**
 * Whether a part is what is selected, or under the pointer.
 * @param {Part} part @param {{ layer?: number | null, head?: number | null, concept?: number | null, patches?: number[] }} now
 */
export function isAt({ kind, place }, { layer = null, head = null, concept = null, patches = [] }) {
  if (kind === "patch") return patches.includes(Number(place.patch));
  if (place.layer !== layer) return false;
  if (kind === "head") return place.head === head;
  if (kind === "concept") return place.concept === concept;
  return kind !== "neuron" && head === null;
}

/** A list with an entry, or without it. @template T @param {T[]} list @param {T} entry */
export const toggled = (list, entry) => (list.includes(entry) ? list.filter((one) => one !== entry) : [...list, entry]);
