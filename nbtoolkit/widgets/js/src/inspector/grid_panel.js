// @ts-check
/** One grid with its choice of what it shows, its scale, a line about the cell under the pointer, and what it needs to be computed. */

import { h } from "../dom.js";
import { translate, visible } from "../words.js";
import { Grid } from "./grid.js";
import { Offer } from "./offer.js";
import { Pane } from "./pane.js";
import { scaleParts } from "./readout.js";
import { later } from "./later.js";

/** @typedef {import("./grid_sheets.js").Content} Content @typedef {import("./grid.js").Cell} Cell */

const TALL = { least: 7, most: 18, all: 170 }; // pixels: of a row, and of all of them

/** @abstract */
export class GridPanel extends Pane {
  /**
   * @param {import("./types.js").InspectorContext} ctx @param {string} side
   * @param {{ trait: string, label: string, options: Record<string, string>, names: string[] }} about names of instruments
   */
  constructor(ctx, side, { trait, label, options, names }) {
    super(ctx);
    this.side = side;
    this.trait = trait;
    /** @type {Content | null} */
    this.content = null;
    /** @type {Cell | null} under the pointer, or with the focus */
    this.pointed = null;
    /** @type {any[]} what the cells were made of */
    this.made = [];
    this.grid = new Grid(ctx, {
      label,
      describe: (cell) => (this.content ? this.describe(cell) : ""),
      pick: (cell) => this.content && this.pick(cell),
      over: (cell) => this.point(this.content ? cell : null),
      taken: (cell) => (this.content ? this.taken(cell) : null),
    });
    this.select = this.choice(trait, label, options);
    this.note = h("span", { class: "nbt-note nbt-grid-note" });
    this.saved = h("span", { class: "nbt-saved" });
    this.head = h("div", { class: "nbt-grid-head" }, this.select, this.note, this.saved);
    this.offers = names.map((name) => new Offer(ctx, name, () => this.which(name)));
    this.missing = h("p", { class: "nbt-note" });
    this.ends = h("span", { class: "nbt-scale" });
    this.scale = h("div", { class: "nbt-map-scale" }, this.ends);
    this.tip = h("p", { class: "nbt-note nbt-grid-tip", "aria-hidden": "true" });
    const offers = this.offers.map(({ el }) => el);
    this.el = h("section", { class: "nbt-grid-panel", "data-at": trait }, this.head, this.grid.el, this.scale, this.tip, ...offers, this.missing); // prettier-ignore
    for (const stop of [this.store.on(() => this.sync()), this.hover.on(() => this.mark())]) {
      ctx.signal.addEventListener("abort", stop);
    }
    later(ctx, ({ savingGrid }) => this.saved.replaceChildren(savingGrid(this)));
  }

  /** @returns {{ name: string, of: string } | { reason: string }} */
  get need() {
    throw new Error("abstract");
  }

  /** Whether the grid is of layers and heads, or positions. @param {Cell} _cell @returns {string} */
  describe(_cell) {
    return "";
  }

  /** @param {Cell} _cell */
  pick(_cell) {}

  /** @param {Cell} _cell @returns {import("./types.js").Hovered} */
  hovered(_cell) {
    return {};
  }

  /** @param {Cell} _cell @returns {import("./patch_selection.js").Taken | null} */
  taken(_cell) {
    return null;
  }

  /** What a grid shows: its content, and what it was made of. @param {import("./types.js").Result} _result @returns {[any[], () => Content]} */
  make(_result) {
    throw new Error("abstract");
  }

  /** @returns {import("./grid.js").Marks} */
  marks() {
    return { cell: null, hovered: null, row: -1, columns: [] };
  }

  /** @param {string} name */
  which(name) {
    const { need } = this;
    return "reason" in need || need.name !== name ? null : { side: this.side, of: need.of };
  }

  /** What the choice is about. */
  get about() {
    return "";
  }

  sync() {
    const { need, t } = this;
    this.note.textContent = this.about;
    this.note.hidden = !this.about;
    for (const offer of this.offers) offer.sync();
    const reason = "reason" in need ? need.reason : "";
    this.missing.textContent = translate(t, reason);
    this.missing.hidden = !reason;
    const result = "reason" in need ? undefined : this.store.get(need.name, { side: this.side, of: need.of });
    for (const el of [this.grid.el, this.scale, this.tip, this.saved]) el.hidden = !result;
    if (result) this.fill(result);
    else [this.content, this.made] = [null, []];
    this.mark();
  }

  /** Preview a cell. @param {Cell | null} cell */
  point(cell) {
    const { pointed } = this;
    if (pointed?.row === cell?.row && pointed?.column === cell?.column) return;
    this.pointed = cell;
    this.hover.set(cell && this.hovered(cell));
    this.mark();
  }

  /** Draw the cells anew, where they are others. @param {import("./types.js").Result} result */
  fill(result) {
    const [from, make] = this.make(result);
    if (this.content && from.length === this.made.length && from.every((part, i) => part === this.made[i])) return;
    this.made = from;
    const content = make();
    this.content = content;
    this.pointed = null;
    const { scale, unit, rows } = content;
    const { least, most, all } = TALL;
    const height = Math.round(Math.max(least, Math.min(most, all / rows.length)));
    this.grid.show({ ...content, height, least: 1, ...this.room() });
    const { t } = this;
    const why = visible(translate(t, result.null || "no more than the null"));
    const faint = content.faint && h("span", { text: t`faint: ${why.split(":")[0]}`, title: why });
    this.ends.replaceChildren(...scaleParts(t, scale, unit), faint ?? "");
  }

  /** Height and least width of cells, where they are others than usual. @returns {{ height?: number, least?: number }} */
  room() {
    return {};
  }

  mark() {
    const { content } = this;
    if (!content) return;
    const marks = this.marks();
    marks.hovered = this.pointed ?? marks.hovered;
    this.grid.mark(marks);
    const at = marks.hovered ?? marks.cell ?? marks.about;
    this.tip.textContent = at ? this.describe(at) : "";
  }

  /** Row of a layer, −1 for none. @param {number | null | undefined} layer */
  rowOf(layer) {
    return typeof layer === "number" ? (this.content?.layers.indexOf(layer) ?? -1) : -1;
  }
}
