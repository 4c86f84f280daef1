// @ts-check
/** The image of a sample with the map of a concept, or of a token's concepts; patches can be pointed at. */

import { h, reason, signed } from "./dom.js";
import {
  describe,
  grey,
  gridOf,
  legend,
  overlayCanvas,
  OVERLAYS,
  paintGrid,
  scoreAt,
  weightedGrid,
} from "./heatmap.js";
import { Pane } from "./pane.js";
import { dim, sentence, shade } from "./seen.js";
import { translate } from "./words.js";

const N_NEAR = 3; // concepts that are listed for a patch

export class SampleOverlay extends Pane {
  /** @param {import("./types.js").Context} ctx @param {import("./sample_attribution.js").SampleAttribution} sample */
  constructor(ctx, sample) {
    super(ctx);
    this.sample = sample;
    this.turn = 0;
    /** @type {import("./types.js").Maps | null} */
    this.maps = null;
    this.image = h("img", { class: "nbt-picture", alt: "" });
    this.canvas = overlayCanvas();
    this.unseen = shade();
    this.grey = grey();
    this.frame = h(
      "div",
      { class: "nbt-frame", "data-at": "image sample" },
      this.image,
      this.grey,
      this.canvas,
      this.unseen,
    );
    this.scale = h("p", { class: "nbt-scale" });
    this.note = h("p", { class: "nbt-note nbt-where", hidden: true });
    this.select = this.choice(
      "overlay",
      this.t`Overlay of the selected concept`,
      OVERLAYS,
      (text) => (text === translate(this.t, "none") ? this.t`overlay: ${text}` : text), // the buttons beside need the room
    );
    this.on(["overlay"], () => this.paint());
    this.frame.addEventListener("pointermove", (/** @type {PointerEvent} */ event) => this.point(event));
    this.frame.addEventListener("pointerleave", () => this.leave());
  }

  /** @param {string | null} url @param {string} alt */
  show(url, alt) {
    this.frame.hidden = !url;
    if (url && this.image.src !== url) this.image.src = url;
    this.image.alt = alt;
  }

  clear() {
    this.turn++;
    this.maps = null;
    this.grey.hidden = this.canvas.hidden = this.note.hidden = this.unseen.hidden = true;
    this.frame.dataset.state = "";
    this.scale.replaceChildren();
  }

  async paint() {
    this.clear();
    const mine = this.turn;
    const [mode, k, layer, { row }] = [this.get("overlay"), this.get("concept"), this.get("layer"), this];
    if (!this.source.ask || (mode ?? "none") === "none" || k === null) return;
    this.frame.dataset.state = "loading";
    try {
      const maps = await this.source.ask("concept_maps", { row, sample: this.meta.samples[row].id, layer, concept: k });
      if (mine !== this.turn) return;
      this.maps = maps;
      this.frame.dataset.state = "";
      this.note.hidden = false;
      this.paintMap(mode, maps, k);
      dim(this.unseen, maps.seen);
      this.note.append(" ", sentence(this.t, maps.seen));
    } catch (error) {
      if (mine !== this.turn) return;
      this.frame.dataset.state = "";
      this.note.hidden = false;
      this.note.textContent = reason(this.t, error);
    }
  }

  /** @param {string} mode @param {import("./types.js").Maps} maps @param {number} k */
  paintMap(mode, maps, k) {
    const { t } = this;
    const { tokens } = this.sample.result ?? {};
    const at = this.get("token") ?? null;
    if (tokens && at !== null && at < tokens.pieces.length) {
      const grid = weightedGrid(maps, tokens.activations[at]);
      this.draw(mode, grid, t`largest`);
      this.note.textContent = t`Concepts at “${tokens.pieces[at].trim()}”, weighted by activation: ${describe(t, grid)}.`;
      return;
    }
    const grid = gridOf(maps, k);
    const { height, width, low, high } = grid;
    if (high > 0) this.draw(mode, grid);
    else this.frame.dataset.state = "nowhere";
    this.note.textContent =
      high > 0
        ? t`Concept ${k} on ${height} × ${width} patches, scores from ${signed(low, 1)} to ${signed(high, 1)}: ${describe(t, grid)}.`
        : t`Concept ${k} is nowhere in this image (largest score ${signed(high, 1)}).`;
  }

  /** Draw a map with its legend. @param {string} mode @param {import("./heatmap.js").Grid} grid @param {string} [top] the largest score */
  draw(mode, grid, top) {
    const limit = mode === "heat map" ? Math.max(grid.high, -grid.low) : grid.high;
    const ends = { top: top ?? signed(limit, 1), bottom: grid.low < 0 ? signed(-limit, 1) : undefined };
    this.canvas.hidden = false;
    this.grey.hidden = mode !== "heat map";
    paintGrid(this.canvas, mode, grid);
    this.scale.replaceChildren(...legend(this.t, mode, ends));
  }

  /** Show the concepts of largest score at a patch. @param {PointerEvent} event */
  point(event) {
    const { t, maps } = this;
    if (!maps) return;
    const { seen, frame } = maps;
    const [, height, width] = maps.shape;
    const box = this.frame.getBoundingClientRect();
    const [left, top] = [(event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height];
    if (left < seen[0] || left > seen[2] || top < seen[1] || top > seen[3]) {
      this.note.textContent = t`The model did not see this part of the image.`;
      this.sample.response.shade(null);
      this.sample.bars.highlight([]);
      return;
    }
    const within = (/** @type {number} */ at, /** @type {number} */ i, /** @type {number} */ count) =>
      Math.min(count - 1, Math.max(0, Math.floor((count * (at - frame[i])) / (frame[i + 2] - frame[i]))));
    const [x, y] = [within(left, 0, width), within(top, 1, height)];
    const scores = Array.from(this.concepts, (_, k) => scoreAt(maps, k, y * width + x));
    const order = [...scores.keys()].sort((a, b) => scores[b] - scores[a]);
    const near = order.filter((k) => scores[k] > 0).slice(0, N_NEAR);
    const text = near.map((k) => `${this.name(k)} ${signed(scores[k], 1)}`).join(" · ") || t`no concept`;
    this.note.textContent = t`Row ${y + 1}, column ${x + 1}: ${text}`;
    this.sample.response.shade(scores);
    this.sample.bars.highlight(near);
  }

  leave() {
    if (!this.maps) return;
    this.sample.response.shade(null);
    this.sample.bars.highlight([]);
    this.paint();
  }
}
