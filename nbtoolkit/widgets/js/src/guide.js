// @ts-check
/** Guided steps: the instruction, the control that it is about, and what a wrong choice is answered with. A kernel checks what is reached; in a page without one, this does. */

import { h, onChange } from "./dom.js";
import { Pane } from "./pane.js";
import { stick } from "./stick.js";
import { visible } from "./words.js";

/** @typedef {{ say: string, set: Record<string, any>, check: Record<string, any>, at?: string, hint?: Record<string, string> }} Step */

/**
 * Whether a value is the one that is asked for, or one of them.
 * @param {any} target @param {any} value
 */
const matches = (target, value) =>
  Array.isArray(target) && !Array.isArray(value)
    ? target.includes(value)
    : JSON.stringify(value) === JSON.stringify(target);

/**
 * Whether every trait has the value of the check, or one of its list of values.
 * @param {Record<string, any>} check @param {(name: string) => any} get
 */
export const holds = (check, get) =>
  Object.keys(check).length > 0 && Object.entries(check).every(([name, target]) => matches(target, get(name)));

/**
 * Whether a value that was chosen is wrong: it is checked, not empty, not what is asked for, and not what the step itself set.
 * @param {Step | undefined} step @param {string} name of a trait @param {any} value
 */
export const isWrong = (step, name, value) =>
  Boolean(step && name in step.check) &&
  value !== null &&
  !(Array.isArray(value) && !value.length) &&
  !matches(step?.check[name], value) &&
  !(name in (step?.set ?? {}) && matches([step?.set[name]], value));

/**
 * What a step answers a wrong value with, or "".
 * @param {Step} step @param {any} value
 */
export const hintFor = ({ hint = {} }, value) =>
  hint[typeof value === "string" ? value : JSON.stringify(value)] ?? hint.else ?? "";

const PAUSE = 700; // milliseconds after which a selection that grew is answered

export class Guide extends Pane {
  /** @param {import("./types.js").Context} ctx */
  constructor(ctx) {
    super(ctx);
    const { t } = this;
    /** @type {Step[]} */
    this.steps = this.get("steps");
    this.where = h("strong");
    this.text = h("span", { role: "status" });
    this.answer = h("p", { class: "nbt-guide-answer", role: "status", hidden: true });
    this.waiting = 0;
    ctx.signal.addEventListener("abort", () => clearTimeout(this.waiting));
    this.next = this.button("", () => this.go(this.get("step") + 1));
    this.again = this.button(t`Start again`, () => this.go(0));
    this.bar = h("progress", { max: this.steps.length, "aria-label": t`steps done` });
    const parts = [this.where, this.text, this.next, this.again, this.bar, this.answer];
    this.el = h("section", { class: "nbt-guide", "aria-label": t`Lesson` }, ...parts);
    const now = { model: this.model, signal: ctx.signal }; // without waiting for the layer
    onChange(now, ["step"], () => this.paint());
    for (const name of this.traits) onChange(now, [name], () => this.check(name));
    this.on(["tab", "page", "layer"], () => this.point()); // the control may be there only now
    this.paint();
    stick(this.el, ctx.signal);
    setTimeout(() => this.point(true)); // once the panes are there
  }

  /** Traits that any step checks. */
  get traits() {
    return [...new Set(this.steps.flatMap((step) => Object.keys(step.check)))];
  }

  /** @returns {Step | undefined} the step that is to be done */
  get now() {
    return this.steps[this.get("step")];
  }

  /** @param {string} name of a trait that has changed */
  check(name) {
    const { now } = this;
    if (this.source.alone && now && holds(now.check, (trait) => this.get(trait))) this.go(this.get("step") + 1);
    else if (now && name in now.check) {
      clearTimeout(this.waiting);
      const answer = () => this.answerTo(now);
      if (Array.isArray(this.get(name)))
        this.waiting = setTimeout(answer, PAUSE); // a brush is under way: what moves below it would be missed
      else answer();
    }
  }

  /** Say of the first trait that is wrong that it is. @param {Step} step */
  answerTo(step) {
    if (step !== this.now) return;
    const name = Object.keys(step.check).find((trait) => isWrong(step, trait, this.get(trait)));
    this.reply(name ? `${this.chosen(name)} ${hintFor(step, this.get(name))}` : "");
  }

  /** What was chosen, as a sentence. @param {string} name of a trait */
  chosen(name) {
    const { t } = this;
    const value = this.get(name);
    if (name === "layer") return t`Layer ${value} is not the one.`;
    if (name === "concept" && this.meta.concepts) return t`Concept ${value}, ${this.name(value)}, is not the one.`;
    if (name === "head") return t`Head ${value} is not the one.`;
    if (Array.isArray(value)) return t`This selection is not it.`;
    if (name === "sample") return t`Image ${this.row + 1} is not the one.`;
    return t`“${typeof value === "string" ? value : JSON.stringify(value)}” is not it.`;
  }

  /** @param {string} text */
  reply(text) {
    this.answer.textContent = visible(text.trim());
    this.answer.hidden = !text;
  }

  paint() {
    const { t, steps, now } = this;
    const at = this.get("step");
    this.where.textContent = now ? t`Step ${at + 1} of ${steps.length}` : t`All ${steps.length} steps done`;
    this.text.textContent = now ? visible(now.say) : "";
    this.next.textContent = at === steps.length - 1 ? t`Done` : t`Next`;
    this.next.hidden = !now || Object.keys(now.check).length > 0;
    this.again.hidden = Boolean(now);
    this.bar.value = at;
    this.reply("");
    this.point(true);
  }

  /** Outline the control that the step is about. @param {boolean} [scroll] to it */
  point(scroll = false) {
    const root = this.el.closest(".nbt-root");
    root?.querySelector(".nbt-pointed")?.classList.remove("nbt-pointed");
    const [place, tab] = (this.now?.at ?? "").split(":");
    if (!root || !place) return;
    const selector = tab ? `.nbt-tab[data-tab="${CSS.escape(tab)}"]` : `[data-at~="${CSS.escape(place)}"]`;
    const places = /** @type {HTMLElement[]} */ ([...root.querySelectorAll(selector)]);
    const control = places.find((el) => el.getClientRects().length);
    control?.classList.add("nbt-pointed");
    if (scroll) control?.scrollIntoView({ block: "nearest", behavior: "instant" });
  }

  /** @param {number} to */
  go(to) {
    this.commit({ step: to, ...(this.source.alone ? this.steps[to]?.set : {}) });
  }
}
