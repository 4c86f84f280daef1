// @ts-check
/**
 * A grid of values with names of rows and columns, on a canvas: pointer and keyboard go from cell to cell. What is marked lies
 * on a canvas of its own, so that another selection draws no cell anew.
 */

import { h } from "../dom.js";
import { CELL } from "./dragging.js";
import { onSize, onTheme, outline, sized } from "./drawing.js";
import { writeTexts } from "./grid_texts.js";
import { paintPixels } from "./image_map.js";
import { take } from "./patch_selection.js";

/** @typedef {{ row: number, column: number }} Cell */
/**
 * @typedef {object} Sheet
 * @property {string[]} rows
 * @property {number} n columns
 * @property {{ from: number, to: number, text: string, strong?: boolean }[]} names of columns, each over some
 * @property {Float32Array} values row by row
 * @property {ArrayLike<number> | null} faint 1 where a value is within its null
 * @property {string[] | null} texts in the cells, where there is room
 * @property {import("./image_map.js").Scale} scale
 * @property {number} height of a row
 * @property {number} least width of a column
 */
/** @typedef {{ cell: Cell | null, hovered: Cell | null, row: number, columns: number[], about?: Cell | null }} Marks −1 for no row; about: what the line is about while no cell is */
/**
 * @typedef {object} Behaviour
 * @property {string} label
 * @property {(cell: Cell) => string} describe
 * @property {(cell: Cell) => void} pick
 * @property {(cell: Cell | null) => void} over
 * @property {(cell: Cell) => import("./patch_selection.js").Taken | null} taken a cell for patching
 */

const LABEL = 11; // pixels between names of rows
const NARROW = 34; // pixels: too few for the name of some columns
const ROOM = [30, 13]; // pixels of a cell with a text
const GAP = 6; // pixels of a cell from which on there is a gap between cells
const LONG = 4000; // pixels of a grid that is drawn in the page's own pixels only

/** @type {Record<string, [number, number]>} rows and columns */
const STEPS = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] };

export class Grid {
  /** @param {import("./types.js").InspectorContext} ctx @param {Behaviour} behaviour */
  constructor(ctx, behaviour) {
    this.behaviour = behaviour;
    /** @type {Sheet | null} */
    this.sheet = null;
    /** @type {Marks} */
    this.marked = { cell: null, hovered: null, row: -1, columns: [] };
    /** @type {Cell} */
    this.at = { row: 0, column: 0 };
    this.focused = false;
    this.room = 0;
    /** @type {import("./grid_texts.js").Ink | null} */
    this.ink = null;
    this.cells = h("canvas", { class: "nbt-grid-cells", "aria-hidden": "true" });
    this.marks = h("canvas", { class: "nbt-grid-marks", "aria-hidden": "true" });
    this.small = h("canvas");
    const props = { class: "nbt-grid-plane", tabindex: "0", role: "application", draggable: "true" };
    this.plane = h("div", { ...props, "aria-label": behaviour.label }, this.cells, this.marks);
    this.rows = h("div", { class: "nbt-grid-rows", "aria-hidden": "true" });
    this.names = h("div", { class: "nbt-grid-names", "aria-hidden": "true" });
    this.scroll = h("div", { class: "nbt-grid-scroll" }, h("div", { class: "nbt-grid-all" }, this.plane, this.names));
    this.spoken = h("span", { class: "nbt-spoken", "aria-live": "polite" });
    this.el = h("div", { class: "nbt-grid" }, this.rows, this.scroll, this.spoken);
    this.listen(ctx.signal);
  }

  /** @param {AbortSignal} signal */
  listen(signal) {
    const { plane, behaviour } = this;
    plane.addEventListener("pointermove", (/** @type {PointerEvent} */ event) => behaviour.over(this.cellAt(event)));
    plane.addEventListener("pointerleave", () => behaviour.over(null));
    plane.addEventListener("click", (/** @type {MouseEvent} */ event) => {
      const cell = this.cellAt(event);
      if (cell) behaviour.pick((this.at = cell));
    });
    plane.addEventListener("dragstart", (/** @type {DragEvent} */ event) => this.drag(event));
    plane.addEventListener("keydown", (/** @type {KeyboardEvent} */ event) => this.onKey(event));
    plane.addEventListener("focus", () => this.focus(plane.matches(":focus-visible")));
    plane.addEventListener("blur", () => this.focus(false));
    onSize(this.scroll, signal, (width) => {
      this.room = width;
      this.draw();
    });
    onTheme(signal, () => {
      this.ink = null;
      this.draw();
    });
  }

  /** Colours and font of the page, read once per theme: in a notebook that takes longer than all the drawing. */
  get inks() {
    if (this.ink) return this.ink;
    const style = getComputedStyle(this.plane);
    const accent = style.getPropertyValue("--nbt-accent") || "#0b6bcb";
    return (this.ink = { accent, color: style.color, fontFamily: style.fontFamily });
  }

  /** Width of a column. */
  get step() {
    return this.sheet ? Math.max(this.sheet.least, this.room / this.sheet.n) : 0;
  }

  /** @param {MouseEvent} event @returns {Cell | null} */
  cellAt({ clientX, clientY }) {
    const { sheet } = this;
    if (!sheet) return null;
    const { left, top } = this.plane.getBoundingClientRect();
    const [row, column] = [Math.floor((clientY - top) / sheet.height), Math.floor((clientX - left) / this.step)];
    return row >= 0 && column >= 0 && row < sheet.rows.length && column < sheet.n ? { row, column } : null;
  }

  /** @param {Sheet} sheet */
  show(sheet) {
    const others = this.sheet?.names !== sheet.names || this.sheet.rows.length !== sheet.rows.length;
    this.sheet = sheet;
    const clamp = (/** @type {number} */ i, /** @type {number} */ n) => Math.max(0, Math.min(n - 1, i));
    this.at = { row: clamp(this.at.row, sheet.rows.length), column: clamp(this.at.column, sheet.n) };
    this.draw(others);
  }

  /** Draw names, cells and marks. */
  draw(names = true) {
    const { sheet, step, room } = this;
    if (!sheet || !room) return;
    const [width, height] = [step * sheet.n, sheet.height * sheet.rows.length];
    if (names) this.drawNames(sheet, width, height);
    const brush = sized(this.cells, width, height, width > LONG ? 1 : undefined);
    const [n, m] = [sheet.n, sheet.rows.length];
    if (this.small.width !== n || this.small.height !== m) Object.assign(this.small, { width: n, height: m });
    const pen = /** @type {CanvasRenderingContext2D} */ (this.small.getContext("2d"));
    const image = pen.createImageData(n, m);
    paintPixels(image, sheet.values, sheet.scale, sheet.faint);
    pen.putImageData(image, 0, 0);
    brush.imageSmoothingEnabled = false;
    brush.drawImage(this.small, 0, 0, width, height);
    if (sheet.height >= GAP) for (let i = 1; i < m; i++) brush.clearRect(0, i * sheet.height - 0.5, width, 1);
    if (step >= GAP) for (let j = 1; j < n; j++) brush.clearRect(j * step - 0.5, 0, 1, height);
    if (step >= ROOM[0] && sheet.height >= ROOM[1]) writeTexts(brush, this.inks, sheet, step);
    this.mark();
  }

  /** @param {Sheet} sheet @param {number} width @param {number} height */
  drawNames(sheet, width, height) {
    const { step } = this;
    const every = Math.ceil(LABEL / sheet.height);
    Object.assign(this.plane.style, { width: `${width}px`, height: `${height}px` });
    const rows = sheet.rows.map((text, i) =>
      i % every ? null : h("span", { text, style: { top: `${(i + 0.5) * sheet.height}px` } }),
    );
    this.rows.style.height = `${height}px`;
    this.rows.replaceChildren(...rows.filter(Boolean));
    const shown = Math.ceil(14 / (step * (sheet.names[0] ? sheet.names[0].to - sheet.names[0].from : 1)));
    const names = sheet.names.map(({ from, to, text, strong }, j) => {
      if (sheet.names.length === sheet.n ? j % shown : (to - from) * step < NARROW) return null;
      const wide = (to - from) * step;
      const textAlign = wide > this.room ? "left" : ""; // else it is out of sight
      const style = { left: `${from * step}px`, width: `${wide}px`, textAlign };
      return h("span", { text, title: text, dir: "auto", class: strong ? "nbt-grid-strong" : null, style });
    });
    this.names.style.width = `${width}px`;
    this.names.replaceChildren(...names.filter(Boolean));
  }

  /** Draw what is marked. @param {Marks} [marks] */
  mark(marks = this.marked) {
    this.marked = marks;
    const { sheet, step } = this;
    if (!sheet || !this.room) return;
    const [width, height] = [step * sheet.n, sheet.height * sheet.rows.length];
    const brush = sized(this.marks, width + 6, height + 6, width > LONG ? 1 : undefined);
    brush.translate(3, 3);
    const box = (/** @type {number} */ row, /** @type {number} */ column, down = 1, across = 1) =>
      /** @type {import("./patches.js").Box} */ ([
        column * step,
        row * sheet.height,
        across * step,
        down * sheet.height,
      ]);
    const { accent, color } = this.inks;
    const cell = (/** @type {Cell | null} */ at) => (at ? [box(at.row, at.column)] : []);
    const { columns, row } = marks;
    if (columns.length) outline(brush, columns.map((j) => box(0, j, sheet.rows.length)), [["#d99a1b", 1.6]]); // prettier-ignore
    if (row >= 0) {
      brush.fillStyle = color;
      const y = row * sheet.height;
      for (const x of [-3, width]) brush.fillRect(x, y, 3, sheet.height);
    }
    outline(brush, cell(marks.hovered), [[color, 1]]);
    outline(brush, cell(marks.cell), [["#fff", 2.4], [accent, 1.8]]); // prettier-ignore
    if (this.focused) outline(brush, cell(this.at), [["#fff", 3], [color, 2]]); // prettier-ignore
  }

  /** @param {boolean} on */
  focus(on) {
    this.focused = on;
    if (on && this.marked.cell) this.at = this.marked.cell;
    this.mark();
    if (on) this.say();
    else this.behaviour.over(null);
  }

  say() {
    this.spoken.textContent = this.behaviour.describe(this.at);
  }

  /** @param {DragEvent} event */
  drag(event) {
    const cell = this.cellAt(event);
    const detail = cell && this.behaviour.taken(cell);
    if (!detail || !event.dataTransfer) return event.preventDefault();
    event.dataTransfer.setData(CELL, JSON.stringify(detail));
    event.dataTransfer.effectAllowed = "copy";
    event.dataTransfer.setDragImage(this.small, 0, 0);
  }

  /** @param {KeyboardEvent} event */
  onKey(event) {
    const { sheet, at, behaviour } = this;
    if (!sheet || event.ctrlKey || event.metaKey || event.altKey) return;
    const step = STEPS[event.key] ?? { Home: [0, -sheet.n], End: [0, sheet.n] }[event.key];
    const detail = event.key === "p" ? behaviour.taken(at) : null;
    if (step) {
      const row = Math.max(0, Math.min(sheet.rows.length - 1, at.row + step[0]));
      this.reveal({ row, column: Math.max(0, Math.min(sheet.n - 1, at.column + step[1])) });
    } else if (event.key === " " || event.key === "Enter") behaviour.pick(at);
    else if (detail) take(this.plane, detail);
    else return;
    event.preventDefault();
    event.stopPropagation();
    this.focused = true;
    behaviour.over(this.at);
    this.mark();
    this.say();
  }

  /** Have a cell in sight, and go on from it by keyboard. @param {Cell} at */
  reveal(at) {
    const { scroll, step } = this;
    this.at = at;
    const [left, right] = [at.column * step, (at.column + 1) * step];
    if (left < scroll.scrollLeft) scroll.scrollLeft = left;
    else if (right > scroll.scrollLeft + this.room) scroll.scrollLeft = right - this.room;
  }
}
