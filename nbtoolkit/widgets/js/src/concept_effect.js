// @ts-check
/** Effect of ablating the selected concept on the word, over images that use it, beside a random direction as control. */

import { drawChart } from "./chart.js";
import { uses } from "./concept_facts.js";
import { h, reason, signed } from "./dom.js";
import { Pane } from "./pane.js";
import { niceMax } from "./state.js";
import { translate } from "./words.js";

const MANY = 16; // images

export class ConceptEffect extends Pane {
  /** @param {import("./types.js").Context} ctx */
  constructor(ctx) {
    super(ctx);
    const { t } = this;
    this.turn = 0;
    /** @type {import("./types.js").Job | null} */
    this.job = null;
    /** @type {Map<string, any>} by concept */
    this.results = new Map();
    this.run = this.button(t`Ablate it in ${MANY} images`, () => this.start());
    this.progress = h("progress", { max: 1, value: 0, hidden: true, "aria-label": t`images done` });
    this.cancel = this.button(t`Cancel`, () => this.job?.cancel(), { hidden: true });
    this.out = h("div");
    this.el = h("div", {}, h("div", { class: "nbt-toolbar" }, this.run, this.progress, this.cancel), this.out);
    ctx.signal.addEventListener("abort", () => this.job?.cancel());
    this.on(["concept", "layer", "page"], () => this.show());
    this.show();
  }

  get subject() {
    return this.key(this.get("concept"));
  }

  async start() {
    this.job?.cancel();
    const [mine, at, concept, subject] = [++this.turn, this.get("layer"), this.get("concept"), this.subject];
    try {
      const used = uses(await this.source.activations(at), concept);
      const step = Math.max(1, used.length / MANY); // from the strongest to the weakest
      const some = Array.from({ length: Math.min(MANY, used.length) }, (_, i) => used[Math.floor(i * step)].row);
      const samples = some.map((row) => this.meta.samples[row].id);
      if (mine !== this.turn) return;
      const report = (/** @type {number} */ done, /** @type {number} */ all) => (this.progress.value = done / all);
      const job = this.source.job?.("concept_effect", { samples, at, concept }, report);
      if (!job) return;
      this.job = job;
      this.progress.value = 0;
      this.progress.hidden = this.cancel.hidden = false;
      this.results.set(subject, await job.result);
    } catch (error) {
      if (mine === this.turn) this.results.set(subject, { trouble: reason(this.t, error) });
    }
    if (mine !== this.turn) return; // of another concept, which has begun meanwhile
    this.progress.hidden = this.cancel.hidden = true;
    this.job = null;
    this.show();
  }

  show() {
    const { t } = this;
    const result = this.results.get(this.subject);
    this.run.disabled = this.get("concept") === null;
    this.out.replaceChildren();
    if (!result) return;
    const none =
      result.trouble ?? (result.samples.length ? "" : t`The token is not in the response to any of these images.`);
    this.out.append(none ? h("p", { class: "nbt-note", text: none }) : this.chart(result));
  }

  /** @param {{ samples: string[], change: number[], control: number[], interval: number[] | null, control_interval: number[] | null, preserves: string }} result */
  chart({ samples, change, control, interval, control_interval: other, preserves }) {
    const { t } = this;
    const mean = (/** @type {number[]} */ values) => values.reduce((a, b) => a + b, 0) / values.length;
    const about = (/** @type {number[]} */ values, /** @type {number[] | null} */ ends) =>
      signed(mean(values)) + (ends ? ` [${ends.map((v) => signed(v)).join(", ")}]` : "");
    const [low, high] = [Math.min(0, ...change, ...control), Math.max(0, ...change, ...control)];
    const ticks = [low < 0 ? -niceMax(-low) : 0, 0, high > -0.05 * low ? niceMax(high) : 0];
    const title = t`Δ log p (nats) without it: ${about(change, interval)}, n ${samples.length}`;
    const chart = drawChart(t, {
      name: "concept_effect",
      title,
      x: t`Image`,
      summary: title,
      width: 460,
      slots: samples.map((_, i) => ({ text: i + 1 })),
      ticks,
      marks: [
        { kind: "bars", values: change },
        { kind: "means", values: control },
      ],
      format: (v) => signed(v, low < -10 ? 0 : 1),
      legend: [
        h("i", { class: "nbt-key nbt-key-dot" }),
        h("span", { title: translate(t, preserves), text: t`random direction, same length: ${about(control, other)}` }),
      ],
      hint: (i) => `${samples[i]}: ${signed(change[i], 3)}, ${signed(control[i], 3)}`,
      onpick: (i) => this.commit({ token: null, sample: samples[i] }),
    });
    chart.el.classList.add("nbt-wide");
    return chart.el;
  }
}
