// @ts-check
/** Two sides beside each other. */

import { h } from "../dom.js";
import { Pane } from "./pane.js";

export class Compare extends Pane {
  /** @param {import("./types.js").InspectorContext} ctx */
  constructor(ctx) {
    super(ctx);
    this.el = h("div", { class: "nbt-compare" });
  }
}
