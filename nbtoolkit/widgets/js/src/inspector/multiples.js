// @ts-check
/** The same image under the other measures that are computed, small; a click shows one large. */

import { h } from "../dom.js";
import { translate, visible } from "../words.js";
import { onSize, paintMap } from "./drawing.js";
import { METRICS, needOf } from "./image_map.js";
import { Pane } from "./pane.js";
import { ratio } from "./readout.js";

/** @type {Record<string, string>} */
const LABELS = { lens: "lens" };
const SIDE = 46; // pixels of the longer side

export class Multiples extends Pane {
  /** @param {import("./types.js").InspectorContext} ctx @param {import("./patch_image.js").PatchImage} image */
  constructor(ctx, image) {
    super(ctx);
    const { t } = this;
    this.image = image;
    const aspect = image.data.aspect || 1;
    this.width = Math.max(24, Math.round(SIDE * Math.min(1, aspect)));
    this.height = Math.max(24, Math.round(SIDE * Math.min(1, 1 / aspect)));
    /** @type {Map<string, { el: HTMLElement, canvas: HTMLCanvasElement, name: HTMLElement, auc: HTMLElement, painted: any }>} */
    this.tiles = new Map();
    this.row = h("div", { class: "nbt-multiples-row" });
    this.el = h(
      "section",
      { class: "nbt-multiples", "aria-label": t`Same image, other measures`, hidden: true },
      h("h3", { class: "nbt-h", text: t`Same image, other measures` }),
      this.row,
    );
    for (const metric of Object.keys(METRICS).filter(Boolean)) this.tiles.set(metric, this.tile(metric));
    this.row.append(...[...this.tiles.values()].map(({ el }) => el));
    onSize(this.row, ctx.signal, () => this.sync());
  }

  /** @param {string} metric */
  tile(metric) {
    const canvas = h("canvas", { class: "nbt-patch-layer", "aria-hidden": "true" });
    const [name, auc] = [h("span", { class: "nbt-multiple-name" }), h("span", { class: "nbt-multiple-auc" })];
    const picture = h(
      "span",
      { class: "nbt-multiple-image", style: { width: `${this.width}px`, height: `${this.height}px` } },
      h("img", { src: this.image.data.image, alt: "" }),
      h("i", { class: "nbt-grey" }),
      canvas,
    );
    const onclick = () => this.commit({ metric: this.get("metric") === metric ? "" : metric });
    const el = h("button", { type: "button", class: "nbt-multiple", onclick }, picture, name, auc);
    return { el, canvas, name, auc, painted: null };
  }

  /** What a map is called in little room. @param {string} metric @param {import("./image_map.js").Selection} selection */
  nameOf(metric, selection) {
    const name = this.meta.study?.names[String(selection.studied)]?.[selection.concept ?? -1];
    if (metric === "head") return `L${selection.layer}.H${selection.head}`;
    return metric === "concept" && name ? visible(name) : translate(this.t, LABELS[metric] ?? metric);
  }

  /** Paint those whose values are others by now. */
  sync() {
    const { image } = this;
    const selection = image.selected;
    const now = this.get("metric");
    let n = 0;
    for (const [metric, tile] of this.tiles) {
      const map = image.mapFor(metric, selection);
      tile.el.hidden = !map;
      if (!map) continue;
      n++;
      const need = /** @type {{ name: string, of: string, map: string }} */ (needOf(metric, selection));
      const result = this.store.get(need.name, { side: image.side, of: need.of });
      const painted = [result, metric === "lens" || metric === "head" ? `${selection.layer} ${selection.head}` : ""];
      if (painted.some((part, i) => part !== tile.painted?.[i])) {
        tile.painted = painted;
        paintMap(tile.canvas, this.width, this.height, image.boxes, map);
        tile.name.textContent = this.nameOf(metric, selection);
        tile.el.title = image.nameOf(metric, selection);
      }
      const insertion = this.store.get("faithfulness", { side: image.side, of: need.map })?.facts.insertion;
      tile.auc.textContent = typeof insertion === "number" ? ratio(insertion) : "";
      tile.auc.title = this.t`insertion`;
      tile.el.setAttribute("aria-pressed", String(metric === now));
    }
    this.el.hidden = n < 2;
  }
}
