// @ts-check
/** Effect of ablating each layer, one after the other, on the token's log-probability: bars of this image, mean of many, null. */

import { drawChart } from "./chart.js";
import { h, reason, signed } from "./dom.js";
import { layersEdit, PRECOMPUTED } from "./edits.js";
import { Pane } from "./pane.js";
import { niceMax } from "./state.js";
import { translate } from "./words.js";

const SIZE = { width: 560, height: 130, left: 44 };
const MANY = 16; // images of the mean
const MAX_LABELS = 16;

/** @typedef {{ layers: number[], change: number[][], null: number[][], preserves: string, samples: string[] }} Effects */

export class LayerEffects extends Pane {
  /** @param {import("./types.js").Context} ctx @param {(layer: number) => void} pick called with a layer that is clicked */
  constructor(ctx, pick) {
    super(ctx);
    const { t, meta } = this;
    this.pick = pick;
    /** @type {Map<string, Effects>} results by what they depend on */
    this.results = new Map();
    /** @type {import("./types.js").Job | null} */
    this.job = null;
    const n = Math.min(MANY, meta.n_samples);
    const one = this.button(t`Ablate each layer (this image)`, () => this.run([this.get("sample")]));
    const many = this.button(t`Ablate each layer (${n} images)`, () => this.run(this.some()));
    this.progress = h("progress", { max: 1, value: 0, hidden: true, "aria-label": t`images done` });
    this.cancel = this.button(t`Cancel`, () => this.job?.cancel(), { hidden: true });
    this.chart = h("div", { class: "nbt-effects" });
    const tools = h("div", { class: "nbt-toolbar" }, one, many, this.progress, this.cancel);
    this.el = h("div", {}, tools, this.chart);
    ctx.signal.addEventListener("abort", () => this.job?.cancel());
    this.on(["sample", "edits"], () => this.sync());
    if (!this.source.job) {
      tools.hidden = true;
      this.on(["sample", "layer"], () => this.fetch());
      this.fetch();
    }
  }

  /** What effects depend on; of many images where no sample is given. @param {string | null} [sample] */
  subject(sample = null) {
    const { part, how } = layersEdit(this.get("edits") ?? []);
    return JSON.stringify([sample, part, how]);
  }

  /** Show the effects of the selected image, else those of many images: a chart that cost work stays as long as it holds. */
  sync() {
    const effects = this.results.get(this.subject(this.get("sample"))) ?? this.results.get(this.subject());
    if (effects) this.draw(effects);
    else this.chart.replaceChildren();
  }

  /** Effects that a page without a kernel has. */
  async fetch() {
    const [sample, layer] = [this.get("sample"), this.get("layer")];
    const result = await this.source.ask?.(PRECOMPUTED, { row: this.row, sample, layer }).catch(() => null);
    if (result) this.results.set(this.subject(sample), result.sweep);
    this.sync();
  }

  /** The selected image first, then others spread over the study. */
  some() {
    const samples = this.meta.samples.slice(0, this.meta.n_samples);
    const step = Math.max(1, Math.floor(samples.length / MANY));
    const ids = samples.filter((_, i) => i % step === 0).map((s) => s.id);
    return [...new Set([this.get("sample"), ...ids])].slice(0, MANY);
  }

  /** @param {string[]} samples */
  async run(samples) {
    this.job?.cancel();
    const { part, how } = layersEdit(this.get("edits") ?? []);
    const key = this.subject(samples.length > 1 ? null : samples[0]);
    const report = (/** @type {number} */ done, /** @type {number} */ total) => (this.progress.value = done / total);
    const job = this.source.job?.("layer_effects", { samples, part, how }, report);
    if (!job) return;
    this.job = job;
    this.progress.value = 0;
    this.progress.hidden = this.cancel.hidden = false;
    try {
      const effects = await job.result;
      this.results.set(key, effects);
      if (this.job === job) this.sync();
    } catch (error) {
      if (this.job === job) this.fail(error);
    }
    if (this.job !== job) return;
    this.progress.hidden = this.cancel.hidden = true;
    this.job = null;
  }

  /** @param {unknown} error */
  fail(error) {
    const name = String(error).includes("Cancelled") ? "nbt-note" : "nbt-error";
    this.chart.replaceChildren(h("p", { class: name, text: reason(this.t, error) }));
  }

  /** @param {Effects} effects */
  draw({ layers, change, null: chance, preserves, samples }) {
    const { t } = this;
    if (!change.length) {
      this.chart.replaceChildren(
        h("p", { class: "nbt-note", text: t`The token is not in the response to any of these images.` }),
      );
      return;
    }
    const own = change[samples.indexOf(this.get("sample"))] ?? null;
    const [mean, random] = [average(change), average(chance)];
    const bars = own ?? mean;
    const title = t`Δ log p (nats) per ablated layer`;
    const chart = drawChart(t, {
      ...SIZE,
      name: "layer_effects",
      title,
      summary: `${title}: ${layers.map((layer, j) => `${t`layer ${layer}`} ${signed(bars[j], 2)}`).join(", ")}`,
      slots: layers.map((layer) => ({ text: layer })),
      every: Math.ceil(layers.length / MAX_LABELS),
      ...axis([...bars, ...mean]),
      marks: [
        { kind: "bars", values: bars },
        { kind: "baseline", values: random },
        ...(own && change.length > 1 ? [{ kind: /** @type {"means"} */ ("means"), values: mean }] : []),
      ],
      legend: this.legend(own !== null, change.length, preserves),
      hint: (j) =>
        t`layer ${layers[j]}: ${signed(bars[j], 3)} nats, mean ${signed(mean[j], 3)}, random direction ${signed(random[j], 3)}`,
      onpick: (j) => this.pick(layers[j]),
    });
    chart.el.classList.add("nbt-wide");
    this.chart.replaceChildren(chart.el);
  }

  /** @param {boolean} own whether the bars are of the selected image @param {number} n images @param {string} preserves of the null */
  legend(own, n, preserves) {
    const { t } = this;
    const key = (/** @type {string} */ name) => h("i", { class: `nbt-key nbt-key-${name}` });
    return [
      key("bar"),
      `${own ? t`this image` : t`mean of ${n}`} `,
      ...(own && n > 1 ? [key("dot"), `${t`mean of ${n}`} `] : []),
      key("line"),
      h("span", { title: translate(t, preserves), text: t`random direction, same length` }),
    ];
  }
}

/** Mean of rows. @param {number[][]} rows */
const average = (rows) => rows[0].map((_, j) => rows.reduce((sum, row) => sum + row[j], 0) / rows.length);

/** Ticks from the lowest value to the highest, with 0. @param {number[]} values */
function axis(values) {
  const low = -niceMax(Math.max(1e-6, ...values.map((v) => -v)));
  const top = Math.max(0, ...values);
  const high = top > 0.05 * -low ? niceMax(top) : 0;
  const digits = low > -0.1 ? 3 : low > -10 ? 1 : 0;
  return { ticks: [high, 0, low / 2, low], format: (/** @type {number} */ v) => signed(v, digits) };
}
