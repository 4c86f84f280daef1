// @ts-check
/** Guided steps: the instruction and the progress. A kernel checks what is reached; in a page without one, this does. */

import { h, onChange } from "./dom.js";
import { Pane } from "./pane.js";
import { visible } from "./words.js";

/**
 * Whether every trait has the value of the check, or one of its list of values.
 * @param {Record<string, any>} check @param {(name: string) => any} get
 */
export const holds = (check, get) =>
  Object.keys(check).length > 0 &&
  Object.entries(check).every(([name, target]) =>
    Array.isArray(target) && !Array.isArray(get(name))
      ? target.includes(get(name))
      : JSON.stringify(get(name)) === JSON.stringify(target),
  );

export class Guide extends Pane {
  /** @param {import("./types.js").Context} ctx */
  constructor(ctx) {
    super(ctx);
    const { t } = this;
    this.steps = this.get("steps");
    this.where = h("strong");
    this.text = h("span", { role: "status" });
    this.next = this.button("", () => this.go(this.get("step") + 1));
    this.again = this.button(t`Start again`, () => this.go(0));
    this.bar = h("progress", { max: this.steps.length, "aria-label": t`steps done` });
    const parts = [this.where, this.text, this.next, this.again, this.bar];
    this.el = h("section", { class: "nbt-guide", "aria-label": t`Lesson` }, ...parts);
    const now = { model: this.model, signal: ctx.signal }; // without waiting for the layer
    onChange(now, ["step"], () => this.paint());
    if (this.source.alone) onChange(now, this.traits, () => this.check());
    this.paint();
  }

  /** Traits that any step checks. */
  get traits() {
    return [...new Set(this.steps.flatMap((/** @type {any} */ step) => Object.keys(step.check)))];
  }

  check() {
    const step = this.steps[this.get("step")];
    if (step && holds(step.check, (name) => this.get(name))) this.go(this.get("step") + 1);
  }

  paint() {
    const { t, steps } = this;
    const at = this.get("step");
    const step = steps[at];
    this.where.textContent = step ? t`Step ${at + 1} of ${steps.length}` : t`All ${steps.length} steps done`;
    this.text.textContent = step ? visible(step.say) : "";
    this.next.textContent = at === steps.length - 1 ? t`Done` : t`Next`;
    this.next.hidden = !step || Object.keys(step.check).length > 0;
    this.again.hidden = Boolean(step);
    this.bar.value = at;
  }

  /** @param {number} to */
  go(to) {
    this.commit({ step: to, ...(this.source.alone ? this.steps[to]?.set : {}) });
  }
}
