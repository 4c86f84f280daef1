// @ts-check
/** Steering of the response by a concept of the study, or by a word, at the selected layer. */

import { freshId, h, signed } from "../dom.js";
import { POSITIONS, steering, withStrength } from "../edits.js";
import { visible } from "../words.js";
import { Pane } from "./pane.js";

const [END, STEP] = [3, 0.25];

export class SteerPanel extends Pane {
  /** @param {import("./types.js").InspectorContext} ctx @param {(edits: any[]) => void} preview called while the slider moves */
  constructor(ctx, preview) {
    super(ctx);
    const { t } = this;
    this.preview = preview;
    this.byWord = false; // chosen, where there is a concept
    const id = freshId("steer");
    this.by = h("select", { class: "nbt-select", "aria-label": t`steer by`, onchange: () => this.choose() });
    this.word = h("input", {
      class: "nbt-search",
      placeholder: t`a word`,
      "aria-label": t`word to steer by`,
      maxlength: 80,
      onchange: () => this.sync(),
    });
    this.at = h(
      "select",
      { class: "nbt-select", "aria-label": t`positions that are steered`, onchange: () => this.release() },
      ...Object.entries({ all: t`at all positions`, image: t`at the image`, after: t`from the word on` }).map(
        ([value, text]) => h("option", { value, text }),
      ),
    );
    this.range = h("input", {
      type: "range",
      id,
      min: -END,
      max: END,
      step: STEP,
      "aria-label": t`strength`,
      oninput: () => this.move(),
      onchange: () => this.release(),
      ondblclick: () => this.set(0),
    });
    this.value = h("output", { class: "nbt-value", for: id });
    const ends = [-END, END].map((end) => h("span", { class: "nbt-edit-title", text: signed(end, 0, "+") }));
    this.el = h(
      "div",
      { class: "nbt-edit-panel" },
      h("div", { class: "nbt-edit-row" }, this.by, this.word, this.at),
      h("div", { class: "nbt-edit-row" }, ends[0], this.range, ends[1], this.value),
    );
    this.on(["edits", "concept", "layer"], () => this.sync());
    this.sync();
  }

  /** Name of the selected concept, where the selected layer has one. @returns {string | null} */
  get concept() {
    const [layer, concept] = [this.get("layer"), this.get("concept")];
    const names = this.meta.study?.names[String(layer)];
    return names && concept !== null ? (names[concept] ?? String(concept)) : null;
  }

  /** What is steered; null for nothing. */
  get aim() {
    const layer = this.get("layer");
    if (layer === null) return null;
    if (this.by.value === "concept") return { layer, concept: this.get("concept") };
    const word = this.word.value.trim();
    return word ? { layer, word } : null;
  }

  get next() {
    const { aim } = this;
    const edits = this.get("edits") ?? [];
    return aim ? withStrength(edits, aim, Number(this.range.value), this.at.value) : edits;
  }

  choose() {
    this.byWord = this.by.value === "word";
    this.sync();
    if (this.by.value === "word") this.word.focus();
  }

  move() {
    this.paint();
    this.preview(this.next);
  }

  release() {
    if (JSON.stringify(this.next) !== JSON.stringify(this.get("edits"))) this.commit({ edits: this.next });
  }

  /** @param {number} strength */
  set(strength) {
    this.range.value = String(strength);
    this.move();
    this.release();
  }

  sync() {
    const { t, concept } = this;
    const options = concept === null ? [] : [["concept", `“${visible(concept)}”`]];
    this.by.replaceChildren(...[...options, ["word", t`a word…`]].map(([value, text]) => h("option", { value, text })));
    this.by.value = options.length && !this.byWord ? "concept" : "word";
    this.word.hidden = this.by.value !== "word";
    const { aim } = this;
    const own = aim && steering(/** @type {any} */ (this.get("edits") ?? []), aim);
    if (own && own.positions in POSITIONS) this.at.value = own.positions;
    this.range.disabled = !aim;
    this.range.value = String(own?.strength ?? 0);
    this.paint();
  }

  paint() {
    const { t } = this;
    const strength = Number(this.range.value);
    const text = strength ? signed(strength, 2, "+") : "0";
    const unit = this.by.value === "word" ? t`${text} of its vector` : t`${text} of its typical coefficient`;
    this.value.textContent = text;
    this.range.setAttribute("aria-valuetext", unit);
    this.range.title = this.range.disabled ? t`type a word` : unit;
  }
}
