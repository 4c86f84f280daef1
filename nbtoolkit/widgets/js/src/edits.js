// @ts-check
/** Edits of the forward pass, as the trait `edits` holds them: pure functions of the list. */

/** @typedef {import("./types.js").LayersEdit} LayersEdit */
/** @typedef {import("./types.js").ConceptEdit} ConceptEdit */
/** @typedef {import("./types.js").SteerEdit} SteerEdit */
/** @typedef {LayersEdit | ConceptEdit | SteerEdit} Edit */
/** @typedef {{ layer: number, concept?: number, word?: string, direction?: string }} Aim what is steered */

export const PARTS = { block: "whole layer", attention: "attention", mlp: "MLP" };
export const PRECOMPUTED = "interventions_of"; // operation whose results a page without a kernel can have
export const POSITIONS = { all: "at all positions", image: "at the image", after: "from the word on" };
export const HOW = { zero: "zero ablation", mean: "mean ablation" };

/** @type {LayersEdit} */
const NONE = { op: "ablate", layers: [], part: "block", how: "zero", heads: null };

/** @param {Edit} edit @returns {edit is LayersEdit} */
export const ofLayers = (edit) => "layers" in edit;

/** The ablation of layers that the controls show: the first one, or none. @param {Edit[]} edits @returns {LayersEdit} */
export const layersEdit = (edits) => edits.find(ofLayers) ?? NONE;

/** @param {Edit} edit @returns {edit is SteerEdit} */
export const isSteering = (edit) => edit.op === "steer";

/** Whether an edit has an effect. @param {Edit} edit */
export const isActive = (edit) => (isSteering(edit) ? edit.strength !== 0 : !ofLayers(edit) || edit.layers.length > 0);

/** Whether the ablation of layers can be of single heads. @param {LayersEdit} edit */
export const takesHeads = ({ part, how }) => part === "attention" && how === "zero";

/**
 * The list with another ablation of layers; heads are dropped where they have no meaning.
 * @param {Edit[]} edits @param {Partial<LayersEdit>} change @returns {Edit[]}
 */
export function withLayers(edits, change) {
  const next = { ...layersEdit(edits), ...change };
  if (!takesHeads(next)) next.heads = null;
  const others = edits.filter((edit) => edit !== edits.find(ofLayers));
  return JSON.stringify(next) === JSON.stringify(NONE) ? others : [next, ...others];
}

/** The list with a layer ablated, or no longer. @param {Edit[]} edits @param {number} layer @returns {Edit[]} */
export function toggleLayer(edits, layer) {
  const { layers } = layersEdit(edits);
  const next = layers.includes(layer) ? layers.filter((l) => l !== layer) : [...layers, layer].sort((a, b) => a - b);
  return withLayers(edits, { layers: next });
}

/** @param {Edit[]} edits @param {number} layer @param {number} concept */
export const hasConcept = (edits, layer, concept) => edits.some((edit) => ablates(edit, layer, concept));

/** @param {Edit} edit @param {number} layer @param {number} concept */
const ablates = (edit, layer, concept) =>
  !isSteering(edit) && !ofLayers(edit) && edit.layer === layer && edit.concept === concept;

/** The list with a concept ablated, or no longer. @param {Edit[]} edits @param {number} layer @param {number} concept @returns {Edit[]} */
export function toggleConcept(edits, layer, concept) {
  if (!hasConcept(edits, layer, concept)) return [...edits, { op: "ablate", layer, concept }];
  return edits.filter((edit) => !ablates(edit, layer, concept));
}

/** What a slider steers, of the trait `steer_by`; null for nothing. @param {string} by @param {number} layer @param {number | null} concept @returns {Aim | null} */
export function aim(by, layer, concept) {
  if (!by) return concept === null ? null : { layer, concept };
  const [kind, name] = [by.slice(0, by.indexOf(":")), by.slice(by.indexOf(":") + 1)];
  return name && ["word", "direction"].includes(kind) ? { layer, [kind]: name } : null;
}

/** The edit that steers by something. @param {Edit[]} edits @param {Aim} at @returns {SteerEdit | undefined} */
export const steering = (edits, at) => edits.filter(isSteering).find((edit) => isAt(edit, at));

/** @param {Edit} edit @param {Aim} at */
const isAt = (edit, at) => isSteering(edit) && AIMS.every((name) => edit[name] === at[name]);

/** @type {(keyof Aim)[]} */
const AIMS = ["layer", "concept", "word", "direction"];

/** The list with another strength of what is steered; 0 removes it. @param {Edit[]} edits @param {Aim} at @param {number} strength @param {string} positions @returns {Edit[]} */
export function withStrength(edits, at, strength, positions) {
  const next = /** @type {SteerEdit} */ ({ op: "steer", ...at, strength, positions });
  const others = strength ? [next] : [];
  if (!edits.some((edit) => isAt(edit, at))) return [...edits, ...others];
  return edits.flatMap((edit) => (isAt(edit, at) ? others : [edit]));
}

/** Whether two lists differ by strengths only: the stops of one movement. @param {Edit[]} a @param {Edit[]} b */
export function isOneMovement(a, b) {
  const bare = (/** @type {Edit[]} */ edits) => JSON.stringify(edits.map((edit) => ({ ...edit, strength: 0 })));
  return bare(a) === bare(b);
}

/** A probability of a log-probability in nats, as .998. @param {number} nats */
export function probability(nats) {
  const p = Math.exp(nats);
  return p > 0.9995 ? "> .999" : p < 0.0005 ? "< .001" : p.toFixed(3).slice(1);
}

/** A text in which a word that comes four times or more in a row stands once, with its number. @param {string} text */
export const condensed = (text) =>
  text.replace(
    /(?<!\S)(\S+)((?: \1){3,})(?!\S)/g,
    (_, word, rest) => `${word} ×${rest.length / (word.length + 1) + 1}`,
  );

/**
 * Heads from a text such as "0, 3": null for none, undefined where the text is no list of heads.
 * @param {string} text @param {number} nHeads @returns {number[] | null | undefined}
 */
export function parseHeads(text, nHeads) {
  const parts = text.split(/[\s,]+/).filter(Boolean);
  if (!parts.every((part) => /^\d+$/.test(part) && Number(part) < nHeads)) return undefined;
  const heads = [...new Set(parts.map(Number))].sort((a, b) => a - b);
  return heads.length ? heads : null;
}
