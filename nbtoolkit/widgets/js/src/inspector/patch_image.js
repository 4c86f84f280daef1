// @ts-check
/** The image with its patches and maps. */

import { h } from "../dom.js";
import { Pane } from "./pane.js";

export class PatchImage extends Pane {
  /** @param {import("./types.js").InspectorContext} ctx */
  constructor(ctx) {
    super(ctx);
    this.el = h("div", { class: "nbt-patch-image" });
  }
}
