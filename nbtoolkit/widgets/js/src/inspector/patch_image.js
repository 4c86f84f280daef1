// @ts-check
/** The image with its patches: a map over it with its scale and how faithful it is; patches are selected by pointer and keyboard. */

import { h } from "../dom.js";
import { grey } from "../heatmap.js";
import { dim, isCropped, sentence, shade } from "../seen.js";
import { translate, visible } from "../words.js";
import { EDGE, onSize, outline, paintLines, paintMap, pixels, sized } from "./drawing.js";
import { METRICS, mapOf, needOf } from "./image_map.js";
import { later, together } from "./later.js";
import { MapHead } from "./map_head.js";
import { boxesOf, howMany, isTiled } from "./patches.js";
import { Pane } from "./pane.js";
import { describePatch } from "./readout.js";
import { PatchSelection } from "./patch_selection.js";
import { conceptLayer } from "./selection.js";

const TALL = 430; // pixels that an upright image has at most

export class PatchImage extends Pane {
  /** @param {import("./types.js").InspectorContext} ctx @param {string} [side] */
  constructor(ctx, side = "a") {
    super(ctx);
    this.side = side;
    this.data = this.store.side(side);
    this.geometry = this.data.geometry;
    this.boxes = this.geometry ? boxesOf(this.geometry) : [];
    this.size = { width: 0, height: 0 };
    /** @type {import("./image_map.js").ImageMap | null} */
    this.map = null;
    /** @type {HTMLElement} */
    this.frame = this.build();
    if (this.geometry) {
      dim(this.unseen, this.geometry.seen);
      this.picking = new PatchSelection(this);
    }
    this.head = new MapHead(ctx, this);
    /** @type {{ el: HTMLElement, sync(): void } | null} */
    this.multiples = null;
    const { t } = this;
    const why = this.geometry ? "" : this.data.no_grid || t`The patches of this image have no place in it.`;
    this.el = h(
      "div",
      { class: "nbt-patch-image", "data-side": side },
      this.head.el,
      this.frame,
      this.head.scale,
      h("p", { class: "nbt-note", text: visible(translate(t, why)), hidden: !why }),
      this.readout,
      this.spoken,
    );
    this.listen();
    later(ctx, ({ Multiples, savingMap }) => {
      const multiples = new Multiples(ctx, this);
      this.multiples = multiples;
      this.el.append(multiples.el);
      this.head.saved.replaceWith(savingMap(this));
    });
  }

  build() {
    const { t, data } = this;
    const aspect = data.aspect || 1;
    const canvas = (/** @type {string} */ name) =>
      h("canvas", { class: `nbt-patch-layer ${name}`, "aria-hidden": "true" });
    this.image = h("img", { src: data.image, alt: visible(data.label), draggable: "false" });
    this.grey = grey();
    this.unseen = shade();
    this.heat = canvas("nbt-patch-heat");
    this.lines = canvas("nbt-patch-lines");
    this.marks = canvas("nbt-patch-marks");
    const keys = t`Patches of the image: arrows move, space selects, with shift arrows select on, Escape selects none, p takes a patch for patching`;
    const frame = h(
      "div",
      {
        class: "nbt-patch-frame",
        tabindex: this.geometry ? "0" : null,
        role: this.geometry ? "application" : null,
        "aria-label": [keys, this.geometry && isTiled(this.geometry) ? t`t goes to another tile` : ""]
          .filter(Boolean)
          .join(", "),
        "data-at": "patches metric",
        style: { aspectRatio: String(aspect), width: `min(100%, ${Math.max(24, TALL * aspect)}px)` },
      },
      this.image,
      this.grey,
      this.heat,
      this.unseen,
      this.lines,
      this.marks,
    );
    this.readout = h("p", { class: "nbt-note nbt-patch-readout", "aria-hidden": "true" });
    this.spoken = h("span", { class: "nbt-spoken", "aria-live": "polite" });
    return frame;
  }

  listen() {
    const { ctx } = this;
    for (const stop of [this.store.on(() => this.sync()), this.hover.on(() => this.onHover())]) {
      ctx.signal.addEventListener("abort", stop);
    }
    this.on(["metric", "layer", "head", "concept", "target", "foil"], together(() => ctx.signal.aborted || this.sync())); // prettier-ignore
    this.on(["patches"], () => this.mark());
    onSize(this.frame, ctx.signal, (width, height) => {
      this.size = { width, height };
      paintLines(this.lines, width, height, this.boxes);
      this.paint();
      this.mark();
    });
    this.sync();
  }

  /** What is selected, as maps need it. @returns {import("./image_map.js").Selection} */
  get selected() {
    const [layer, head, concept] = ["layer", "head", "concept"].map((trait) => this.get(trait));
    return { layer, head, concept, studied: conceptLayer(this.meta, layer), n_layers: this.meta.n_layers };
  }

  seenSentence() {
    if (!this.geometry) return "";
    const { seen, sentence: own } = this.geometry;
    return isCropped(seen) ? sentence(this.t, seen) : visible(translate(this.t, own ?? ""));
  }

  /** The map of a metric, where it is computed. @param {string} metric @param {import("./image_map.js").Selection} selection */
  mapFor(metric, selection) {
    const need = needOf(metric, selection);
    if (!need || "reason" in need || !this.geometry) return null;
    const result = this.store.get(need.name, { side: this.side, of: need.of });
    return result ? mapOf(result, metric, selection, this.geometry.positions) : null;
  }

  /** Metric and selection that are shown: what is under the pointer in a grid is seen before it is selected. */
  get shown() {
    const [metric, selected, { layer, head }] = [this.get("metric"), this.selected, this.hover.get()];
    if (typeof layer !== "number") return { metric, selection: selected };
    if (typeof head === "number" && layer > 0) return { metric: "head", selection: { ...selected, layer, head } };
    return { metric, selection: metric === "lens" ? { ...selected, layer } : selected };
  }

  sync() {
    this.paint();
    this.head.sync();
    this.multiples?.sync();
    this.tell();
  }

  onHover() {
    const { metric, selection } = this.shown;
    const key = `${metric} ${selection.layer} ${selection.head}`;
    if (key !== this.painted) this.paint();
    this.mark();
    this.tell();
  }

  /** Paint the map. */
  paint() {
    const { metric, selection } = this.shown;
    const { width, height } = this.size;
    this.painted = `${metric} ${selection.layer} ${selection.head}`;
    this.map = this.mapFor(metric, selection);
    this.grey.hidden = !this.map;
    if (width) paintMap(this.heat, width, height, this.boxes, this.map);
    this.head.legend(metric, selection, this.map);
  }

  /** Outline the patches that are selected, under the pointer, and that with the focus. */
  mark() {
    const { width, height } = this.size;
    if (!width) return;
    const brush = sized(this.marks, width + 2 * EDGE, height + 2 * EDGE);
    brush.translate(EDGE, EDGE);
    const rects = (/** @type {(number | null | undefined)[]} */ patches) =>
      patches.flatMap((i) => {
        const box = typeof i === "number" ? this.boxes[i] : null;
        return box ? [pixels(box, width, height)] : [];
      });
    outline(brush, rects([this.hover.get().patch]), [["rgba(0, 0, 0, 0.7)", 2], ["#fff", 1.2]]); // prettier-ignore
    outline(brush, rects(this.get("patches") ?? []), [["#fff", 2.6], ["#0b1f33", 1.6]]); // prettier-ignore
    if (this.picking?.focused) outline(brush, rects([this.picking.at]), [["#fff", 3], ["#0b6bcb", 2]]); // prettier-ignore
    this.picking?.say();
  }

  /** Say what is under the pointer, else what is selected. */
  tell() {
    this.readout.textContent = this.geometry ? this.describe() : "";
  }

  /** @returns {string} */
  describe() {
    const { t } = this;
    const { patch } = this.hover.get();
    const patches = this.get("patches") ?? [];
    const one = typeof patch === "number" ? patch : patches.length === 1 ? patches[0] : null;
    if (one === null) return patches.length ? howMany(t, patches.length) : this.seenSentence();
    return this.describePatch(one);
  }

  /** @param {number} patch */
  describePatch(patch) {
    const lens = this.store.get("lens", { side: this.side });
    const { selection } = this.shown;
    return this.geometry ? describePatch(this.t, this.geometry, patch, { map: this.map, lens, selection }) : "";
  }

  /** What a metric is called. @param {string} metric @param {import("./image_map.js").Selection} selection */
  nameOf(metric, selection) {
    const { t } = this;
    if (metric === "head" && selection.layer && selection.head !== null) {
      return t`attention of L${selection.layer}.H${selection.head}`;
    }
    const concept = this.meta.study?.names[String(selection.studied)]?.[selection.concept ?? -1];
    if (metric === "concept" && concept) return t`concept “${visible(concept)}”`;
    return translate(t, METRICS[/** @type {keyof typeof METRICS} */ (metric)] ?? metric);
  }
}
