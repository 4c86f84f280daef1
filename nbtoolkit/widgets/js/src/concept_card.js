// @ts-check
/** The card of one concept: name, words, score and share over a strip of images and the distribution of its activations. */

import { format, h, percent, named } from "./dom.js";
import { cut, MATCHES, sourceOf } from "./search.js";
import { barHeights } from "./state.js";
import { compact, tile } from "./tile.js";
import { translate, visible } from "./words.js";

const N_WORDS = 8;
const N_SPOKEN = 6;
const BEFORE = 8; // characters of a caption before its match

/** @typedef {import("./pane.js").Pane} Pane */
/** @typedef {{ terms: string[], rank: number }} Match what is searched for, and how well this concept matches */
/** @typedef {{ rows: number[], values: (number | undefined)[] }} Images rows of the samples, and the activations there */

/**
 * @param {Pane} pane @param {number} k @param {Images} images @param {Match} match
 * @param {{ onclick(row: number | null): void, ondblclick(): void }} events a click on an image has its row
 * @returns {HTMLElement}
 */
export function conceptCard(pane, k, images, match, { onclick, ondblclick }) {
  const rowOf = (/** @type {Event} */ event) => /** @type {HTMLElement} */ (event.target).dataset?.row;
  const card = h(
    "div",
    {
      role: "option",
      class: "nbt-card",
      "aria-selected": "false",
      tabindex: -1,
      "data-concept": k,
      onclick: (/** @type {Event} */ event) => {
        const row = rowOf(event);
        onclick(row === undefined ? null : Number(row));
      },
      ondblclick: (/** @type {Event} */ event) => rowOf(event) !== undefined && ondblclick(),
    },
    ...named(
      "",
      h("div", { class: "nbt-card-head" }),
      h("div", { class: "nbt-card-body" }, h("div", { class: "nbt-strip" }), distribution(pane, pane.concepts[k])),
    ),
  );
  paintHead(pane, card, k, match);
  paintStrip(pane, card, k, images);
  return card;
}

/** @param {Pane} pane @param {HTMLElement} card @param {number} k @param {Images} images */
export function paintStrip(pane, card, k, { rows, values }) {
  const { signed } = pane.concepts[k];
  card.dataset.rows = rows.join(",");
  card
    .querySelector(".nbt-strip")
    ?.replaceChildren(...rows.map((row, i) => tile(pane, row, { value: values[i], signed })));
}

/** Name, words and numbers, with marks at what is searched for. @param {Pane} pane @param {HTMLElement} card @param {number} k @param {Match} match */
export function paintHead(pane, card, k, match) {
  const { t } = pane;
  const concept = pane.concepts[k];
  const { terms, rank } = match;
  const source = terms.length ? sourceOf(rank) : null;
  const name = h(
    "strong",
    { class: pane.label(k) ? "nbt-given" : "nbt-name", dir: "auto" },
    ...marks(pane.name(k), terms),
  );
  const others = concept.words.filter((word) => source === "word" || word !== pane.name(k));
  const words = wordsOf(others, terms, source).flatMap((word, i) => [i ? " · " : "", ...marks(word, terms)]);
  const caption = source === "caption" ? captionOf(pane, k, terms) : null;
  /** @type {HTMLElement} */ (card.firstElementChild).textContent = visible(spoken(pane, k, source));
  const parts = [
    h("span", { class: "nbt-number", text: pane.isPinned(k) ? `★ ${k}` : k }),
    name,
    h("span", { class: "nbt-words", dir: "auto" }, ...(caption ?? (words.length ? words : [t`(no word)`]))),
    badge(source && source !== "name" ? translate(t, MATCHES[source]) : ""),
    badge(concept.active ? "" : t`inactive`),
    badge(twin(pane, concept), t`nearly the same direction, or more than half of its images in common`),
    ...(terms.length ? [] : score(pane, concept)), // the marks need the room
    h("span", { class: "nbt-share", title: t`share of all activation`, text: percent(concept.share) }),
  ];
  card.children[1].replaceChildren(...parts.filter((part) => part !== null));
}

/** @param {string} text @param {string} [title] */
const badge = (text, title) =>
  text ? h("span", { class: "nbt-badge", title: [text, title].filter(Boolean).join(": "), text }) : null;

/** @param {string} text @param {string[]} terms @returns {(HTMLElement | string)[]} */
const marks = (text, terms) =>
  cut(text, terms).flatMap((part, i) => (i % 2 ? [h("mark", { text: part })] : part ? [part] : []));

/** The first words; while one searches in words, those that match are among them. @param {string[]} words @param {string[]} terms @param {string | null} source */
function wordsOf(words, terms, source) {
  if (source !== "word") return words.slice(0, N_WORDS);
  const first = words.findIndex((word) => cut(word, terms).length > 1);
  return first > 1 ? [words[0], "…", ...words.slice(first)] : words;
}

/** The caption in which a term is, from a little before it. @param {Pane} pane @param {number} k @param {string[]} terms */
function captionOf({ meta, concepts }, k, terms) {
  const captions = concepts[k].exemplars.map((row) => meta.samples[row].caption);
  const caption = captions.find((text) => cut(text, terms).length > 1);
  if (!caption) return null;
  const before = [...cut(caption, terms)[0]].length - BEFORE;
  return ["“", ...marks(before > 0 ? `…${[...caption].slice(before).join("")}` : caption, terms), "”"];
}

/** @param {Pane} pane @param {import("./types.js").Concept} concept */
const twin = (pane, { twin: k }) => (k === null ? "" : pane.t`near-duplicate of ${pane.name(k)}`);

/** CLIPScore with its null and n, where the study has one. @param {Pane} pane @param {import("./types.js").Concept} concept */
export function score({ t }, { clip_score: clip, clip_null: random, exemplars }) {
  if (clip === null) return [];
  const of = [random === null ? "" : t`null ${format(random)}`, t`n ${exemplars.length}`].filter(Boolean).join(", ");
  const title = t`CLIPScore of the words with the exemplars; null: random words on the same exemplars; n: exemplars`;
  return [h("span", { class: "nbt-clip", title }, `CLIPScore ${format(clip)}`, h("span", { text: ` (${of})` }))];
}

/** @param {Pane} pane @param {number} k @param {keyof typeof MATCHES | null} source */
function spoken(pane, k, source) {
  const { t, meta } = pane;
  const concept = pane.concepts[k];
  const strongest = concept.exemplars[0];
  const parts = [
    t`Concept ${k}`,
    pane.name(k),
    pane.isPinned(k) ? t`pinned` : "",
    source ? translate(t, MATCHES[source]) : "",
    concept.words.slice(0, N_SPOKEN).join(", ") || t`no word passed the filter`,
    twin(pane, concept),
    concept.active === 0 ? t`not active in any image` : t`${percent(concept.share)} of all activation`,
    strongest === undefined ? "" : t`strongest image: ${meta.samples[strongest].caption}`,
  ];
  return parts.filter(Boolean).join("; ");
}

/** Histogram of the activations, with its axis and the share of images in words. @param {Pane} pane @param {import("./types.js").Concept} concept */
function distribution({ t }, concept) {
  const title = t`histogram of the activations of the ${percent(concept.active)} of images with this concept, from 0 to the layer's largest; heights by square root`;
  const bars = barHeights(concept.histogram).map((v) => h("i", { style: { height: `${Math.round(v * 100)}%` } }));
  const top = concept.top === undefined ? "" : compact(concept.top);
  const end = concept.signed ? `|${top}|` : top;
  return h(
    "div",
    { class: "nbt-distribution", title },
    h("span", { class: "nbt-histogram" }, ...bars),
    h("span", { class: "nbt-axis" }, h("span", { text: "0" }), h("span", { text: end })),
    h("span", { text: t`in ${percent(concept.active)} of images` }),
  );
}
