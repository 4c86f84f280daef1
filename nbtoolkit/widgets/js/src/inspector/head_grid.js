// @ts-check
/** Layers × heads: attention to the image, contribution, knockout, writers of a concept. A click selects a layer and head. */

import { GridPanel } from "./grid_panel.js";
import { HEAD_GRIDS, headContent } from "./grid_sheets.js";
import { together } from "./later.js";
import { withUnit } from "./readout.js";
import { conceptLayer } from "./selection.js";

/** @typedef {import("./grid.js").Cell} Cell @typedef {import("./types.js").Result} Result */

/** @type {number[]} */
const NONE = [];

export class HeadGrid extends GridPanel {
  /** @param {import("./types.js").InspectorContext} ctx @param {string} [side] */
  constructor(ctx, side = "a") {
    const label = ctx.t`Grid of layers and heads: arrows move, Enter selects, p takes a cell for patching`;
    const names = ["attention", "contribution", "knockout", "writers"];
    super(ctx, side, { trait: "grid", label, options: HEAD_GRIDS, names });
    const sync = together(() => ctx.signal.aborted || this.sync());
    this.on(["grid", "patches", "concept", "target", "foil", "layer", "head"], sync);
    const preview = () => this.previews && this.patches.join() !== this.made[1] && this.sync();
    ctx.signal.addEventListener("abort", this.hover.on(preview));
    this.sync();
  }

  /** Whether what each head reads from the patch under the pointer is seen before it is selected. */
  get previews() {
    return this.get("grid") === "attention" && !this.get("patches")?.length;
  }

  get need() {
    const name = this.get("grid");
    if (name !== "writers") return { name, of: "" };
    const [studied, concept] = [conceptLayer(this.meta, this.get("layer")), this.get("concept")];
    if (studied === null)
      return { reason: "Concepts come from a study of this model: open the Inspector with study=…." };
    if (concept === null) return { reason: "Select a concept in the ledger to see which heads write it." };
    return { name, of: `${studied}:${concept}` };
  }

  /** Patches to which attention is summed. @returns {number[]} */
  get patches() {
    const { patch } = this.hover.get();
    if (this.previews) return typeof patch === "number" ? [patch] : NONE;
    return this.get("grid") === "attention" ? this.get("patches") : NONE;
  }

  get about() {
    const { t, patches } = this;
    if (!patches.length) return t`layers × heads`;
    return patches.length === 1 ? t`to one patch` : t`to ${patches.length} patches`;
  }

  /** @param {Result} result @returns {[any[], () => import("./grid_sheets.js").Content]} */
  make(result) {
    const { patches } = this;
    return [[result, patches.join()], () => headContent(result, patches)];
  }

  /** @param {Cell} cell */
  placeOf({ row, column }) {
    return { layer: this.content?.layers[row] ?? 0, head: this.content?.heads?.[column] ?? 0 };
  }

  /** @param {Cell} cell */
  hovered(cell) {
    return this.placeOf(cell);
  }

  /** @param {Cell} cell */
  describe(cell) {
    const { content, t } = this;
    if (!content) return "";
    const { layer, head } = this.placeOf(cell);
    const i = cell.row * content.n + cell.column;
    const within = content.faint?.[i] ? t`within the null` : "";
    return [`L${layer}.H${head}`, withUnit(t, content.values[i], content.unit), within].filter(Boolean).join(" · ");
  }

  /** Select a layer and head, and see what it reads where attention is shown; a second time, no head. @param {Cell} cell */
  pick(cell) {
    const { layer, head } = this.placeOf(cell);
    const is = this.get("layer") === layer && this.get("head") === head;
    const metric = this.get("metric");
    const shown = is ? (metric === "head" ? "attention" : metric) : metric === "attention" ? "head" : metric;
    this.commit({ layer, head: is ? null : head, metric: shown });
  }

  /** @param {Cell} cell */
  taken(cell) {
    const { layer, head } = this.placeOf(cell);
    return { side: this.side, layer, head, position: this.store.word(this.side)?.position };
  }

  marks() {
    const [layer, head, hover] = [this.get("layer"), this.get("head"), this.hover.get()];
    const cell = (/** @type {any} */ l, /** @type {any} */ k) => {
      const [row, column] = [this.rowOf(l), typeof k === "number" ? (this.content?.heads?.indexOf(k) ?? -1) : -1];
      return row >= 0 && column >= 0 ? { row, column } : null;
    };
    return { cell: cell(layer, head), hovered: cell(hover.layer, hover.head), row: this.rowOf(layer), columns: NONE };
  }
}
