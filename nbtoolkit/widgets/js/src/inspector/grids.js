// @ts-check
/** Grids of layers, heads and positions. */

import { h } from "../dom.js";
import { Pane } from "./pane.js";

export class Grids extends Pane {
  /** @param {import("./types.js").InspectorContext} ctx */
  constructor(ctx) {
    super(ctx);
    this.el = h("div", { class: "nbt-grids" });
  }
}
