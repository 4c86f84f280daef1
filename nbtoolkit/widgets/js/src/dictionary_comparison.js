// @ts-check
/** DictionaryComparison: matched concepts in two columns, then those without a partner. */

import { format, freshId, h, signed } from "./dom.js";
import { PairList } from "./pair_list.js";
import { conceptName } from "./state.js";
import { translate } from "./words.js";

/** @typedef {{ name: string, words: string[], exemplars: number[], label: string, absent?: boolean }} Concept */
/** @typedef {{ title: string, facts: [string, number, string] | null, model: string, concepts: Concept[] }} Side */
/** @typedef {{ mean: number, high: number, p: number | null, preserves: string }} Control */
/** @typedef {import("./pair_list.js").Pair} Pair */

export class DictionaryComparison extends PairList {
  /** @param {import("./types.js").Context} ctx */
  constructor(ctx) {
    super(ctx);
    /** @type {any} */
    this.content = this.meta;
    /** @type {Side} */
    this.a = this.content.sides[0];
    /** @type {Side} */
    this.b = this.content.sides[1];
    const label = this.t`Comparison of two dictionaries`;
    this.el = h("section", { class: "nbt-two", "aria-label": label }, this.head(), this.list);
    this.on(["threshold"], () => this.paint());
    this.on(["pair"], () => this.mark());
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
        h("h2", { class: "nbt-h", text: `${letter}  ${name(part)}` }),
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
      h("p", {}, t`Mean similarity of the pairs, matched one to one:` + " ", ...this.agreement()),
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
    this.fill(this.pairs.map((pair) => this.pairCard(pair)));
  }

  /** @param {Pair} pair */
  pairCard(pair) {
    const { i, j, similarity } = pair;
    const [left, right] = [i === null ? null : this.a.concepts[i], j === null ? null : this.b.concepts[j]];
    const half = (
      /** @type {Concept | null} */ one,
      /** @type {number | null} */ k,
      /** @type {Concept | null} */ other,
    ) =>
      this.half(one, k ?? 0, one?.label || conceptName(/** @type {any} */ (one), k ?? 0), Boolean(one?.label), other);
    return this.card(pair, this.spoken(i, j, similarity), [half(left, i, right), half(right, j, left)]);
  }

  /** @param {Pair} pair */
  isSelected({ i, j }) {
    const [a, b] = this.get("pair");
    return a === i && b === j;
  }

  /** @param {Pair} pair */
  choose({ i, j }) {
    this.commit({ pair: [i, j] });
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
}
