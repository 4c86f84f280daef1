// @ts-check
/** SampleTable: samples as rows, of which only those in sight are in the page; a row selects its sample. */

import { h, percent, showThumb, signed } from "./dom.js";
import { Pane } from "./pane.js";
import { visible } from "./words.js";

const ROW = 40; // pixels
const AROUND = 4; // rows beyond the visible ones
const SORTS = { number: "number", concept: "concept", activation: "activation", unexplained: "unexplained" };

export class SampleTable extends Pane {
  /** @param {import("./types.js").Context} ctx */
  constructor(ctx) {
    super(ctx);
    const { t } = this;
    /** @type {number[]} */
    this.rows = [];
    /** @type {import("./types.js").Activations} */
    this.activations = { values: new Float32Array(), nConcepts: 0, rest: new Float32Array() };
    /** @type {ArrayLike<number>} */
    this.listed = [];
    this.turn = 0;
    const sort = this.choice("table_sort", t`Sort images`, SORTS, (text) => t`sort: ${text}`);
    const heads = [t`concept`, t`activation`, t`unexplained`].map((text) => h("span", { text }));
    this.head = h("div", { class: "nbt-table-row nbt-table-head" }, sort, ...heads);
    this.filler = h("div", { class: "nbt-table-rows" });
    this.list = h(
      "div",
      {
        class: "nbt-table-scroll",
        tabindex: 0,
        role: "listbox",
        "aria-label": t`Images`,
        onscroll: () => this.draw(),
        onkeydown: (/** @type {KeyboardEvent} */ event) => this.onKey(event),
      },
      this.filler,
    );
    this.el = h("div", { class: "nbt-table" }, this.head, this.list);
    this.on(["table_sort"], () => this.show(this.rows, this.activations, this.listed));
    this.on(["sample", "labels"], () => this.draw());
    const sizes = new ResizeObserver(() => this.draw());
    sizes.observe(this.list);
    ctx.signal.addEventListener("abort", () => sizes.disconnect());
  }

  /** @param {number} row */
  value(row) {
    return this.activations.values[row * this.activations.nConcepts + this.listed[row]] || 0;
  }

  /**
   * @param {number[]} rows @param {import("./types.js").Activations} activations
   * @param {ArrayLike<number>} listed the concept whose activation is listed, by sample
   */
  show(rows, activations, listed) {
    Object.assign(this, { activations, listed });
    /** @type {Record<string, (row: number) => number>} */
    const keys = {
      concept: (row) => listed[row],
      activation: (row) => -Math.abs(this.value(row)),
      unexplained: (row) => -activations.rest[row] || 0,
    };
    const key = keys[this.get("table_sort")] ?? (() => 0);
    this.rows = [...rows].sort((a, b) => key(a) - key(b) || a - b);
    this.filler.style.height = `${ROW * rows.length}px`;
    this.draw();
  }

  /** The rows in sight. */
  async draw() {
    const mine = ++this.turn;
    const { list, rows, meta } = this;
    const first = Math.max(0, Math.floor(list.scrollTop / ROW) - AROUND);
    const part = rows.slice(first, Math.ceil((list.scrollTop + list.clientHeight) / ROW) + AROUND).slice(0, 64);
    this.filler.replaceChildren(...part.map((row, i) => this.line(row, first + i)));
    const thumbs = part.length ? await this.source.thumbs(part).catch(() => new Map()) : new Map();
    if (mine !== this.turn) return;
    [...this.filler.children].forEach((line, i) => {
      const thumb = thumbs.get(part[i]);
      line.title = line.querySelector("[dir]").textContent = visible(
        meta.samples[part[i]].caption || thumb?.caption || "",
      );
      if (meta.pictured) showThumb(line.querySelector(".nbt-thumb"), thumb);
    });
  }

  /** @param {number} row @param {number} at */
  line(row, at) {
    const { id } = this.meta.samples[row];
    const k = this.listed[row];
    const none = k < 0;
    const cells = [
      none ? "—" : this.name(k),
      none ? "—" : signed(this.value(row)),
      percent(this.activations.rest[row]),
    ];
    const about = h("span", { class: "nbt-table-about" }, h("small", { text: id }), h("span", { dir: "auto" }));
    return h(
      "div",
      {
        role: "option",
        class: "nbt-table-row",
        "aria-selected": String(id === this.get("sample")),
        "aria-posinset": at + 1,
        "aria-setsize": this.rows.length,
        style: { top: `${ROW * at}px` },
        onclick: () => this.commit({ token: null, sample: id }),
      },
      h("span", { class: "nbt-table-image" }, this.meta.pictured ? h("span", { class: "nbt-thumb" }) : null, about),
      ...cells.map((text) => h("span", { text })),
    );
  }

  /** @param {KeyboardEvent} event */
  onKey(event) {
    const step = { ArrowDown: 1, ArrowUp: -1, PageDown: 5, PageUp: -5 }[event.key];
    if (!step || !this.rows.length) return;
    event.preventDefault();
    const at = Math.min(this.rows.length - 1, Math.max(0, this.rows.indexOf(this.row) + step));
    const { list } = this;
    list.scrollTop = Math.min(ROW * at, Math.max(list.scrollTop, ROW * (at + 1) - list.clientHeight));
    const { id, caption } = this.meta.samples[this.rows[at]];
    this.commit({ token: null, sample: id });
    this.ctx.say(caption || id);
  }
}
