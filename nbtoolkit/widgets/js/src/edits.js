// @ts-check
/** Edits of the forward pass, as the trait `edits` holds them: pure functions of the list. */

/** @typedef {import("./types.js").LayersEdit} LayersEdit */
/** @typedef {import("./types.js").ConceptEdit} ConceptEdit */
/** @typedef {LayersEdit | ConceptEdit} Edit */

export const PARTS = { block: "whole layer", attention: "attention", mlp: "MLP" };
export const HOW = { zero: "zero ablation", mean: "mean ablation" };

/** @type {LayersEdit} */
const NONE = { op: "ablate", layers: [], part: "block", how: "zero", heads: null };

/** @param {Edit} edit @returns {edit is LayersEdit} */
export const ofLayers = (edit) => "layers" in edit;

/** The ablation of layers that the controls show: the first one, or none. @param {Edit[]} edits @returns {LayersEdit} */
export const layersEdit = (edits) => edits.find(ofLayers) ?? NONE;

/** Whether an edit has an effect. @param {Edit} edit */
export const isActive = (edit) => !ofLayers(edit) || edit.layers.length > 0;

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
export const hasConcept = (edits, layer, concept) =>
  edits.some((edit) => !ofLayers(edit) && edit.layer === layer && edit.concept === concept);

/** The list with a concept ablated, or no longer. @param {Edit[]} edits @param {number} layer @param {number} concept @returns {Edit[]} */
export function toggleConcept(edits, layer, concept) {
  if (!hasConcept(edits, layer, concept)) return [...edits, { op: "ablate", layer, concept }];
  return edits.filter((edit) => ofLayers(edit) || edit.layer !== layer || edit.concept !== concept);
}

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
