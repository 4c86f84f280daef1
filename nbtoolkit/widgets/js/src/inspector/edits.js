// @ts-check
/** Edits of the Inspector from what is selected or ticked, as the trait `edits` has them: pure functions. */

import { signed } from "../dom.js";
import { HOW, PARTS, POSITIONS } from "../edits.js";
import { translate } from "../words.js";

/** @typedef {Record<string, any> & { op: string }} Edit @typedef {import("../types.js").Translator} Translator */
/** @typedef {{ layer: number | null, head: number | null, patches: number[], token: number | null, concept: number | null }} Selection */

export const MOST = 32; // edits

const ascending = (/** @type {number[]} */ list) => [...new Set(list)].sort((a, b) => a - b);

/** The word cannot read the image, or the selected patches: at the selected layer or head, else in all. @param {Selection} at @returns {Edit} */
export const knockOut = ({ layer, head, patches }) => ({
  op: "knock_out",
  layers: layer ? [layer] : null,
  heads: layer && head !== null ? [head] : null,
  sources: patches.length ? { patches: ascending(patches) } : "image",
  targets: "word",
});

/** @param {number[]} patches @returns {Edit} */
export const mask = (patches) => ({ op: "mask", patches: ascending(patches) });

/** @param {number[]} layers @param {string} part @param {string} how @param {number[] | null} heads @returns {Edit} */
const ablate = (layers, part, how, heads = null) => ({ op: "ablate", layers: ascending(layers), part, how, heads });

/** Entries by what they share, in the order of the first of each. @template T @param {T[]} list @param {(entry: T) => string} of @returns {T[][]} */
function grouped(list, of) {
  /** @type {Map<string, T[]>} */
  const groups = new Map();
  for (const entry of list) groups.set(of(entry), [...(groups.get(of(entry)) ?? []), entry]);
  return [...groups.values()];
}

/** @typedef {{ kind: string, layer: number, index: number }} Ticked */

/** Parts of the trait `ticked`; others than those that it can have are left out. @param {string[]} ticked @returns {Ticked[]} */
export function parseTicked(ticked) {
  return ticked.flatMap((key) => {
    const [, kind, first, second] = /^(L|MLP|A|N|P|C)(\d+)(?:\.H?(\d+))?$/.exec(key) ?? [];
    const two = ["L", "N", "C"].includes(kind);
    if (!kind || two !== (second !== undefined)) return [];
    return [{ kind, layer: Number(first), index: Number(second ?? first) }];
  });
}

/**
 * Edits that ablate the ticked parts: heads, neurons and layers together where one edit can; patches are masked.
 * @param {string[]} ticked @param {string} how "zero" or "mean", of whole parts @returns {Edit[]}
 */
export function ablateTicked(ticked, how) {
  const parts = parseTicked(ticked);
  const of = (/** @type {string} */ kind) => parts.filter((part) => part.kind === kind);
  const byLayer = (/** @type {string} */ kind) => grouped(of(kind), ({ layer }) => String(layer));
  const indices = (/** @type {Ticked[]} */ list) => ascending(list.map(({ index }) => index));
  const whole = (/** @type {string} */ kind, /** @type {string} */ part) => {
    const layers = of(kind).map(({ layer }) => layer);
    return layers.length ? [ablate(layers, part, how)] : [];
  };
  const patches = of("P").map(({ index }) => index);
  return [
    ...whole("A", "attention"),
    ...whole("MLP", "mlp"),
    ...byLayer("L").map((list) => ablate([list[0].layer], "attention", "zero", indices(list))),
    ...byLayer("N").map((list) => ({ op: "ablate", layer: list[0].layer, neurons: indices(list) })),
    ...of("C").map(({ layer, index }) => ({ op: "ablate", layer, concept: index })),
    ...(patches.length ? [mask(patches)] : []),
  ];
}

/** Whether the mean is of anything that would be ablated: heads, neurons and concepts become zero. @param {string[]} ticked @param {Selection} at */
export function takesMean(ticked, { layer, head }) {
  const parts = parseTicked(ticked);
  if (!parts.length) return Boolean(layer) && head === null;
  return parts.some(({ kind }) => kind === "A" || kind === "MLP");
}

/** Edits that ablate what is ticked, else the selected head or layer; none where nothing is. @param {string[]} ticked @param {Selection} at @param {string} how @returns {Edit[]} */
export function ablations(ticked, at, how) {
  const edits = ablateTicked(ticked, how);
  if (edits.length || !at.layer) return edits;
  return [at.head === null ? ablate([at.layer], "block", how) : ablate([at.layer], "attention", "zero", [at.head])];
}

/** Which positions a patch of the selection is of. @param {Selection} at @returns {any} */
export const placesOf = ({ patches, token }) =>
  patches.length ? { patches: ascending(patches) } : token === null ? "image" : [token];

/** States of the other side at a layer. @param {number} layer @param {any} positions @param {string} from "other" or "blank" @returns {Edit} */
export const patchFrom = (layer, positions, from) => ({ op: "patch", layer, positions, from });

/**
 * The patch that a cell makes where it is dropped, or taken; null of anything else, and of a cell without a layer.
 * @param {any} cell side, layer, and position, patch or patches
 * @param {{ layers: number, positions: number, patches: number }} limits @param {string} from "other" or "blank" @returns {Edit | null}
 */
export function patchOfCell(cell, { layers, positions, patches }, from) {
  const { side, layer, position, patch, patches: several } = cell && typeof cell === "object" ? cell : {};
  const within = (/** @type {any} */ i, /** @type {number} */ n) => Number.isInteger(i) && i >= 0 && i < n;
  const own = Array.isArray(several) ? several : patch === undefined ? [] : [patch];
  if (!["a", "b"].includes(side) || !within(layer, layers + 1)) return null;
  if (own.length)
    return own.every((i) => within(i, patches)) ? patchFrom(layer, { patches: ascending(own) }, from) : null;
  return within(position, positions) ? patchFrom(layer, [position], from) : null;
}

/** The list with further edits; one that is there already is not there twice. @param {Edit[]} edits @param {Edit[]} more */
export function withEdits(edits, more) {
  const there = new Set(edits.map((edit) => JSON.stringify(edit)));
  return [...edits, ...more.filter((edit) => !there.has(JSON.stringify(edit)))];
}

/** A few numbers: "3, 4, 5 … 60 (58)". @param {number[]} list */
export const brief = (list) =>
  list.length <= 6 ? list.join(", ") : `${list.slice(0, 3).join(", ")} … ${list[list.length - 1]} (${list.length})`;

/** Positions as a text. @param {Translator} t @param {any} places */
function placeText(t, places) {
  if (places === "image") return t`the image`;
  if (places === "question") return t`the question`;
  if (places === "last") return t`the word's position`;
  return Array.isArray(places) ? t`positions ${brief(places)}` : t`patches ${brief(places.patches)}`;
}

/** Layers and heads as a text: "L4.H1", "layers 2, 3", "all layers". @param {Translator} t @param {number[] | null} layers @param {number[] | null} heads */
function where(t, layers, heads) {
  if (layers?.length === 1) return heads ? `L${layers[0]}.H${heads.join(",")}` : t`layer ${layers[0]}`;
  const text = layers ? t`layers ${brief(layers)}` : t`all layers`;
  return heads ? t`${text}, heads ${brief(heads)}` : text;
}

/** @param {Translator} t @param {Edit} edit @param {(layer: number, concept: number) => string} name of concepts */
function ablationText(t, edit, name) {
  if (edit.concept !== undefined) return t`ablate “${name(edit.layer, edit.concept)}”, layer ${edit.layer}`;
  if (edit.neurons) return t`ablate neurons ${brief(edit.neurons)}, layer ${edit.layer}`;
  const how = edit.how === "mean" ? ` (${translate(t, HOW.mean)})` : "";
  const of = where(t, edit.layers, edit.heads);
  if (edit.heads || edit.part === "block") return t`ablate ${of}` + how;
  return t`ablate ${translate(t, PARTS[/** @type {"mlp"} */ (edit.part)])}, ${of}` + how;
}

/**
 * An edit as a text.
 * @param {Translator} t @param {Edit} edit @param {(layer: number, concept: number) => string} name of concepts @returns {string}
 */
export function editText(t, edit, name) {
  if (edit.op === "ablate") return ablationText(t, edit, name);
  if (edit.op === "mask") return t`mask patches ${brief(edit.patches)}`;
  if (edit.op === "knock_out") {
    const readers = { word: t`the word`, last: t`the word's position`, response: t`the response` };
    const to = readers[/** @type {"word"} */ (edit.targets)];
    return t`knock out ${placeText(t, edit.sources)} → ${to}, ${where(t, edit.layers, edit.heads)}`;
  }
  if (edit.op === "patch") {
    const from = edit.from === "blank" ? t`a blank image` : t`the other image`;
    return t`patch ${placeText(t, edit.positions)} from ${from}, layer ${edit.layer}`;
  }
  const what = edit.concept === undefined ? edit.word : name(edit.layer, edit.concept);
  const at = edit.positions === "all" ? "" : `, ${translate(t, POSITIONS[/** @type {"image"} */ (edit.positions)])}`;
  return t`steer “${what}” ${signed(edit.strength, 2, "+")}, layer ${edit.layer}` + at;
}
