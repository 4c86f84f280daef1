// @ts-check
/** The menu of the Inspector: what it is about, the unit, the line of Python, a picture, full screen. */

import { h } from "../dom.js";
import { pythonLiteral } from "../state.js";
import { ViewMenu } from "../view_menu.js";
import { Pane } from "./pane.js";

const LESSON = ["steps", "step"]; // no part of the line

export class Menu extends Pane {
  /** @param {import("./types.js").InspectorContext} ctx @param {string} about */
  constructor(ctx, about) {
    super(ctx);
    const { t, meta } = this;
    const shape = t`${meta.n_layers} layers, ${meta.n_heads} heads, width ${meta.d_model}`;
    const facts = h("p", { class: "nbt-note", text: [meta.model, shape, about].filter(Boolean).join(" · ") });
    this.el = new ViewMenu(ctx, {
      python: () => this.python(),
      traits: Object.keys(meta.defaults),
      picture: () => this.picture(),
      name: () => `${meta.token} in ${meta.model}`.replace(/[^\p{L}\p{N} ._-]/gu, "_"),
      head: [facts, this.unit()],
    }).el;
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
    return `nbt.inspect(${["target", ...names.map((name) => `${name}=${pythonLiteral(this.get(name))}`)].join(", ")})`;
  }

  async picture() {
    const { Picture } = await this.ctx.source.panes();
    return new Picture(this.ctx).draw();
  }
}
