// @ts-check
/** What is done with the view as a whole: the line of Python that opens it again, full screen; and what it is about. */

import { flash, h } from "../dom.js";
import { popover } from "../popover.js";
import { pythonLiteral } from "../state.js";
import { Pane } from "./pane.js";

const LESSON = ["steps", "step"]; // no part of the line

export class Menu extends Pane {
  /** @param {import("./types.js").InspectorContext} ctx @param {string} about */
  constructor(ctx, about) {
    super(ctx);
    const { t, meta } = this;
    const label = t`Python that opens this view`;
    this.line = h("input", { class: "nbt-search nbt-code", readonly: true, hidden: true, "aria-label": label });
    this.copy = this.button(t`Copy as Python`, () => this.copyLine());
    this.full = this.button(t`Full screen`, () => this.toggleFull());
    const shape = t`${meta.n_layers} layers, ${meta.n_heads} heads, width ${meta.d_model}`;
    const menu = h(
      "div",
      { class: "nbt-menu" },
      h("p", { class: "nbt-note", text: [meta.model, shape, about].filter(Boolean).join(" · ") }),
      this.unit(),
      this.copy,
      this.line,
      document.fullscreenEnabled ? this.full : null,
    );
    this.el = popover(
      ctx,
      this.stepper(t`More`, "⋯", () => {}),
      menu,
    );
    this.on(Object.keys(meta.defaults), () => {
      if (!this.line.hidden) this.line.value = this.python();
    });
    document.addEventListener("fullscreenchange", () => this.syncFull(), { signal: ctx.signal });
  }

  unit() {
    const { t } = this;
    const select = this.choice("unit", t`Unit`, { log_prob: "log-probability", logit: "logit" });
    return h("label", { class: "nbt-menu-row" }, h("span", { text: t`Unit` }), select);
  }

  /** The line that opens the view as it is: every trait that is not at its default. */
  python() {
    const { defaults } = this.meta;
    const differs = (/** @type {string} */ name) => JSON.stringify(this.get(name)) !== JSON.stringify(defaults[name]);
    const names = Object.keys(defaults).filter((name) => !LESSON.includes(name) && differs(name));
    const options = names.map((name) => `${name}=${pythonLiteral(this.get(name))}`);
    return `nbt.inspect(${["target", ...options.filter((text) => !text.startsWith("target="))].join(", ")})`;
  }

  async copyLine() {
    const { t, line, copy } = this;
    line.value = this.python();
    line.hidden = false;
    line.select();
    try {
      await navigator.clipboard.writeText(line.value);
    } catch {
      return; // some hosts forbid it: the line is selected
    }
    flash(copy, t`Copied`);
    this.ctx.say(t`Copied`);
  }

  toggleFull() {
    const root = this.el.closest(".nbt-root");
    if (document.fullscreenElement) document.exitFullscreen();
    else root?.requestFullscreen?.().catch(() => this.ctx.say(`Error: ${this.t`full screen is not possible here`}`));
  }

  syncFull() {
    this.full.textContent = document.fullscreenElement ? this.t`Exit full screen` : this.t`Full screen`;
  }
}
