// @ts-check
/** The card of one concept: number, name, words, histogram and share, over a strip of images. */

import { dotted, h, percent } from "./dom.js";
import { barHeights } from "./state.js";
import { tile } from "./tile.js";

const N_WORDS = 8;
const N_SPOKEN = 6;

/**
 * @param {import("./pane.js").Pane} pane @param {number} k @param {number[]} rows of the images
 * @param {{ onclick(row: number | null): void, ondblclick(): void }} events a click on an image has its row
 * @returns {HTMLElement}
 */
export function conceptCard(pane, k, rows, { onclick, ondblclick }) {
  const rowOf = (/** @type {Event} */ event) => /** @type {HTMLElement} */ (event.target).dataset?.row;
  return h(
    "div",
    {
      role: "option",
      class: "nbt-card",
      "aria-label": spoken(pane, k),
      "data-concept": k,
      "data-rows": rows.join(","),
      onclick: (/** @type {Event} */ event) => {
        const row = rowOf(event);
        onclick(row === undefined ? null : Number(row));
      },
      ondblclick: (/** @type {Event} */ event) => rowOf(event) !== undefined && ondblclick(),
    },
    head(pane, k),
    strip(pane, k, rows),
  );
}

/** @param {import("./pane.js").Pane} pane @param {number} k */
function spoken(pane, k) {
  const { t, meta } = pane;
  const concept = pane.concepts[k];
  const strongest = concept.exemplars[0];
  const parts = [
    t`Concept ${k}`,
    pane.label(k),
    pane.isPinned(k) ? t`pinned` : "",
    concept.words.slice(0, N_SPOKEN).join(", ") || t`no word passed the filter`,
    concept.active === 0 ? t`not active in any image` : t`${percent(concept.share)} of all activation`,
    strongest === undefined ? "" : t`strongest image: ${meta.samples[strongest].caption}`,
  ];
  return parts.filter(Boolean).join("; ");
}

/** @param {import("./pane.js").Pane} pane @param {number} k */
function head(pane, k) {
  const { t } = pane;
  const concept = pane.concepts[k];
  const name = h("strong", { class: pane.label(k) ? "nbt-given" : "nbt-name", dir: "auto", text: pane.name(k) });
  const words = dotted(concept.words.slice(0, N_WORDS), () => false);
  const badge = (/** @type {string} */ text, /** @type {string | null} */ title) =>
    h("span", { class: "nbt-badge", title, text });
  const duplicate = t`nearly the same direction, or more than half of its images in common`;
  return h(
    "div",
    { class: "nbt-card-head" },
    h("span", { class: "nbt-number", text: pane.isPinned(k) ? `★ ${k}` : k }),
    name,
    h("span", { class: "nbt-words" }, ...(words.length ? words : [t`(no word)`])),
    concept.active === 0 ? badge(t`inactive`, null) : null,
    concept.twin === null ? null : badge(t`near-duplicate of ${pane.name(concept.twin)}`, duplicate),
    histogram(pane, concept),
    h("span", { class: "nbt-share", title: t`share of all activation`, text: percent(concept.share) }),
  );
}

/** @param {import("./pane.js").Pane} pane @param {import("./types.js").Concept} concept */
function histogram({ t }, concept) {
  const title = t`histogram of the activations of the ${percent(concept.active)} of images with this concept, from 0 to the layer's largest; heights by square root`;
  const bars = barHeights(concept.histogram).map((v) => h("i", { style: { height: `${Math.round(v * 100)}%` } }));
  return h("span", { class: "nbt-histogram", title }, ...bars);
}

/** @param {import("./pane.js").Pane} pane @param {number} k @param {number[]} rows */
function strip(pane, k, rows) {
  const { signed, exemplars, values } = pane.concepts[k];
  const whole = pane.get("examples") !== "strongest"; // both ends of a range have to be visible
  const tiles = rows.map((row) => tile(pane, row, { value: values[exemplars.indexOf(row)], signed }));
  return h("div", { class: whole ? "nbt-strip nbt-whole-strip" : "nbt-strip" }, ...tiles);
}
