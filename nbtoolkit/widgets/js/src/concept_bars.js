// @ts-check
/** The strongest concepts at a token as bars, with attribution where it is computed, and the unexplained share. */

import { effectsOf, sentences, sums, table, target } from "./attribution.js";
import { drawRows } from "./chart.js";
import { h, percent, refill, signed, named } from "./dom.js";
import { Pane } from "./pane.js";
import { saving } from "./saving.js";
import { strongest } from "./state.js";

const N_WORDS = 3; // beside the name
const N_SPOKEN = 4;

/** @typedef {{ concept: number, value: number }} Bar */

export class ConceptBars extends Pane {
  /** @param {import("./types.js").Context} ctx */
  constructor(ctx) {
    super(ctx);
    /** @type {Bar[]} */
    this.top = [];
    this.rest = 0;
    /** @type {import("./types.js").Attribution | null} */
    this.attribution = null;
    this.heading = h("h3", { class: "nbt-h" });
    this.list = h("ul", { class: "nbt-bars" });
    this.effectsTable = h("div", { class: "nbt-effects" });
    this.note = h("p", { class: "nbt-note" });
    this.drawing = h("div", { class: "nbt-drawing", "aria-hidden": "true" });
    const save = saving(this.t, () => this.chart(), "concepts");
    const head = h("div", { class: "nbt-bars-head" }, this.heading, save);
    this.el = h("div", { class: "nbt-sample-bars" }, head, this.list, this.effectsTable, this.note, this.drawing);
  }

  /** @param {string} token */
  head(token) {
    this.heading.textContent = this.t`Concepts at “${token}”, layer ${this.get("layer")}`;
  }

  /** @param {string} token */
  clear(token) {
    this.head(token);
    this.list.replaceChildren();
    this.effectsTable.replaceChildren();
    this.attribution = null;
    this.note.textContent = "";
    this.top = [];
    this.ctx.marks.set(new Map());
  }

  /**
   * @param {string} token @param {import("./types.js").Activations} activations @param {number} row of them
   * @param {import("./types.js").Attribution | null} attribution @param {string} trouble why there is none
   */
  paint(token, activations, row, attribution, trouble) {
    const { t } = this;
    this.el.hidden = false;
    this.head(token);
    this.top = strongest(activations, row);
    this.rest = activations.rest[row];
    this.attribution = attribution;
    const colours = new Map(this.top.map(({ concept }) => [concept, this.colour(concept)]));
    const items = this.top.map((bar) => h("li", {}, this.bar(bar, colours.get(bar.concept) ?? "")));
    refill(this.list, ...items, this.unexplained());
    const rows = this.top.map(({ concept }) => ({ concept, name: this.name(concept), colour: this.colour(concept) }));
    this.effectsTable.replaceChildren(...(attribution ? [table(t, attribution, rows, this.meta.token)] : []));
    this.note.textContent = this.explanation(attribution, trouble);
    this.note.title = this.top.length
      ? t`Bars: activation, relative to the largest here (${signed(this.max)}). Unexplained: share of the state that no concept explains.`
      : "";
    this.ctx.marks.set(colours);
  }

  /** Length of the longest bar. */
  get max() {
    return Math.max(...this.top.map(({ value }) => Math.abs(value)), 1e-30);
  }

  /** Whether some bar is below zero: they begin at a line in the middle then. */
  get signed() {
    return this.top.some(({ value }) => value < 0);
  }

  /** @param {Bar} bar @param {string} colour */
  bar({ concept, value }, colour) {
    const { t } = this;
    const [{ words }, name] = [this.concepts[concept], this.name(concept)];
    const others = words.filter((word) => word !== name).slice(0, N_WORDS);
    const size = (100 * Math.abs(value)) / this.max;
    const from = value < 0 ? 50 - size / 2 : 50; // from the zero line, to the left or to the right
    const place = this.signed ? { marginLeft: `${from}%`, width: `${size / 2}%` } : { width: `${size}%` };
    const track = h("i", { style: { ...place, background: colour } });
    return h(
      "button",
      {
        type: "button",
        class: "nbt-bar",
        "aria-pressed": String(concept === this.get("concept")),
        "data-concept": concept,
        onclick: () => this.commit({ token: null, concept }),
      },
      ...named(
        t`concept ${concept}, ${[this.label(concept), ...words.slice(0, N_SPOKEN)].filter(Boolean).join(", ")}: activation ${signed(value)}`,
        h("span", { class: "nbt-swatch", style: { background: colour } }),
        h("span", { class: "nbt-bar-words" }, h("strong", { text: name }), others.map((word) => ` · ${word}`).join("")),
        h("span", { class: `nbt-track${value < 0 ? " nbt-negative" : ""}${this.signed ? " nbt-both" : ""}` }, track),
        h("span", { class: "nbt-value", text: signed(value, 2, this.signed ? "+" : "") }),
      ),
    );
  }

  unexplained() {
    return h(
      "li",
      { class: "nbt-rest" },
      h("span", { class: "nbt-swatch" }),
      h("span", { class: "nbt-bar-words", text: this.t`unexplained` }),
      h("span", { class: "nbt-track" }, h("i", { style: { width: `${100 * Math.min(1, this.rest)}%` } })),
      h("span", { class: "nbt-value", text: percent(this.rest) }),
    );
  }

  /** @param {import("./types.js").Attribution | null} attribution @param {string} trouble */
  explanation(attribution, trouble) {
    const { t, meta } = this;
    const texts = [
      this.top.length ? t`Bars: activation. Unexplained: share of the state.` : t`No concept is active here.`,
    ];
    if (attribution) texts.push(...sentences(t, attribution, meta.token));
    return [...texts, trouble].filter(Boolean).join(" ");
  }

  /** Show which bar is the selected concept's. */
  sync() {
    for (const bar of this.buttons) {
      bar.setAttribute("aria-pressed", String(bar.dataset.concept === String(this.get("concept"))));
    }
  }

  /** @returns {HTMLElement[]} */
  get buttons() {
    return [...this.list.querySelectorAll(".nbt-bar")];
  }

  /** Highlight the bars of concepts. @param {number[]} concepts */
  highlight(concepts) {
    for (const bar of this.buttons) bar.classList.toggle("nbt-here", concepts.includes(Number(bar.dataset.concept)));
  }

  /** The bars as a chart of their own, for a file. */
  chart() {
    if (this.attribution) return this.drawn(this.effects(this.attribution), `. ${target(this.t, this.attribution)}`);
    const rows = this.top.map(({ concept, value }) => {
      return {
        text: this.words(concept),
        share: value / this.max,
        value: signed(value),
        colour: this.colour(concept),
      };
    });
    rows.push({ text: this.t`unexplained`, share: Math.min(1, this.rest), value: percent(this.rest), colour: "#888" });
    return this.drawn(rows);
  }

  /** @param {number} concept */
  words(concept) {
    const words = this.concepts[concept].words.filter((word) => word !== this.name(concept)).slice(0, N_WORDS);
    return [this.name(concept), ...words].join(" · ");
  }

  /** Effects by ablation as rows of a chart, the remainder among them. @param {import("./types.js").Attribution} attribution */
  effects(attribution) {
    const listed = this.top.map(({ concept }) => concept);
    const rows = [
      ...listed.map((k) => ({ text: this.words(k), effect: effectsOf(attribution, k)[0], colour: this.colour(k) })),
      ...sums(this.t, attribution, listed).map(({ text, effects }) => ({ text, effect: effects[0], colour: "#888" })),
    ];
    const max = Math.max(...rows.map(({ effect }) => Math.abs(effect)), 1e-30);
    return rows.map((r) => ({ ...r, share: r.effect / max, value: signed(r.effect) }));
  }

  /** @param {{ text: string, share: number, value: string, colour: string }[]} rows @param {string} [after] of the heading */
  drawn(rows, after = "") {
    const what = after || ` · ${this.t`activation`}`;
    const svg = drawRows(`${this.heading.textContent}${what} · ${this.meta.model}`, rows);
    this.drawing.replaceChildren(svg); // in the page, hidden: only there it has its styles
    return svg;
  }
}
