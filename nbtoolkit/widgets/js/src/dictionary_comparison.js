// @ts-check
/** DictionaryComparison: matched concepts in two columns, then those without a partner. */

import { dotted, format, freshId, h, lazyImages, signed } from "./dom.js";
import { Pane } from "./pane.js";
import { conceptName } from "./state.js";
import { tile } from "./tile.js";
import { translate } from "./words.js";

const EAGER = 5; // pairs whose images are fetched at once

/** @typedef {{ name: string, words: string[], exemplars: number[], label: string, absent?: boolean }} Concept */
/** @typedef {{ title: string, facts: [string, number, string] | null, model: string, concepts: Concept[] }} Side */
/** @typedef {{ mean: number, high: number, p: number | null, preserves: string }} Control */
/** @typedef {{ i: number | null, j: number | null, similarity: number | null }} Pair */

export class DictionaryComparison extends Pane {
  /** @param {import("./types.js").Context} ctx */
  constructor(ctx) {
    super(ctx);
    /** @type {any} */
    this.content = this.meta;
    /** @type {Side} */
    this.a = this.content.sides[0];
    /** @type {Side} */
    this.b = this.content.sides[1];
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
    const label = this.t`Comparison of two dictionaries`;
    this.el = h("section", { class: "nbt-two", "aria-label": label }, this.head(), this.list);
    this.on(["threshold"], () => this.paint());
    this.on(["pair"], () => this.sync());
    this.paint();
  }

  head() {
    const { t, content } = this;
    const name = (/** @type {Side} */ { title, facts }) =>
      facts ? t`“${facts[0]}”, layer ${facts[1]}, ${facts[2]}` : title;
    const count = (/** @type {Concept[]} */ { length }, n = content.n_compared) =>
      length > n ? t`${length} concepts, of which the ${n} strongest are compared` : t`${length} concepts`;
    const side = (/** @type {string} */ letter, /** @type {Side} */ part) =>
      h(
        "div",
        {},
        h("h3", { class: "nbt-h", text: `${letter}  ${name(part)}` }),
        h("p", { class: "nbt-note", text: `${part.model} · ${count(part.concepts)}` }),
      );
    const measure =
      content.measure === "cosine"
        ? t`cosine of the two directions`
        : t`correlation of the activations over the images of both`;
    return h(
      "div",
      { class: "nbt-head nbt-compare-head" },
      side("A", this.a),
      side("B", this.b),
      h("p", { class: "nbt-agree" }, t`Mean similarity of the pairs, matched one to one:` + " ", ...this.agreement()),
      h("p", { class: "nbt-note" }, t`Similarity: ${measure}.` + " ", ...this.floor()),
      this.slider(),
    );
  }

  /** Raw and centred similarity, each with its null. @returns {(string | HTMLElement)[]} */
  agreement() {
    const { t, content } = this;
    const strong = (/** @type {number} */ value) => h("strong", { text: signed(value) });
    const null_ = (/** @type {Control} */ n) =>
      h("span", {
        title: t`preserves ${translate(t, n.preserves)}`,
        text: " " + t`(random mixtures ${signed(n.mean)}, 95 % below ${signed(n.high)}, p ${n.p ?? "–"})`,
      });
    const centred = [strong(content.centred), null_(content.centred_null)];
    return [strong(content.agreement), null_(content.null), "; " + t`less the mean concept:` + " ", ...centred];
  }

  /** Similarity with a dictionary that has learnt nothing. @returns {(string | HTMLElement)[]} */
  floor() {
    const { t, content } = this;
    if (!content.floor) return [];
    const text = t`Random rows of the states as concepts: ${signed(content.floor.mean)}.`;
    return [h("span", { title: t`preserves ${translate(t, content.floor.preserves)}`, text })];
  }

  slider() {
    const { t } = this;
    const id = freshId("threshold");
    this.value = h("strong");
    this.counts = h("p", { class: "nbt-note" });
    const oninput = () => this.commit({ threshold: Number(this.range.value) });
    this.range = h("input", { type: "range", id, class: "nbt-range", min: 0, max: 1, step: 0.05, oninput });
    const label = h("label", { for: id, class: "nbt-layer-label" }, t`shared from` + " ", this.value);
    return h("div", { class: "nbt-layer-row" }, label, this.range, this.counts);
  }

  /** Pairs from the threshold on, then concepts without such a partner. @returns {Pair[]} */
  sorted() {
    const shared = this.content.pairs
      .filter((/** @type {number[]} */ pair) => pair[2] >= this.get("threshold"))
      .map((/** @type {number[]} */ [i, j, similarity]) => ({ i, j, similarity }));
    const alone = (/** @type {Side} */ side, /** @type {"i" | "j"} */ name) => {
      const paired = new Set(shared.map((/** @type {Pair} */ pair) => pair[name]));
      const rows = side.concepts.map((_, k) => k).filter((k) => !paired.has(k) && !side.concepts[k].absent);
      return rows.map((k) => ({ i: null, j: null, similarity: null, [name]: k }));
    };
    return [...shared, ...alone(this.a, "i"), ...alone(this.b, "j")];
  }

  paint() {
    const { t } = this;
    const threshold = this.get("threshold");
    this.value.textContent = format(threshold);
    this.range.value = String(threshold);
    this.pairs = this.sorted();
    const count = (/** @type {(pair: Pair) => boolean} */ test) => this.pairs.filter(test).length;
    const [both, onlyA, onlyB] = [
      count((p) => p.i !== null && p.j !== null),
      count((p) => p.j === null),
      count((p) => p.i === null),
    ];
    this.counts.textContent = t`${both} shared, ${onlyA} only in A, ${onlyB} only in B`;
    const rows = this.pairs.map((pair) => this.card(pair));
    this.list.replaceChildren(...rows);
    this.images(rows);
    this.sync();
  }

  /** @param {Pair} pair */
  card({ i, j, similarity }) {
    const { a, b } = this;
    const [left, right] = [i === null ? null : a.concepts[i], j === null ? null : b.concepts[j]];
    return h(
      "div",
      {
        role: "option",
        class: "nbt-card nbt-pair",
        "aria-label": this.spoken(i, j, similarity),
        onclick: () => this.commit({ pair: [i, j] }),
      },
      this.half(left, i, right),
      h("div", { class: "nbt-similar" }, ...similarityBar(similarity)),
      this.half(right, j, left),
    );
  }

  /** @param {number | null} i @param {number | null} j @param {number | null} similarity */
  spoken(i, j, similarity) {
    const { t, content } = this;
    const name = (/** @type {Side} */ side, /** @type {number} */ k) =>
      `${k}, ${side.concepts[k].label || conceptName(side.concepts[k], k)}`;
    if (i === null) return t`only in ${"B"}: ${name(this.b, Number(j))}`;
    if (j === null || similarity === null) return t`only in ${"A"}: ${name(this.a, i)}`;
    return t`A ${name(this.a, i)}, with B ${name(this.b, j)}, similarity ${signed(similarity)}`;
  }

  /** One side of a pair. @param {Concept | null} concept @param {number | null} k @param {Concept | null} partner its words and images are marked */
  half(concept, k, partner) {
    const { t } = this;
    if (!concept) return h("div", { class: "nbt-half nbt-nobody", text: t`no partner` });
    const { samples } = this.content;
    const [words, images] = [new Set(partner?.words), new Set(partner?.exemplars.map((r) => samples[r].id))];
    const image = (/** @type {number} */ r) => {
      const el = tile(this, r);
      el.classList.toggle("nbt-current", images.has(samples[r].id));
      return el;
    };
    const dots = concept.words.length ? dotted(concept.words, (word) => words.has(word)) : [t`(no word)`];
    const head = h(
      "div",
      { class: "nbt-card-head" },
      h("span", { class: "nbt-number", text: k }),
      h("strong", {
        class: concept.label ? "nbt-given" : "nbt-name",
        text: concept.label || conceptName(concept, k ?? 0),
      }),
      h("span", { class: "nbt-words" }, ...dots),
    );
    return h("div", { class: "nbt-half" }, head, h("div", { class: "nbt-strip" }, ...concept.exemplars.map(image)));
  }

  /** Place of the selected pair. */
  get place() {
    const [i, j] = this.get("pair");
    return this.pairs.findIndex((pair) => pair.i === i && pair.j === j);
  }

  sync() {
    const at = this.place;
    [...this.list.children].forEach((row, n) => {
      row.setAttribute("aria-selected", String(n === at));
      row.tabIndex = n === Math.max(0, at) ? 0 : -1;
    });
  }

  /** @param {KeyboardEvent} event */
  onKey(event) {
    const [here, last] = [this.place, this.pairs.length - 1];
    /** @type {Record<string, number>} */
    const jumps = { ArrowDown: here + 1, ArrowUp: here - 1, Home: 0, End: last };
    if (!(event.key in jumps)) return;
    const to = Math.min(last, Math.max(0, jumps[event.key]));
    this.commit({ pair: [this.pairs[to].i, this.pairs[to].j] });
    this.list.children[to].focus();
    event.preventDefault();
  }
}

/** @param {number | null} similarity @returns {HTMLElement[]} */
function similarityBar(similarity) {
  if (similarity === null) return [];
  const bar = h("i", { style: { width: `${100 * Math.max(0, similarity)}%` } });
  return [h("span", { class: "nbt-track" }, bar), h("span", { class: "nbt-value", text: signed(similarity) })];
}
