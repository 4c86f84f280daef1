// @ts-check
/** ConceptRiver: the river of a study as a view of its own. */

import { h } from "./dom.js";
import { Pane } from "./pane.js";
import { River } from "./river.js";

export class ConceptRiver extends Pane {
  /** @param {import("./types.js").Context} ctx */
  constructor(ctx) {
    super(ctx);
    const { t, meta } = this;
    const about = t`${meta.model} · ${meta.n_samples} images · ${this.concepts.length} concepts by ${meta.method}`;
    const title = h("h2", { class: "nbt-token", text: `“${meta.token}”` });
    const head = h("div", { class: "nbt-river-title" }, title, h("p", { class: "nbt-sub", text: about }));
    this.el = h("section", { class: "nbt-river-view", "aria-label": t`Concept river` }, head, new River(ctx).el);
  }
}
