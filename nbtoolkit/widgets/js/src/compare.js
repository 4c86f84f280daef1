// @ts-check
/** Compare: the selected layer beside another one; pairs of concepts above the null, then those without a partner. */

import { format, h, reason, signed } from "./dom.js";
import { PairList } from "./pair_list.js";

/** @typedef {import("./pair_list.js").Pair} Pair */
/** @typedef {{ partners: number[], similarity: (number | null)[], null: number | null, n: number }} Matches */

export class Compare extends PairList {
  /** @param {import("./types.js").Context} ctx */
  constructor(ctx) {
    super(ctx);
    const { t } = this;
    this.turn = 0;
    this.before = t`Layer` + " ";
    this.here = h("strong");
    this.select = h("select", {
      class: "nbt-select",
      "aria-label": t`Layer beside the selected one`,
      onchange: () => this.commit({ other_layer: Number(this.select.value) }),
    });
    this.note = h("p", { class: "nbt-note", role: "status" });
    this.head = h(
      "div",
      { class: "nbt-toolbar" },
      h("span", {}, this.before, this.here, " " + t`beside` + " "),
      this.select,
    );
    this.el = h(
      "section",
      { class: "nbt-compare", "aria-label": t`Comparison of two layers` },
      this.head,
      this.note,
      this.list,
    );
    this.on(["layer", "other_layer", "labels", "tab", "page"], () => this.paint());
    this.on(["concept"], () => this.mark());
    this.paint();
  }

  /** The other layer: the one that is chosen, else the next, else the one before. @returns {number | null} */
  get other() {
    const [layers, layer, chosen] = [this.meta.layers, this.get("layer"), this.get("other_layer")];
    const at = layers.indexOf(layer);
    return chosen !== null && chosen !== layer && layers.includes(chosen)
      ? chosen
      : (layers[at + 1] ?? layers[at - 1] ?? null);
  }

  async paint() {
    if (this.el.hidden) return; // it is painted when its tab is selected
    const { t, other } = this;
    const [mine, layer] = [++this.turn, this.get("layer")];
    const options = this.meta.layers
      .filter((l) => l !== layer)
      .map((l) => h("option", { value: l, text: t`layer ${l}` }));
    this.here.textContent = String(layer);
    this.select.replaceChildren(...options);
    this.head.hidden = other === null;
    if (other === null) {
      this.note.textContent = t`This study has one layer.`;
      return;
    }
    this.select.value = String(other);
    try {
      const matches = await this.source.matches(layer, other);
      this.ctx.every(() => mine === this.turn && this.show(matches, layer, other));
    } catch (error) {
      if (mine !== this.turn) return;
      this.fill([]);
      this.note.textContent = this.meta.threads?.reason ?? reason(t, error);
    }
  }

  /** @param {Matches} matches @param {number} layer @param {number} other */
  show(matches, layer, other) {
    const { t, meta } = this;
    const level = matches.null;
    const similarity = (/** @type {number} */ i) => matches.similarity[i] ?? 0;
    const linked = (/** @type {number} */ i) =>
      matches.partners[i] >= 0 && level !== null && Math.abs(similarity(i)) > level;
    const own = meta.concepts[layer].map((_, k) => k).sort((a, b) => similarity(b) - similarity(a));
    const both = own.filter(linked).map((i) => ({ i, j: matches.partners[i], similarity: similarity(i) }));
    const taken = new Set(both.map(({ j }) => j));
    const active = (/** @type {number} */ at) => (/** @type {number} */ k) => meta.concepts[at][k].active > 0;
    const left = own.filter((i) => !linked(i)).filter(active(layer));
    const right = meta.concepts[other]
      .map((_, k) => k)
      .filter((k) => !taken.has(k))
      .filter(active(other));
    /** @type {Pair[][]} */
    const groups = [
      both,
      left.map((i) => ({ i, j: null, similarity: null })),
      right.map((j) => ({ i: null, j, similarity: null })),
    ];
    this.pairs = groups.flat();
    const titles = [t`In both layers`, t`Only at layer ${layer}`, t`Only at layer ${other}`];
    this.fill(
      groups.flatMap((pairs, g) =>
        pairs.length
          ? [
              h("h3", { class: "nbt-h", role: "presentation", text: `${titles[g]} (${pairs.length})` }),
              ...pairs.map((pair) => this.pairCard(pair, layer, other, level)),
            ]
          : [],
      ),
    );
    this.note.textContent = t`Matched one to one by the correlation of activations over ${matches.n} samples; linked above the null, ${format(level)} (95 % quantile of matched random mixtures, per pair).`;
  }

  /** @param {Pair} pair @param {number} layer @param {number} other @param {number | null} level */
  pairCard(pair, layer, other, level) {
    const { t, meta } = this;
    const [i, j] = [pair.i, pair.j];
    const [left, right] = [i === null ? null : meta.concepts[layer][i], j === null ? null : meta.concepts[other][j]];
    const half = (
      /** @type {number} */ at,
      /** @type {number | null} */ k,
      /** @type {any} */ one,
      /** @type {any} */ partner,
    ) => {
      const el = this.half(
        one,
        k ?? 0,
        k === null ? "" : this.name(k, at),
        k !== null && Boolean(this.label(k, at)),
        partner,
      );
      el.dataset.layer = String(at);
      if (k !== null) el.style.borderLeft = `3px solid ${this.colour(k, at)}`;
      return el;
    };
    const name = (/** @type {number} */ at, /** @type {number | null} */ k) =>
      k === null ? t`no partner` : `${k}, ${this.name(k, at)}`;
    const spoken = t`layer ${layer}: ${name(layer, i)}; layer ${other}: ${name(other, j)}; similarity ${pair.similarity === null ? "–" : signed(pair.similarity)}`;
    return this.card(pair, spoken, [half(layer, i, left, right), half(other, j, right, left)], level);
  }

  /** @param {Pair} pair */
  isSelected({ i }) {
    return i !== null && i === this.get("concept");
  }

  /** Select the concept of the selected layer; that of the other one, where it is clicked, or alone and pressed, with its layer. @param {Pair} pair @param {Event} [event] */
  choose({ i, j }, event) {
    const [layer, { other }] = [this.get("layer"), this];
    const half = /** @type {HTMLElement | null} */ (
      /** @type {Element | undefined} */ (event?.target)?.closest(".nbt-half") ?? null
    );
    if (j !== null && event && (i === null || half?.dataset.layer === String(other)))
      this.commit({ layer: other, concept: j, other_layer: layer, token: null });
    else if (i !== null) this.commit({ concept: i, token: null });
  }
}
