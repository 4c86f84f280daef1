// @ts-check
/** Maps of the concepts over the images of their cards, with a legend; requests stop when the cards change. */

import { h, reason } from "./dom.js";
import { EXEMPLAR_OVERLAYS, gridOf, legend, paintTile } from "./heatmap.js";
import { Pane } from "./pane.js";
import { isCropped } from "./seen.js";
import { bare, showState } from "./tile.js";

export class ExemplarOverlay extends Pane {
  /** @param {import("./types.js").Context} ctx */
  constructor(ctx) {
    super(ctx);
    const { t } = this;
    this.requests = new AbortController();
    this.cropped = false;
    this.scale = h("p", { class: "nbt-scale" });
    this.counts = [0, 0]; // tiles that are done, and all of them
    this.progress = h("span", { class: "nbt-note" });
    const label = t`Overlay of the exemplars`;
    this.select = this.source.ask
      ? this.choice("exemplar_overlay", label, EXEMPLAR_OVERLAYS, (text) => t`overlay: ${text}`)
      : null;
    ctx.signal.addEventListener("abort", () => this.requests.abort());
  }

  /** Stop the requests for the cards so far. */
  cancel() {
    this.count(0, 0);
    this.requests.abort();
    this.requests = new AbortController();
  }

  paintLegend() {
    const mode = this.select ? this.get("exemplar_overlay") : "none";
    const { t } = this;
    const top = mode === "heat map" ? t`each image's largest |score|` : t`each image's largest score`;
    const parts = legend(t, mode, { top, bottom: "−" });
    if (this.cropped && parts.length) parts.push(h("i", { class: "nbt-scale-unseen" }), t`not seen by the model`);
    this.scale.replaceChildren(...(parts.length ? [...parts, this.progress] : []));
  }

  /** Show how many tiles are done, while some are not. @param {number} done @param {number} total */
  count(done, total) {
    this.counts = done < total ? [done, total] : [0, 0];
    this.progress.textContent = done < total ? this.t`${done} of ${total} images` : "";
  }

  /** @param {HTMLElement} tile of a card @param {import("./types.js").Thumb} thumb */
  async paint(tile, thumb) {
    const [mode, { signal }] = [this.get("exemplar_overlay"), this.requests];
    bare(tile, thumb);
    showState(this.t, tile, "");
    if (mode === "none" || !this.source.ask) return;
    const card = /** @type {HTMLElement} */ (tile.closest(".nbt-card"));
    const row = Number(tile.dataset.row);
    const concept = Number(card.dataset.concept);
    const many = this.concepts[concept].n === undefined ? "whole" : "part";
    const image = { row, sample: this.meta.samples[row].id, layer: this.get("layer"), concept, many };
    this.count(this.counts[0], this.counts[1] + 1);
    showState(this.t, tile, "loading");
    try {
      const maps = await this.source.ask("concept_maps", image, signal);
      if (signal.aborted) return; // it may be painted for another overlay by now
      const grid = gridOf(maps, concept);
      paintTile(tile, thumb, mode, grid, maps.seen);
      showState(this.t, tile, grid.high > 0 ? "somewhere" : "nowhere");
      if (this.cropped || !isCropped(maps.seen)) return;
      this.cropped = true;
      this.paintLegend();
    } catch (error) {
      if (signal.aborted) return;
      showState(this.t, tile, "");
      this.ctx.say(reason(this.t, error));
    } finally {
      if (!signal.aborted) this.count(this.counts[0] + 1, this.counts[1]);
    }
  }
}
