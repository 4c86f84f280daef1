// @ts-check
/** A list of pairs of concepts, the similarity between them; what the comparison of dictionaries and that of layers share. */

import { dotted, h, lazyImages, signed, named } from "./dom.js";
import { Pane } from "./pane.js";
import { tile } from "./tile.js";

const EAGER = 5; // pairs whose images are fetched at once

/** @typedef {{ words: string[], exemplars: number[] }} Half */
/** @typedef {{ i: number | null, j: number | null, similarity: number | null }} Pair a missing concept is null */

export class PairList extends Pane {
  /** @param {import("./types.js").Context} ctx */
  constructor(ctx) {
    super(ctx);
    /** @type {Pair[]} */
    this.pairs = [];
    this.images = lazyImages(ctx, EAGER);
    this.list = h("div", {
      role: "listbox",
      class: "nbt-list nbt-pairs",
      "aria-label": this.t`Concepts of both`,
      tabindex: -1,
      onkeydown: (/** @type {KeyboardEvent} */ event) => this.onKey(event),
    });
  }

  /** @param {HTMLElement[]} rows the card of every pair, and what is between them */
  fill(rows) {
    const within = this.list.contains(/** @type {Document} */ (this.list.getRootNode()).activeElement);
    this.list.replaceChildren(...rows);
    this.images(this.rows);
    this.mark();
    if (within) this.rows.find((row) => row.tabIndex === 0)?.focus();
  }

  /** The cards. @returns {HTMLElement[]} */
  get rows() {
    return [...this.list.querySelectorAll(".nbt-pair")];
  }

  /** Whether a pair is the selected one. @param {Pair} _pair @returns {boolean} */
  isSelected(_pair) {
    return false;
  }

  /** Select a pair. @param {Pair} _pair @param {Event} [_event] a click, or a key that is pressed on it */
  choose(_pair, _event) {}

  /**
   * @param {Pair} pair @param {string} spoken @param {[HTMLElement, HTMLElement]} halves @param {number | null} [level] of the null
   * @returns {HTMLElement}
   */
  card(pair, spoken, [left, right], level = null) {
    return h(
      "div",
      {
        role: "option",
        class: "nbt-card nbt-pair",
        onclick: (/** @type {Event} */ event) => this.choose(pair, event),
      },
      ...named(spoken, left, h("div", { class: "nbt-similar" }, ...similarityBar(pair.similarity, level)), right),
    );
  }

  /**
   * One side of a pair.
   * @param {Half | null} concept @param {number} k @param {string} name @param {boolean} given whether a reader gave the name
   * @param {Half | null} partner its words and images are marked
   */
  half(concept, k, name, given, partner) {
    const { t, meta } = this;
    if (!concept) return h("div", { class: "nbt-half nbt-nobody", text: t`no partner` });
    const id = (/** @type {number} */ r) => meta.samples[r].id;
    const [words, images] = [new Set(partner?.words), new Set(partner?.exemplars.map(id))];
    const image = (/** @type {number} */ r) => {
      const el = tile(this, r);
      el.classList.toggle("nbt-current", images.has(id(r)));
      return el;
    };
    const others = concept.words.filter((word) => word !== name);
    const dots = others.length ? dotted(others, (word) => words.has(word)) : concept.words.length ? [] : [t`(no word)`];
    const head = h(
      "div",
      { class: "nbt-card-head" },
      h("span", { class: "nbt-number", text: k }),
      h("strong", { class: given ? "nbt-given" : "nbt-name", text: name }),
      h("span", { class: "nbt-words" }, ...dots),
    );
    return h("div", { class: "nbt-half" }, head, h("div", { class: "nbt-strip" }, ...concept.exemplars.map(image)));
  }

  /** Show which pair is selected. */
  mark() {
    const at = this.place;
    this.rows.forEach((row, n) => {
      row.setAttribute("aria-selected", String(n === at));
      row.tabIndex = n === Math.max(0, at) ? 0 : -1;
    });
  }

  /** Place of the selected pair. */
  get place() {
    return this.pairs.findIndex((pair) => this.isSelected(pair));
  }

  /** @param {KeyboardEvent} event */
  onKey(event) {
    const { rows } = this;
    const [here, last] = [rows.indexOf(/** @type {HTMLElement} */ (event.target)), rows.length - 1];
    /** @type {Record<string, number>} */
    const jumps = { ArrowDown: here + 1, ArrowUp: here - 1, Home: 0, End: last, Enter: here, " ": here };
    if (!(event.key in jumps) || last < 0) return;
    const to = Math.min(last, Math.max(0, jumps[event.key]));
    this.choose(this.pairs[to], event.key === "Enter" || event.key === " " ? event : undefined);
    this.rows[to]?.focus();
    event.preventDefault();
  }
}

/** @param {number | null} similarity @param {number | null} level of the null @returns {HTMLElement[]} */
function similarityBar(similarity, level) {
  if (similarity === null) return [];
  const bar = h("i", { style: { width: `${100 * Math.abs(similarity)}%` } });
  const tick = level === null ? null : h("b", { class: "nbt-null", style: { left: `${100 * level}%` } });
  return [h("span", { class: "nbt-track" }, bar, tick), h("span", { class: "nbt-value", text: signed(similarity) })];
}
