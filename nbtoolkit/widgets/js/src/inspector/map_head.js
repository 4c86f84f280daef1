// @ts-check
/** Above and below the map: which one it is, how faithful it is, what it needs to be computed, and its scale. */

import { h } from "../dom.js";
import { isCropped } from "../seen.js";
import { translate } from "../words.js";
import { METRICS, needOf } from "./image_map.js";
import { Offer } from "./offer.js";
import { Pane } from "./pane.js";
import { ratio, scaleParts } from "./readout.js";

const INSTRUMENTS = ["lens", "attention", "occlusion", "gradients", "concept"];

export class MapHead extends Pane {
  /** @param {import("./types.js").InspectorContext} ctx @param {import("./patch_image.js").PatchImage} image */
  constructor(ctx, image) {
    super(ctx);
    const { t } = this;
    this.image = image;
    this.faith = h("p", { class: "nbt-note nbt-faith" });
    this.missing = h("p", { class: "nbt-note" });
    this.shown = h("span", { class: "nbt-map-shown nbt-note" });
    this.offers = INSTRUMENTS.map((name) => new Offer(ctx, name, () => this.which(name)));
    this.faithfulness = new Offer(ctx, "faithfulness", () => this.tested());
    this.ends = h("span", { class: "nbt-scale" });
    this.saved = h("span");
    this.scale = h("div", { class: "nbt-map-scale" }, this.ends, this.saved);
    this.warning = h("p", {
      class: "nbt-note",
      text: t`The lens under-reads image tokens: where it sees little, there may be more.`,
    });
    const select = this.choice("metric", t`Map over the image`, METRICS);
    this.el = h(
      "div",
      { class: "nbt-map-head" },
      h("div", { class: "nbt-map-row" }, select, this.shown),
      this.faith,
      ...this.offers.map(({ el }) => el),
      this.faithfulness.el,
      this.missing,
      this.warning,
    );
  }

  get need() {
    return needOf(this.get("metric"), this.image.selected);
  }

  /** Which result an instrument is needed for; null where it is another one's map. @param {string} name */
  which(name) {
    const { need } = this;
    return need && !("reason" in need) && need.name === name ? { side: this.image.side, of: need.of } : null;
  }

  /** The map of which faithfulness can be measured: one that is computed. */
  tested() {
    const { need } = this;
    if (!need || "reason" in need || !this.image.geometry) return null;
    const { side } = this.image;
    return this.store.get(need.name, { side, of: need.of }) ? { side, of: need.map } : null;
  }

  sync() {
    const { t, need } = this;
    for (const offer of [...this.offers, this.faithfulness]) offer.sync();
    const reason = need && "reason" in need ? need.reason : "";
    this.missing.textContent = translate(t, reason);
    this.missing.hidden = !reason;
    const which = this.tested();
    const facts = which && this.store.get("faithfulness", which)?.facts;
    this.faith.textContent = facts ? this.faithText(facts) : "";
    this.faith.hidden = !facts;
    this.faith.title = t`deletion: the word's share while patches go, the strongest of the map first (low is faithful); insertion: while they come (high is faithful)`;
  }

  /** @param {Record<string, any>} facts */
  faithText(facts) {
    const { t } = this;
    const number = (/** @type {any} */ v) => (typeof v === "number" ? ratio(v) : "—");
    const part = (/** @type {string} */ name, /** @type {string} */ text) => {
      const centre = facts[`centre_${name}`];
      const more = typeof centre === "number" ? t`, centre ${number(centre)}` : "";
      return t`${text} ${number(facts[name])} (random ${number(facts[`random_${name}`])}${more})`;
    };
    return `${part("deletion", t`deletion`)} · ${part("insertion", t`insertion`)}`;
  }

  /**
   * The scale of what is painted; while another map is seen before it is selected, its name.
   * @param {string} metric @param {import("./image_map.js").Selection} selection @param {import("./image_map.js").ImageMap | null} map
   */
  legend(metric, selection, map) {
    const { t, image } = this;
    const name = metric === "lens" || metric === "head" || metric === "concept" ? image.nameOf(metric, selection) : "";
    const layer = metric === "lens" ? t`layer ${selection.layer ?? selection.n_layers}` : name;
    this.shown.textContent = layer;
    this.warning.hidden = metric !== "lens";
    /** @type {(Node | string)[]} */
    const parts = [];
    if (map) parts.push(...scaleParts(t, map.scale, map.unit));
    if (image.geometry && isCropped(image.geometry.seen)) {
      parts.push(h("i", { class: "nbt-scale-unseen" }), t`not seen by the model`);
    }
    this.ends.replaceChildren(...parts);
    this.scale.hidden = !map;
  }
}
