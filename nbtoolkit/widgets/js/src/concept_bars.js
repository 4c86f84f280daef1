// @ts-check
/** The strongest concepts at a token as bars, with attribution where it is computed, and the unexplained share. */

import { drawRows } from "./chart.js";
import { h, percent, signed } from "./dom.js";
import { Pane } from "./pane.js";
import { saving } from "./saving.js";
import { COLOURS, strongest } from "./state.js";

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
    this.heading = h("h3", { class: "nbt-h" });
    this.list = h("ul", { class: "nbt-bars" });
    this.note = h("p", { class: "nbt-note" });
    this.drawing = h("div", { class: "nbt-drawing", "aria-hidden": "true" });
    const save = saving(this.t, () => this.chart(), "concepts");
    const head = h("div", { class: "nbt-bars-head" }, this.heading, save);
    this.el = h("div", { class: "nbt-sample-bars" }, head, this.list, this.note, this.drawing);
  }

  /** @param {string} token */
  clear(token) {
    this.heading.textContent = this.t`Concepts at “${token}”, layer ${this.get("layer")}`;
    this.list.replaceChildren();
    this.note.textContent = "";
    this.top = [];
    this.ctx.marks.set(new Map());
  }

  /**
   * @param {string} token @param {import("./types.js").Activations} activations @param {number} row of them
   * @param {import("./types.js").Attribution | null} attribution @param {string} trouble why there is none
   */
  paint(token, activations, row, attribution, trouble) {
    this.clear(token);
    this.top = strongest(activations, row);
    this.rest = activations.rest[row];
    const colours = new Map(this.top.map(({ concept }, j) => [concept, COLOURS[j]]));
    const items = this.top.map((bar) => h("li", {}, this.bar(bar, colours.get(bar.concept) ?? "", attribution)));
    this.list.replaceChildren(...items, this.unexplained());
    this.note.textContent = this.explanation(attribution, trouble);
    this.ctx.marks.set(colours);
  }

  /** Length of the longest bar. */
  get max() {
    return Math.max(...this.top.map(({ value }) => Math.abs(value)), 1e-30);
  }

  /** @param {Bar} bar @param {string} colour @param {import("./types.js").Attribution | null} attribution */
  bar({ concept, value }, colour, attribution) {
    const { t } = this;
    const [{ words }, name] = [this.concepts[concept], this.name(concept)];
    const others = words.filter((word) => word !== name).slice(0, N_WORDS);
    const track = h("i", { style: { width: `${(100 * Math.abs(value)) / this.max}%`, background: colour } });
    const effect = attribution && {
      ablation: signed(-attribution.ablation[concept], 3),
      gradient: signed(-attribution.gradient[concept], 3),
    };
    return h(
      "button",
      {
        type: "button",
        class: "nbt-bar",
        "aria-pressed": String(concept === this.get("concept")),
        "data-concept": concept,
        "aria-label": t`concept ${concept}, ${[this.label(concept), ...words.slice(0, N_SPOKEN)].filter(Boolean).join(", ")}: activation ${signed(value)}`,
        onclick: () => this.commit({ token: null, concept }),
      },
      h("span", { class: "nbt-swatch", style: { background: colour } }),
      h("span", { class: "nbt-bar-words" }, h("strong", { text: name }), others.map((word) => ` · ${word}`).join("")),
      h("span", { class: value < 0 ? "nbt-track nbt-negative" : "nbt-track" }, track),
      h("span", { class: "nbt-value", text: signed(value) }),
      effect &&
        h("span", {
          class: "nbt-attribution",
          text: t`Δ log p ${effect.ablation} nats · first order ${effect.gradient}`,
        }),
    );
  }

  unexplained() {
    return h(
      "li",
      { class: "nbt-rest" },
      h("span", { class: "nbt-swatch nbt-none" }),
      h("span", { class: "nbt-bar-words", text: this.t`unexplained` }),
      h("span", { class: "nbt-track" }, h("i", { style: { width: `${100 * Math.min(1, this.rest)}%` } })),
      h("span", { class: "nbt-value", text: percent(this.rest) }),
    );
  }

  /** @param {import("./types.js").Attribution | null} attribution @param {string} trouble */
  explanation(attribution, trouble) {
    const { t, meta } = this;
    const texts = [
      this.top.length
        ? t`Bars: activation, relative to the largest here (${signed(this.max)}). Last row: share of the state that no concept explains.`
        : t`No concept is active here.`,
    ];
    if (attribution) {
      texts.push(
        t`Attribution: change of the log-probability of “${meta.token}” when the concept is ablated, and to first order (gradient × activation).`,
      );
      if (attribution.agreement !== null) texts.push(t`Rank correlation of the two: ${signed(attribution.agreement)}.`);
    }
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
    const rows = this.top.map(({ concept, value }, j) => {
      const words = this.concepts[concept].words.filter((word) => word !== this.name(concept)).slice(0, N_WORDS);
      const text = [this.name(concept), ...words].join(" · ");
      return { text, share: Math.abs(value) / this.max, value: signed(value), colour: COLOURS[j] };
    });
    rows.push({ text: this.t`unexplained`, share: Math.min(1, this.rest), value: percent(this.rest), colour: "#888" });
    const svg = drawRows(this.heading.textContent ?? "", rows);
    this.drawing.replaceChildren(svg); // in the page, hidden: only there it has its styles
    return svg;
  }
}
