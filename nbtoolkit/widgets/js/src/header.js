// @ts-check
/** The header of the Explorer, one row: the word, the study, the layer, a score per layer, the tabs, and what is done with the view. */

import { h } from "./dom.js";
import { LayerSlider } from "./layer_slider.js";
import { Pane } from "./pane.js";
import { popover } from "./popover.js";
import { Sparkline } from "./sparkline.js";
import { ViewTools } from "./view_tools.js";

export class Header extends Pane {
  /** @param {import("./types.js").Context} ctx @param {HTMLElement} tabs @param {() => SVGSVGElement | null | undefined} drawing of the selected pane */
  constructor(ctx, tabs, drawing) {
    super(ctx);
    const { t, meta } = this;
    const about = t`${meta.model} · ${meta.n_samples} images · ${this.concepts.length} concepts by ${meta.method}`;
    const layers = new LayerSlider(ctx);
    const scores = popover(ctx, new Sparkline(ctx).el, layers.el);
    this.el = h(
      "div",
      { class: "nbt-header" },
      h("h2", { class: "nbt-token", title: `“${meta.token}” · ${about}`, text: `“${meta.token}”` }),
      h("p", { class: "nbt-sub", title: about, text: about }),
      layers.steps,
      scores,
      tabs,
      new ViewTools(ctx, drawing).el,
    );
  }
}
