// @ts-check
/** What every part of the Inspector has: its context with results, and controls of traits. */

import { Controls } from "../controls.js";

/** @extends {Controls<import("./types.js").InspectorContext>} */
export class Pane extends Controls {
  /** @param {import("./types.js").InspectorContext} ctx */
  constructor(ctx) {
    super(ctx);
    this.store = ctx.store;
    this.hover = ctx.hover;
  }
}
