// @ts-check
/** Two grids: layers × heads, and layers × positions. A click selects; what is under the pointer is seen elsewhere before. */

import { h } from "../dom.js";
import { HeadGrid } from "./head_grid.js";
import { Pane } from "./pane.js";
import { PositionGrid } from "./position_grid.js";

export class Grids extends Pane {
  /** @param {import("./types.js").InspectorContext} ctx @param {string} [side] */
  constructor(ctx, side = "a") {
    super(ctx);
    this.el = h(
      "div",
      { class: "nbt-grids", "data-side": side },
      new HeadGrid(ctx, side).el,
      new PositionGrid(ctx, side).el,
    );
  }
}
