// @ts-check
/** Ranked parts of the prediction. */

import { h } from "../dom.js";
import { Pane } from "./pane.js";

export class Ledger extends Pane {
  /** @param {import("./types.js").InspectorContext} ctx */
  constructor(ctx) {
    super(ctx);
    this.el = h("div", { class: "nbt-ledger" });
  }
}
