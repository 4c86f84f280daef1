// @ts-check
/** Layers × heads of two sides, one less the other; a click selects layer and head. */

import { colourAt, gradient } from "../colour_scale.js";
import { h, signed } from "../dom.js";
import { translate } from "../words.js";
import { onSize, sized } from "./drawing.js";
import { Offer } from "./offer.js";
import { Pane } from "./pane.js";
import { comparable, differenceGrid, GRIDS, step } from "./sides.js";

const ROW = [24, 12]; // pixels, at most and at least
const TALL = 168;
const TITLES = { attention: "Attention to the image", contribution: "Contribution", knockout: "Attention knockout" };

export class DifferenceGrid extends Pane {
  /** @param {import("./types.js").InspectorContext} ctx @param {string} side "b" or "edited" */
  constructor(ctx, side) {
    super(ctx);
    const { t } = this;
    this.side = side;
    /** @type {import("./sides.js").Grid | null} */
    this.grid = null;
    this.at = 0; // cell with the focus
    this.title = h("h4", { class: "nbt-h" });
    this.canvas = h("canvas", { "aria-hidden": "true" });
    this.box = h(
      "div",
      {
        class: "nbt-difference",
        tabindex: "0",
        role: "application",
        "aria-label": t`Difference by layer and head: arrows move, Enter selects`,
      },
      this.canvas,
    );
    this.tip = h("p", { class: "nbt-note nbt-difference-tip" });
    this.spoken = h("span", { class: "nbt-spoken", "aria-live": "polite" });
    this.ends = [h("span"), h("span")];
    const bar = h("i", { class: "nbt-difference-scale", style: { background: gradient(true) } });
    this.scale = h("p", { class: "nbt-note nbt-edit-row" }, this.ends[0], bar, this.ends[1]);
    const offers = GRIDS.flatMap((name) =>
      ["a", side].map((one) => new Offer(ctx, name, () => (name === this.name ? { side: one } : null))),
    );
    this.offers = offers;
    this.el = h(
      "div",
      { class: "nbt-difference-part" },
      this.title,
      this.box,
      this.scale,
      this.tip,
      this.spoken,
      ...offers.map(({ el }) => el),
    );
    this.listen();
  }

  /** The instrument that is compared. */
  get name() {
    return comparable(this.get("grid"), this.side);
  }

  listen() {
    const { box, ctx } = this;
    const stops = [this.store.on(() => this.sync()), this.hover.on(() => this.paint())];
    for (const stop of stops) ctx.signal.addEventListener("abort", stop);
    this.on(["grid", "patches", "target", "foil", "edits"], () => this.sync());
    this.on(["layer", "head"], () => this.paint());
    box.addEventListener("pointermove", (/** @type {PointerEvent} */ event) => this.over(this.cellAt(event)));
    box.addEventListener("pointerleave", () => this.over(null));
    box.addEventListener("click", (/** @type {PointerEvent} */ event) => this.select(this.cellAt(event)));
    box.addEventListener("keydown", (/** @type {KeyboardEvent} */ event) => this.onKey(event));
    box.addEventListener("blur", () => this.over(null));
    onSize(box, ctx.signal, (width) => {
      this.width = width;
      this.paint();
    });
    this.sync();
  }

  sync() {
    const { t, name } = this;
    for (const offer of this.offers) offer.sync();
    const [a, b] = ["a", this.side].map((side) => this.store.get(name, { side }));
    this.grid = a && b ? differenceGrid(a, b, this.get("patches")) : null;
    const title = translate(t, TITLES[/** @type {"attention"} */ (name)]);
    this.title.textContent = this.side === "edited" ? t`${title}: after − before` : t`${title}: other − this`;
    for (const el of [this.box, this.scale, this.tip]) el.hidden = !this.grid;
    this.paint();
  }

  /** @param {number | null} cell */
  placeOf(cell) {
    if (!this.grid || cell === null) return null;
    const { layers, heads } = this.grid;
    return { layer: layers[Math.floor(cell / heads.length)], head: heads[cell % heads.length] };
  }

  /** @param {PointerEvent} event @returns {number | null} */
  cellAt({ clientX, clientY }) {
    const { grid } = this;
    const { left, top, width, height } = this.canvas.getBoundingClientRect();
    if (!grid || !width) return null;
    const [n, m] = [grid.layers.length, grid.heads.length];
    const [row, column] = [Math.floor(((clientY - top) / height) * n), Math.floor(((clientX - left) / width) * m)];
    return row >= 0 && row < n && column >= 0 && column < m ? row * m + column : null;
  }

  /** @param {number | null} cell */
  over(cell) {
    this.hover.set(this.placeOf(cell));
  }

  /** @param {number | null} cell */
  select(cell) {
    const place = this.placeOf(cell);
    if (!place) return;
    this.at = cell ?? 0;
    const same = this.get("layer") === place.layer && this.get("head") === place.head;
    this.commit(same ? { head: null } : place);
  }

  /** @param {KeyboardEvent} event */
  onKey(event) {
    if (!this.grid) return;
    if (event.key === "Enter" || event.key === " ") this.select(this.at);
    else {
      const next = step(this.grid, this.at, event.key);
      if (next === null) return;
      this.at = next;
      this.over(next);
      this.spoken.textContent = this.describe(next);
    }
    event.preventDefault();
  }

  /** @param {number} cell */
  describe(cell) {
    const place = this.placeOf(cell);
    if (!this.grid || !place) return "";
    return `L${place.layer}.H${place.head} ${signed(this.grid.values[cell], 3, "+")}`;
  }

  /** Paint the cells, and outline what is selected and what is under the pointer. */
  paint() {
    const { grid, width = 0 } = this;
    if (!grid || !width || !grid.values.length) return;
    const [n, m] = [grid.layers.length, grid.heads.length];
    const tall = Math.max(ROW[1], Math.min(ROW[0], TALL / n));
    const size = { width: width / m, height: tall };
    this.canvas.style.height = `${tall * n}px`;
    const brush = sized(this.canvas, width, tall * n);
    const rect = (/** @type {number} */ i, inset = 0.5) => [
      (i % m) * size.width + inset,
      Math.floor(i / m) * size.height + inset,
      size.width - 2 * inset,
      size.height - 2 * inset,
    ];
    const colour = getComputedStyle(this.box).color;
    grid.values.forEach((value, i) => {
      const [r, g, b, a] = colourAt(grid.top ? value / grid.top : 0);
      brush.fillStyle = `rgb(${r} ${g} ${b} / ${a})`;
      brush.fillRect(.../** @type {[number, number, number, number]} */ (rect(i)));
    });
    const frame = (/** @type {{ layer?: any, head?: any }} */ at, /** @type {number} */ thick) => {
      const [row, column] = [grid.layers.indexOf(at.layer), grid.heads.indexOf(at.head)];
      if (row < 0 || column < 0) return;
      brush.lineWidth = thick;
      brush.strokeStyle = colour;
      brush.strokeRect(.../** @type {[number, number, number, number]} */ (rect(row * m + column, thick / 2)));
    };
    frame({ layer: this.get("layer"), head: this.get("head") }, 2);
    const over = this.hover.get();
    frame(over, 1);
    this.tell(
      over.head === undefined || over.head === null ? { layer: this.get("layer"), head: this.get("head") } : over,
    );
  }

  /** @param {{ layer?: any, head?: any }} at */
  tell(at) {
    const { grid } = this;
    if (!grid) return;
    const [row, column] = [grid.layers.indexOf(at.layer), grid.heads.indexOf(at.head)];
    this.tip.textContent =
      row < 0 || column < 0 ? this.t`layers ↓ heads →` : this.describe(row * grid.heads.length + column);
    this.ends[0].textContent = signed(-grid.top, 2, "+");
    this.ends[1].textContent = signed(grid.top, 2, "+");
  }
}
