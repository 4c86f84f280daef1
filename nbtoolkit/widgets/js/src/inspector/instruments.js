// @ts-check
/** What is not computed yet, each with its cost before it is paid. */

import { h } from "../dom.js";
import { Offer } from "./offer.js";
import { Pane } from "./pane.js";

/**
 * The name of the map over the image, as faithfulness takes it; null where there is none.
 * @param {(trait: string) => any} get @returns {string | null}
 */
export function mapName(get) {
  const [metric, layer, head, concept] = ["metric", "layer", "head", "concept"].map(get);
  if (metric === "lens") return layer === null ? "lens" : `lens:${layer}`;
  if (metric === "head") return layer === null || head === null ? null : `head:${layer}.${head}`;
  if (metric === "concept") return layer === null || concept === null ? null : `concept:${layer}:${concept}`;
  return metric || null;
}

/**
 * What an instrument would be about now; null where that is not selected.
 * @param {string} of of the instrument @param {(trait: string) => any} get @returns {import("./types.js").Which | null}
 */
export function aboutNow(of, get) {
  const [layer, concept] = ["layer", "concept"].map(get);
  const map = of === "map" ? mapName(get) : null;
  if (of === "layer") return layer === null ? null : { of: String(layer) };
  if (of === "layer:concept") return concept === null || layer === null ? null : { of: `${layer}:${concept}` };
  if (of === "map") return map === null ? null : { of: map };
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
    this.on(["layer", "head", "concept", "metric", "target", "foil"], () => this.sync());
    this.sync();
  }

  sync() {
    for (const offer of this.offers) offer.sync();
    this.el.hidden = this.ctx.source.alone || !this.offers.some((offer) => offer.open); // a page computes nothing
  }
}
