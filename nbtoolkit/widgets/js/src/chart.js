// @ts-check
/**
 * The chart of every pane: values in slots (layers, mostly) as lines, bands, bars and dots over one vertical axis; or in
 * rows, as horizontal bars. Slots can be pointed at and clicked; a chart can be saved.
 */

import { h } from "./dom.js";
import { poster, saving } from "./saving.js";

const RIGHT = 12;
const TOP = 8;
const BOTTOM = 20;
const ROW = 22; // height of a row of horizontal bars

/**
 * @typedef {{ kind: "line" | "baseline" | "constant" | "dots" | "means" | "bars", values: (number | null)[] }} Series null where there is no value
 * @typedef {{ kind: "band", low: (number | null)[], high: (number | null)[] }} Band
 * @typedef {{ text: string | number, absent?: boolean }} Slot
 *
 * @typedef {object} Chart
 * @property {string} name of a saved file
 * @property {string} title
 * @property {string} [x] name of the horizontal axis, "Layer" if left out
 * @property {string} [y] name of the vertical axis, the title if left out
 * @property {string} summary for screen readers
 * @property {Slot[]} slots
 * @property {(Series | Band)[]} marks drawn in this order
 * @property {number[]} ticks of the vertical axis; their extremes are its ends
 * @property {(value: number) => string} format of a tick
 * @property {(slot: number) => string} hint the text at a slot that is pointed at
 * @property {(slot: number) => void} onpick
 * @property {(slot: number | null) => void} [onpoint] null when the pointer leaves
 * @property {(Node | string | null)[]} [legend]
 * @property {number} [width] in units of the drawing
 * @property {number} [height]
 * @property {number} [left] room for the ticks' texts
 * @property {number} [every] one slot in so many has a text
 */

/** The scales of a chart: from slot and value to units of the drawing. */
class Axes {
  /** @param {Chart} chart */
  constructor(chart) {
    this.width = chart.width ?? 300;
    this.height = chart.height ?? 96;
    this.left = chart.left ?? 34;
    this.slot = (this.width - this.left - RIGHT) / chart.slots.length;
    this.low = Math.min(...chart.ticks);
    this.high = Math.max(...chart.ticks);
  }

  /** Middle of a slot. @param {number} slot */
  x(slot) {
    return this.left + this.slot * (slot + 0.5);
  }

  /** @param {number} value */
  y(value) {
    const inside = Math.min(this.high, Math.max(this.low, value));
    return TOP + ((this.height - TOP - BOTTOM) * (this.high - inside)) / (this.high - this.low);
  }

  /** A path through the values of slots. @param {[number, number][]} points slot and value */
  path(points) {
    return points.map(([s, v], i) => `${i ? "L" : "M"}${this.x(s).toFixed(1)} ${this.y(v).toFixed(1)}`).join("");
  }
}

/** Slots that have a value. @param {(number | null)[]} values @returns {[number, number][]} */
const present = (values) => values.flatMap((v, slot) => (v === null ? [] : [[slot, v]]));

/** @param {string} name @param {number} r @returns {(axes: Axes, mark: any) => SVGElement[]} */
const circles = (name, r) => (axes, mark) =>
  present(mark.values).map(([s, v]) =>
    h("svg:circle", { class: name, cx: axes.x(s), cy: axes.y(v), r, "data-slot": s }),
  );

/** @param {string} name @returns {(axes: Axes, mark: any) => SVGElement[]} */
const stroke = (name) => (axes, mark) => {
  const points = present(mark.values);
  return points.length ? [h("svg:path", { class: name, d: axes.path(points) })] : [];
};

/** @type {Record<string, (axes: Axes, mark: any) => SVGElement[]>} */
const DRAW = {
  line: stroke("nbt-line"),
  baseline: stroke("nbt-baseline"),
  constant: stroke("nbt-baseline nbt-constant"),
  dots: circles("nbt-dot", 3),
  means: circles("nbt-mean", 4),
  band: (axes, { low, high }) => {
    const outline = [...present(high), ...present(low).reverse()];
    return outline.length ? [h("svg:path", { class: "nbt-band", d: `${axes.path(outline)}Z` })] : [];
  },
  bars: (axes, { values }) =>
    present(values).map(([s, v]) => {
      const [from, to] = [axes.y(0), axes.y(v)];
      const box = { x: axes.x(s) - axes.slot * 0.3, width: axes.slot * 0.6, y: Math.min(from, to) };
      return h("svg:rect", { class: "nbt-chart-bar", ...box, height: Math.max(1, Math.abs(to - from)) });
    }),
};

/** @param {Axes} axes @param {Chart} chart */
function grid(axes, chart) {
  const lines = [...new Set(chart.ticks)].map((v) =>
    h(
      "svg:g",
      {},
      h("svg:line", { class: "nbt-grid", x1: axes.left, x2: axes.width - RIGHT, y1: axes.y(v), y2: axes.y(v) }),
      h("svg:text", {
        class: "nbt-tick",
        x: axes.left - 5,
        y: axes.y(v) + 3.5,
        "text-anchor": "end",
        text: chart.format(v),
      }),
    ),
  );
  const every = chart.every ?? Math.ceil(chart.slots.length / 12);
  const labels = chart.slots.map(({ text, absent }, s) => {
    const place = { x: axes.x(s), y: axes.height - 6, "text-anchor": "middle" };
    return s % every ? null : h("svg:text", { class: absent ? "nbt-tick nbt-absent" : "nbt-tick", ...place, text });
  });
  return [...lines, ...labels.filter(Boolean)];
}

/** Areas to point at and click. @param {Axes} axes @param {Chart} chart */
const hits = (axes, chart) =>
  chart.slots.map((_, s) =>
    h(
      "svg:rect",
      {
        class: "nbt-hit",
        x: axes.x(s) - axes.slot / 2,
        y: 0,
        width: axes.slot,
        height: axes.height,
        onclick: () => chart.onpick(s),
        onpointerenter: () => chart.onpoint?.(s),
        onpointerleave: () => chart.onpoint?.(null),
      },
      h("svg:title", { text: chart.hint(s) }),
    ),
  );

/**
 * Draw a chart.
 * @param {import("./types.js").Translator} t @param {Chart} chart
 * @returns {{ el: HTMLElement, select(slot: number, text: string): void }} `select` marks a slot and shows its value beside the title
 */
export function drawChart(t, chart) {
  const axes = new Axes(chart);
  const cursor = h("svg:rect", { class: "nbt-cursor", y: TOP, width: 0, height: axes.height - TOP - BOTTOM });
  const marks = chart.marks.flatMap((mark) => DRAW[mark.kind](axes, mark));
  const svg = h(
    "svg:svg",
    { viewBox: `0 0 ${axes.width} ${axes.height}`, role: "img", "aria-label": chart.summary, class: "nbt-chart" },
    ...grid(axes, chart),
    cursor,
    ...marks,
    ...hits(axes, chart),
  );
  const current = h("strong");
  const legend = chart.legend?.length ? h("span", {}, ...chart.legend) : null;
  const place = h("div", { class: "nbt-drawing nbt-drawn", "aria-hidden": "true" });
  const names = { title: chart.title, x: chart.x ?? t`Layer`, y: chart.y ?? chart.title, legend };
  const caption = h(
    "figcaption",
    {},
    `${chart.title} `,
    current,
    legend,
    saving(t, () => poster(svg, place, names), chart.name),
  );
  return {
    el: h("figure", { class: "nbt-figure" }, caption, svg, place),
    select(slot, text) {
      cursor.setAttribute("x", String(axes.x(slot) - axes.slot / 2));
      cursor.setAttribute("width", String(axes.slot));
      current.textContent = text;
      for (const dot of svg.querySelectorAll(".nbt-dot")) {
        const on = dot.getAttribute("data-slot") === String(slot);
        dot.classList.toggle("nbt-on", on);
        dot.setAttribute("r", on ? "5" : "3");
      }
    },
  };
}

/**
 * Horizontal bars with a text at either end.
 * @param {string} title @param {{ text: string, share: number, value: string, colour: string }[]} rows share of the longest, 0 to 1
 * @returns {SVGSVGElement}
 */
export function drawRows(title, rows) {
  const signed = rows.some(({ share }) => share < 0);
  const [zero, span] = signed ? [332.5, 67.5] : [265, 135];
  const bars = rows.flatMap(({ text, share, value, colour }, j) => {
    const [y, width] = [30 + ROW * j, span * Math.abs(share)];
    return [
      h("svg:text", { x: 8, y: y + 13, text: text.slice(0, 40) }),
      h("svg:rect", { x: share < 0 ? zero - width : zero, y: y + 4, height: 9, width, style: { fill: colour } }),
      h("svg:text", { x: 452, y: y + 13, style: { textAnchor: "end" }, text: value }),
    ];
  });
  return h(
    "svg:svg",
    { viewBox: `0 0 460 ${30 + ROW * rows.length}`, class: "nbt-chart nbt-drawn" },
    h("svg:text", { x: 8, y: 19, class: "nbt-drawn-title", text: title }),
    ...bars,
  );
}
