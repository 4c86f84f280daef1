// @ts-check
/** A slider that steers the response by the selected concept, a word or a named direction. */

import { freshId, h, signed } from "./dom.js";
import { aim, POSITIONS, steering, withStrength } from "./edits.js";
import { Pane } from "./pane.js";

const [END, STEP] = [3, 0.25];
const STOP = 2; // of a page without a kernel, which has this and 0

export class Steering extends Pane {
  /** @param {import("./types.js").Context} ctx @param {(edits: import("./edits.js").Edit[]) => void} preview called while the slider moves */
  constructor(ctx, preview) {
    super(ctx);
    const { t } = this;
    this.preview = preview;
    const id = freshId("steer");
    this.word = h("input", {
      class: "nbt-search",
      placeholder: t`a word`,
      "aria-label": t`word to steer by`,
      onchange: () => this.commit({ steer_by: `word:${this.word.value.trim()}` }),
    });
    this.by = h("select", { class: "nbt-select", "aria-label": t`steer by`, onchange: () => this.choose() });
    this.range = h("input", {
      type: "range",
      id,
      oninput: () => this.move(),
      onchange: () => this.release(),
      ondblclick: () => this.set(0),
    });
    this.value = h("output", { class: "nbt-value", for: id });
    const at = this.choice("steer_at", t`positions that are steered`, POSITIONS);
    at.addEventListener("change", () => this.release());
    const label = h("label", { class: "nbt-h", for: id, text: t`Steer` });
    const where = this.source.job ? [this.word, at] : [];
    this.ends = [h("span"), h("span")];
    const track = h("span", { class: "nbt-steer-track" }, this.range);
    this.el = h(
      "div",
      { class: "nbt-steer" },
      h("div", { class: "nbt-steer-head" }, label, this.by, ...where),
      h("div", { class: "nbt-steer-slider" }, this.ends[0], track, this.ends[1], this.value),
    );
    this.on(["edits", "concept", "layer", "steer_by", "labels"], () => this.sync());
    this.sync();
  }

  get edits() {
    return this.get("edits") ?? [];
  }

  /** What the slider steers. */
  get aim() {
    return aim(this.get("steer_by") ?? "", this.get("layer"), this.get("concept"));
  }

  /** The edits with the strength of the slider. */
  get next() {
    const at = this.aim;
    return at ? withStrength(this.edits, at, Number(this.range.value), this.get("steer_at")) : this.edits;
  }

  choose() {
    this.commit({ steer_by: this.by.value });
    if (this.by.value === "word:") this.word.focus();
  }

  move() {
    this.paintValue();
    this.preview(this.next);
  }

  release() {
    if (JSON.stringify(this.next) !== JSON.stringify(this.edits)) this.commit({ edits: this.next });
  }

  /** @param {number} strength */
  set(strength) {
    this.range.value = String(strength);
    this.move();
    this.release();
  }

  sync() {
    const { t } = this;
    const [by, k, at] = [this.get("steer_by") ?? "", this.get("concept"), this.aim];
    const isWord = by.startsWith("word:");
    const options = [["", k === null ? t`select a concept` : `“${this.name(k)}”`]];
    if (this.source.job) {
      options.push(...(this.meta.live?.directions ?? []).map((name) => [`direction:${name}`, name]));
      options.push(["word:", t`a word…`]);
    }
    this.by.replaceChildren(...options.map(([value, text]) => h("option", { value, text })));
    this.by.value = isWord ? "word:" : by;
    this.word.hidden = !isWord;
    this.word.value = isWord ? by.slice(5) : "";
    const own = at && steering(this.edits, at);
    if (own && own.positions !== this.get("steer_at")) this.commit({ steer_at: own.positions });
    const end = this.source.job ? Math.max(END, Math.abs(own?.strength ?? 0)) : STOP;
    Object.assign(this.range, { min: -end, max: end, step: this.source.job ? STEP : STOP, disabled: !at });
    this.range.value = String(own?.strength ?? 0);
    this.ends[0].textContent = signed(-end, 0);
    this.ends[1].textContent = signed(end, 0, "+");
    this.paintValue();
  }

  paintValue() {
    const { t } = this;
    const strength = Number(this.range.value);
    const text = strength ? signed(strength, 2, "+") : "0";
    this.value.textContent = text;
    const unit = this.get("steer_by") ? t`${text} of its vector` : t`${text} of its typical coefficient`;
    this.range.setAttribute("aria-valuetext", unit);
    this.range.title = unit;
  }
}
