// @ts-check
/** One thread through the layers: per layer the concept's name, words, images, similarity with the layer before and its null. */

import { format, h, lazyImages, refill, signed } from "./dom.js";
import { Pane } from "./pane.js";
import { tile } from "./tile.js";

const N_IMAGES = 2;
const N_WORDS = 4;

export class ThreadStrip extends Pane {
  /** @param {import("./types.js").Context} ctx */
  constructor(ctx) {
    super(ctx);
    this.images = lazyImages(ctx, 1);
    this.heading = h("h3", { class: "nbt-h" });
    this.list = h("ol", { class: "nbt-life" });
    this.el = h("div", {}, this.heading, this.list);
  }

  /** @param {number | null} thread */
  show(thread) {
    const { t, meta } = this;
    /** @type {[number, number][]} */
    const members = (meta.layers ?? []).flatMap((/** @type {number} */ layer) => {
      const k = this.memberOf(thread, layer);
      return k === null || !meta.concepts[layer]?.[k] ? [] : [[layer, k]];
    });
    const first = members[0];
    const layer = this.get("layer");
    const lost = members.some(([at]) => at === layer) ? "" : ` · ${t`no counterpart at layer ${layer}`}`;
    this.heading.textContent = first
      ? t`“${this.nameOf(members)}” through the layers` + lost
      : t`Point at a strip to see its words and images in every layer.`;
    refill(this.list, ...members.map(([layer, k]) => this.stage(layer, k)));
    if (first && meta.pictured) this.images([this.list]);
  }

  /** Name of a thread: that of its concept in the selected layer, else in the last. @param {[number, number][]} members */
  nameOf(members) {
    const [layer, k] = members.find(([at]) => at === this.get("layer")) ?? members[members.length - 1];
    return this.name(k, layer);
  }

  /** @param {number} layer @param {number} k */
  stage(layer, k) {
    const { t, meta } = this;
    const concept = meta.concepts[layer][k];
    const [similarity, null_] = [meta.threads?.similarity[layer]?.[k] ?? null, meta.threads?.nulls[layer] ?? null];
    const link = similarity === null ? t`begins here` : t`${signed(similarity)} (null ${format(null_)})`;
    const begins = similarity === null && layer === meta.layers[0];
    const words = concept.words.slice(0, N_WORDS).join(" · ");
    return h(
      "li",
      { class: layer === this.get("layer") ? "nbt-here" : null, style: { borderTopColor: this.colour(k, layer) } },
      h("span", { class: "nbt-note", text: t`layer ${layer}` }),
      h("button", {
        type: "button",
        class: "nbt-stage",
        title: words,
        text: this.name(k, layer),
        onclick: () => this.commit({ layer, concept: k, token: null }),
      }),
      h("span", { class: "nbt-stage-images" }, ...concept.exemplars.slice(0, N_IMAGES).map((row) => tile(this, row))),
      h("span", {
        class: "nbt-note",
        title: t`similarity with the layer before, and its null`,
        text: begins ? t`first layer` : link,
      }),
    );
  }
}
