// @ts-check
/** Layers × heads of two sides, one less the other; a click selects layer and head. */

import { h, signed } from "../dom.js";
import { legend } from "../heatmap.js";
import { translate } from "../words.js";
import { Grid } from "./grid.js";
import { Offer } from "./offer.js";
import { Pane } from "./pane.js";
import { comparable, differenceGrid, GRIDS } from "./sides.js";

/** @typedef {import("./grid.js").Cell} Cell */

const [MOST, LEAST, TALL] = [22, 5, 150]; // pixels of a row, and of all
const TITLES = { attention: "Attention to the image", contribution: "Contribution", knockout: "Attention knockout" };

export class DifferenceGrid extends Pane {
  /** @param {import("./types.js").InspectorContext} ctx @param {string} side "b" or "edited" */
  constructor(ctx, side) {
    super(ctx);
    const { t } = this;
    this.side = side;
    /** @type {import("./sides.js").Difference | null} */
    this.content = null;
    /** @type {any[]} what the grid was made of */
    this.made = [];
    this.title = h("h4", { class: "nbt-h" });
    this.grid = new Grid(ctx, {
      label: t`Difference by layer and head: arrows move, Enter selects`,
      describe: (cell) => this.describe(cell),
      pick: (cell) => this.select(cell),
      over: (cell) => this.hover.set(cell && this.placeOf(cell)),
      taken: () => null,
    });
    this.scale = h("p", { class: "nbt-note nbt-scale" });
    this.tip = h("p", { class: "nbt-note" });
    this.offers = GRIDS.flatMap((name) =>
      ["a", side].map((one) => new Offer(ctx, name, () => (name === this.name ? { side: one } : null))),
    );
    const offers = this.offers.map(({ el }) => el);
    this.el = h("div", { class: "nbt-difference-part" }, this.title, this.grid.el, this.scale, this.tip, ...offers);
    const stops = [this.store.on(() => this.sync()), this.hover.on(() => this.mark())];
    for (const stop of stops) ctx.signal.addEventListener("abort", stop);
    this.on(["grid", "patches", "target", "foil", "edits"], () => this.sync());
    this.on(["layer", "head"], () => this.mark());
    this.sync();
  }

  /** The instrument that is compared. */
  get name() {
    return comparable(this.get("grid"), this.side);
  }

  sync() {
    const { t, name } = this;
    for (const offer of this.offers) offer.sync();
    const [a, b] = ["a", this.side].map((side) => this.store.get(name, { side }));
    const title = translate(t, TITLES[/** @type {"attention"} */ (name)]);
    this.title.textContent = this.side === "edited" ? t`${title}: after − before` : t`${title}: other − this`;
    for (const el of [this.grid.el, this.scale, this.tip]) el.hidden = !a || !b;
    if (!a || !b) {
      [this.content, this.made] = [null, []];
      return;
    }
    const made = [a, b, name === "attention" ? JSON.stringify(this.get("patches")) : ""];
    if (made.some((part, i) => part !== this.made[i])) this.show(differenceGrid(a, b, this.get("patches")));
    this.made = made;
    this.mark();
  }

  /** @param {import("./sides.js").Difference} content */
  show(content) {
    const { layers, heads, values, top } = content;
    this.content = content;
    this.grid.show({
      rows: layers.map(String),
      n: heads.length,
      names: heads.map((head, i) => ({ from: i, to: i + 1, text: String(head) })),
      values,
      faint: null,
      texts: null,
      scale: { low: -top, high: top, signed: true },
      height: Math.round(Math.max(LEAST, Math.min(MOST, TALL / layers.length))),
      least: 1,
    });
    const ends = { bottom: signed(-top, 2, "+"), top: signed(top, 2, "+") };
    this.scale.replaceChildren(...legend(this.t, "heat map", ends));
  }

  /** @param {Cell} cell */
  placeOf({ row, column }) {
    return { layer: this.content?.layers[row], head: this.content?.heads[column] };
  }

  /** The cell of a layer and head; null where neither side, or only one, has it. @param {any} layer @param {any} head @returns {Cell | null} */
  cellOf(layer, head) {
    const [row, column] = [this.content?.layers.indexOf(layer) ?? -1, this.content?.heads.indexOf(head) ?? -1];
    return row < 0 || column < 0 ? null : { row, column };
  }

  /** @param {Cell} cell */
  describe(cell) {
    const { layer, head } = this.placeOf(cell);
    const value = this.content?.values[cell.row * this.content.heads.length + cell.column] ?? NaN;
    return `L${layer}.H${head} · ${signed(value, 3, "+")}`;
  }

  /** @param {Cell} cell */
  select(cell) {
    const place = this.placeOf(cell);
    const same = this.get("layer") === place.layer && this.get("head") === place.head;
    this.commit(same ? { head: null } : place);
  }

  mark() {
    if (!this.content) return;
    const now = this.hover.get();
    const cell = this.cellOf(this.get("layer"), this.get("head"));
    const hovered = this.cellOf(now.layer, now.head);
    this.grid.mark({ cell, hovered, row: this.content.layers.indexOf(this.get("layer")), columns: [] });
    const at = hovered ?? cell;
    this.tip.textContent = at ? this.describe(at) : this.t`layers ↓ heads →`;
  }
}
