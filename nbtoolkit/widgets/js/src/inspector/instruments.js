// @ts-check
/** What is not computed yet, each with its cost before it is paid. */

import { h } from "../dom.js";
import { Offer } from "./offer.js";
import { Pane } from "./pane.js";

/**
 * What an instrument would be about now; null where that is not selected.
 * @param {string} of of the instrument @param {(trait: string) => any} get @returns {import("./types.js").Which | null}
 */
export function aboutNow(of, get) {
  const [layer, concept, metric] = ["layer", "concept", "metric"].map(get);
  if (of === "layer") return layer === null ? null : { of: String(layer) };
  if (of === "layer:concept") return concept === null || layer === null ? null : { of: `${layer}:${concept}` };
  if (of === "map") return metric && metric !== "head" ? { of: metric } : null;
  return {};
}

export class Instruments extends Pane {
  /** @param {import("./types.js").InspectorContext} ctx */
  constructor(ctx) {
    super(ctx);
    const { t } = this;
    const get = (/** @type {string} */ trait) => this.get(trait);
    this.offers = this.meta.instruments.map(({ name, of }) => new Offer(ctx, name, () => aboutNow(of, get)));
    this.list = h("div", { class: "nbt-offers" }, ...this.offers.map(({ el }) => el));
    this.el = h("div", { class: "nbt-instruments" }, h("h3", { class: "nbt-h", text: t`Not computed yet` }), this.list);
    ctx.signal.addEventListener(
      "abort",
      this.store.on(() => this.sync()),
    );
    this.on(["layer", "concept", "metric", "target", "foil"], () => this.sync());
    this.sync();
  }

  sync() {
    for (const offer of this.offers) offer.sync();
    this.el.hidden = !this.offers.some((offer) => offer.open);
  }
}
