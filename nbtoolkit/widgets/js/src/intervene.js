// @ts-check
/** Intervene: what is changed in the live model. Its result, with the slider, is an element of its own beside the image. */

import { h } from "./dom.js";
import { EditResult } from "./edit_result.js";
import { LayerAblation } from "./layer_ablation.js";
import { LayerEffects } from "./layer_effects.js";
import { Pane } from "./pane.js";
import { Steering } from "./steering.js";
import { StudyEdits } from "./study_edits.js";

export class Intervene extends Pane {
  /** @param {import("./types.js").Context} ctx */
  constructor(ctx) {
    super(ctx);
    const effect = new EditResult(ctx);
    const steering = new Steering(ctx, (edits) => effect.ask(edits));
    const { list } = new StudyEdits(ctx);
    const onkeydown = (/** @type {KeyboardEvent} */ event) => list.onKey(event);
    const parts = [steering.el, effect.el, list.el];
    /** The slider, and what the interventions change. @type {HTMLElement} */
    this.result = h("section", { class: "nbt-intervention", "aria-label": this.t`Intervention`, onkeydown }, ...parts);
    this.el = this.source.job ? new LayerAblation(ctx).el : this.sweep();
    this.el.addEventListener("keydown", onkeydown);
  }

  /** Effects of the layers in a page without a kernel. @returns {HTMLElement} */
  sweep() {
    const heading = h("h3", { class: "nbt-h", text: this.t`Layer ablation` });
    return h("section", { class: "nbt-ablation" }, heading, new LayerEffects(this.ctx, () => {}).el);
  }
}
