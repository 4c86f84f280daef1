// @ts-check
/** Edits and what they change. */

import { h } from "../dom.js";
import { Pane } from "./pane.js";

export class EditBar extends Pane {
  /** @param {import("./types.js").InspectorContext} ctx */
  constructor(ctx) {
    super(ctx);
    this.el = h("div", { class: "nbt-edit-bar" });
  }
}
