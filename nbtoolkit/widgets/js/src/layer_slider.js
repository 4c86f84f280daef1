// @ts-check
/** LayerSlider: scores per layer, and a native range input over the same axis that selects the layer. */

import { drawChart } from "./chart.js";
import { format, freshId, h } from "./dom.js";
import { Pane } from "./pane.js";
import { niceMax } from "./state.js";
import { translate } from "./words.js";

const BEAT = 1200; // milliseconds per layer, while playing
const N_MAIN = 2; // scores that are drawn unless others are selected

export class LayerSlider extends Pane {
  /** @param {import("./types.js").Context} ctx */
  constructor(ctx) {
    super(ctx);
    const { t, meta } = this;
    this.layers = meta.layers;
    this.timer = 0;
    this.id = freshId("layer");
    this.value = h("strong");
    this.preview = h("p", { class: "nbt-preview", "aria-hidden": "true" });
    this.range = h("input", {
      type: "range",
      min: 0,
      max: meta.slots.length - 1,
      step: 1,
      id: this.id,
      class: "nbt-range",
      oninput: () => this.slide(Number(this.range.value)),
    });
    this.play = h("button", { type: "button", class: "nbt-step nbt-play", onclick: () => this.togglePlay() });
    this.charts = meta.metrics.map((curve) => this.chart(curve));
    this.figures = h("div", { class: "nbt-charts" }, ...this.charts.map((chart) => chart.el));
    const note = h("p", { class: "nbt-note", text: t`No scores in this study.` });
    const scores = this.charts.length ? this.figures : note;
    const parts = [this.controls(), scores, this.extension(), this.preview];
    this.el = h("section", { class: "nbt-layers", "aria-label": t`Layers` }, ...parts);
    this.stop();
    ctx.signal.addEventListener("abort", () => this.stop());
    this.on(["layer"], () => {
      this.sync();
      const layer = this.get("layer");
      ctx.say(this.describe(layer));
    });
    this.on(["metric"], () => this.syncMetric());
    this.on(["labels"], () => this.sync());
    this.sync();
    this.syncMetric();
  }

  controls() {
    const { t, layers, meta } = this;
    const label = h(
      "label",
      { for: this.id, class: "nbt-layer-label" },
      h("span", { text: t`Layer` + " " }),
      this.value,
      h("span", { text: " " + t`of ${meta.n_layers}` }),
    );
    /** The choice of the layer, which the Explorer has in its header. */
    this.steps = h(
      "div",
      { class: "nbt-layer-steps", "data-at": "layer" },
      label,
      this.stepper(t`previous layer`, "‹", () => this.go(this.place - 1)),
      this.range,
      this.stepper(t`next layer`, "›", () => this.go(this.place + 1)),
      layers.length > 1 ? this.play : null,
    );
    return h("div", { class: "nbt-layer-row" }, this.steps, this.charts.length > N_MAIN ? this.metrics() : null);
  }

  metrics() {
    const { t, meta } = this;
    const labels = Object.fromEntries(meta.metrics.map((curve) => [curve.name, curve.label]));
    const select = this.choice("metric", t`Score per layer`, { "": "main scores", all: "all scores", ...labels });
    select.classList.add("nbt-metric");
    return select;
  }

  /** Place of the selected layer among those that have a dictionary. */
  get place() {
    return Math.max(0, this.layers.indexOf(this.get("layer")));
  }

  /** Select a layer by hand. @param {number} place */
  go(place) {
    this.stop();
    this.select(place);
  }

  /** Go to the computed layer that is nearest on the charts' axis; one step goes to the next. @param {number} slot */
  slide(slot) {
    const slots = this.layers.map((layer) => this.meta.slots.indexOf(layer));
    const by = slot - slots[this.place];
    const far = slots.map((at) => Math.abs(at - slot));
    this.go(Math.abs(by) === 1 ? this.place + by : far.indexOf(Math.min(...far)));
    this.range.value = String(slots[this.place]);
  }

  /** @param {number} place */
  select(place) {
    const layer = this.layers[Math.min(this.layers.length - 1, Math.max(0, place))];
    if (layer !== this.get("layer")) this.commit({ layer });
  }

  togglePlay() {
    if (this.timer) {
      this.stop();
      return;
    }
    const last = this.layers.length - 1;
    this.play.textContent = "❚❚";
    this.play.setAttribute("aria-label", this.t`pause`);
    if (this.place === last) this.select(0);
    this.timer = window.setInterval(() => {
      if (this.place === last) this.stop();
      else this.select(this.place + 1);
    }, BEAT);
  }

  stop() {
    clearInterval(this.timer);
    this.timer = 0;
    this.play.textContent = "▶";
    this.play.setAttribute("aria-label", this.t`play`);
  }

  sync() {
    const layer = this.layers[this.place];
    this.value.textContent = String(layer);
    this.range.value = String(this.meta.slots.indexOf(layer));
    const scores = this.meta.metrics.map((c) => `${translate(this.t, c.label)} ${number(c.values[this.place])}`);
    this.range.setAttribute("aria-valuetext", `${this.t`layer ${layer}`}. ${scores.join(", ")}`);
    this.meta.metrics.forEach((curve, i) => {
      const value = curve.values[this.place];
      this.charts[i].select(this.meta.slots.indexOf(layer), number(value));
    });
    this.point(layer);
  }

  syncMetric() {
    const metric = this.get("metric");
    this.charts.forEach((chart, i) => {
      const visible = metric === "all" || (metric ? metric === this.meta.metrics[i].name : i < N_MAIN);
      chart.el.hidden = !visible;
    });
  }

  /** Show the top concepts of a layer. @param {number} layer */
  point(layer) {
    const { t } = this;
    this.preview.textContent = this.layers.includes(layer) ? this.describe(layer) : t`Layer ${layer} is not computed.`;
  }

  /** Top concepts of a layer. @param {number} layer */
  describe(layer) {
    const { t, meta } = this;
    const names = meta.tops[String(layer)].map(([k, name]) => this.label(k, layer) || name);
    return t`Layer ${layer}: ${names.join(", ")}`;
  }

  /** The chart of one score. @param {import("./types.js").Curve} curve */
  chart(curve) {
    const { t, meta, layers } = this;
    const label = translate(t, curve.label);
    const baseline = translate(t, curve.baseline);
    /** @param {(number | null)[]} values by layer */
    const slotted = (values) => meta.slots.map((layer) => values[layers.indexOf(layer)] ?? null);
    const values = slotted(curve.values);
    const spread = slotted(curve.spread);
    const chance = slotted(curve.baselines);
    const constant = slotted(curve.constants);
    const shift = (/** @type {number} */ sign) =>
      values.map((v, i) => (v === null ? null : v + sign * (spread[i] ?? 0)));
    const max = niceMax(Math.max(...shift(1).map((v) => v ?? 0), ...[...chance, ...constant].map((v) => v ?? 0)));
    const texts = meta.slots.flatMap((layer, i) =>
      values[i] === null ? [] : [`${t`layer ${layer}`} ${format(/** @type {number} */ (values[i]))}`],
    );
    const better = curve.better === "lower" ? t`lower is better` : curve.better && t`higher is better`;
    return drawChart(t, {
      name: curve.name,
      title: label,
      summary: `${t`${label} per layer`}${better && `, ${better}`}: ${texts.join(", ")}`,
      slots: meta.slots.map((layer) => ({ text: layer, absent: !layers.includes(layer) })),
      ticks: [0, max / 2, max],
      format: (v) => format(v, max < 0.1 ? 3 : max <= 1 ? 2 : 1),
      marks: [
        { kind: "band", low: shift(-1), high: shift(1) },
        { kind: "baseline", values: chance },
        { kind: "constant", values: constant },
        { kind: "line", values },
        { kind: "dots", values },
      ],
      legend: nulls(t, curve),
      hint: (slot) =>
        `${t`layer ${meta.slots[slot]}`}: ${hint(t, values[slot], chance[slot], baseline)}` +
        (constant[slot] === null ? "" : `, ${t`token alone`} ${format(constant[slot], 3)}`),
      onpick: (slot) => layers.includes(meta.slots[slot]) && this.go(layers.indexOf(meta.slots[slot])),
      onpoint: (slot) => this.point(slot === null ? layers[this.place] : meta.slots[slot]),
    });
  }

  /** A button that computes the layers that the study lacks, where there is a model. */
  extension() {
    const { t, meta, source } = this;
    const missing = meta.slots.filter((layer) => !this.layers.includes(layer));
    if (!missing.length || !source.job) return null;
    /** @type {import("./types.js").Job | null} */
    let job = null;
    const progress = h("progress", { max: 1, value: 0, hidden: true, "aria-label": t`layers done` });
    const cancel = this.button(t`Cancel`, () => job?.cancel(), { hidden: true });
    const text = missing.length === 1 ? t`Compute layer ${missing[0]}` : t`Compute the other ${missing.length} layers`;
    const start = this.button(text, async () => {
      start.disabled = true;
      progress.hidden = cancel.hidden = false;
      job = source.job?.("extend", { layers: missing }, (done, total) => (progress.value = done / total)) ?? null;
      await job?.result.catch((error) => this.ctx.say(String(error))); // then the view is built again with what there is
      start.disabled = false;
      progress.hidden = cancel.hidden = true;
    });
    return h("div", { class: "nbt-toolbar nbt-computing" }, start, progress, cancel);
  }
}

/** @param {number | null} value */
const number = (value) => (value === null ? "–" : format(value, Math.abs(value) < 0.1 ? 3 : 2));

/** Keys of the nulls, with what they preserve. @param {import("./types.js").Translator} t @param {import("./types.js").Curve} curve */
function nulls(t, curve) {
  const some = (/** @type {(number | null)[]} */ values) => values.some((v) => v !== null);
  const names = [
    ...(some(curve.baselines) ? [`– – ${translate(t, curve.baseline)}`] : []),
    ...(some(curve.constants) ? [`· · ${t`token alone`}`] : []),
  ];
  return names.length ? [h("span", { title: translate(t, curve.preserves), text: names.join("  ") })] : [];
}

/** @param {import("./types.js").Translator} t @param {number | null} value @param {number | null} chance @param {string} baseline */
export function hint(t, value, chance, baseline) {
  if (value === null) return t`not computed`;
  return `${format(value, 3)}${chance === null ? "" : `, ${baseline} ${format(chance, 3)}`}`;
}
