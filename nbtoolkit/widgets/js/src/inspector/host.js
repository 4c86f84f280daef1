// @ts-check
/** The host of the Inspector: results and what is under the pointer are shared by its parts, which are built anew when the question changes. */

import { GONE } from "../channel.js";
import { Frame, place } from "../frame.js";
import { Hover } from "./hover.js";
import { Inspector } from "./inspector.js";
import { Store } from "./store.js";

/**
 * @param {import("../types.js").Model} model @param {HTMLElement} el @param {import("./types.js").InspectorSource} source
 * @returns {() => void} a function that cleans up
 */
export const show = (model, el, source) => place(el, new Host(model, source));

class Host extends Frame {
  /** @param {import("../types.js").Model} model @param {import("./types.js").InspectorSource} source */
  constructor(model, source) {
    super(model, source);
    this.source = source;
    /** @type {Store | null} */
    this.store = null;
    this.listen("msg:custom", (/** @type {any} */ message) => {
      if (message?.kind === "computed") this.store?.compute(message.name, { of: message.of ?? "" }); // from memory
    });
    this.start();
  }

  build() {
    const root = /** @type {Document} */ (this.root.getRootNode());
    const focus = this.root.contains(root.activeElement) && root.activeElement?.getAttribute("data-at");
    const signal = this.renew();
    if (!signal) return;
    const { model, source, t } = this;
    /** @type {import("./types.js").InspectorMeta} */
    const meta = model.get("_meta");
    const say = (/** @type {string} */ text) => this.say(text);
    this.store = new Store({ model, meta, source, signal, say });
    const live = Boolean(meta.live) && !source.alone;
    const ctx = { model, meta, source, signal, say, t, live, store: this.store, hover: new Hover() };
    this.fill(new Inspector(ctx).el);
    if (focus) /** @type {HTMLElement} */ (this.root.querySelector(`[data-at="${focus}"]`))?.focus();
  }

  lost() {
    super.lost();
    this.source?.fail(GONE); // and the store is told by its jobs
    this.store?.lost();
  }
}
