// @ts-check
/** Intervene: what is changed in the live model. Its result is an element of its own, which the Explorer shows beside the image. */

import { LayerAblation } from "./layer_ablation.js";
import { Pane } from "./pane.js";

export class Intervene extends Pane {
  /** @param {import("./types.js").Context} ctx */
  static available({ source }) {
    return Boolean(source.job);
  }

  /** @param {import("./types.js").Context} ctx */
  constructor(ctx) {
    super(ctx);
    this.layers = new LayerAblation(ctx);
    /** The element of what the interventions change. @type {HTMLElement} */
    this.result = this.layers.result;
    this.el = this.layers.el;
  }
}
