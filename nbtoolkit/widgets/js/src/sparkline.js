// @ts-check
/** The selected score per layer and its random-words null, as small as a word; the value of the layer that is pointed at. */

import { h } from "./dom.js";
import { hint } from "./layer_slider.js";
import { Pane } from "./pane.js";
import { niceMax } from "./state.js";
import { translate } from "./words.js";

const [WIDTH, HEIGHT, EDGE] = [84, 28, 5];

export class Sparkline extends Pane {
  /** @param {import("./types.js").Context} ctx */
  constructor(ctx) {
    super(ctx);
    this.tip = h("span", { class: "nbt-tip", hidden: true, "aria-hidden": "true" });
    this.drawing = h("svg:svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, class: "nbt-spark-lines", "aria-hidden": "true" });
    this.el = h(
      "button",
      {
        type: "button",
        class: "nbt-spark",
        onpointermove: (/** @type {PointerEvent} */ event) => this.point(event),
        onpointerleave: () => (this.tip.hidden = true),
      },
      this.drawing,
      this.tip,
    );
    this.on(["layer", "metric"], () => this.paint());
    this.paint();
  }

  /** The selected score; the first one unless one is selected. @returns {import("./types.js").Curve | undefined} */
  get curve() {
    const { metrics } = this.meta;
    return metrics.find(({ name }) => name === this.get("metric")) ?? metrics[0];
  }

  /** @param {number} layer */
  x(layer) {
    const { slots } = this.meta;
    return EDGE + (slots.indexOf(layer) * (WIDTH - 2 * EDGE)) / Math.max(1, slots.length - 1);
  }

  paint() {
    const { curve } = this;
    const { layers } = this.meta;
    const now = layers.indexOf(this.get("layer"));
    const all = [...(curve?.values ?? []), ...(curve?.baselines ?? [])].map((v) => v ?? 0);
    const max = niceMax(Math.max(...all, 0));
    const y = (/** @type {number} */ v) => HEIGHT - EDGE - ((HEIGHT - 2 * EDGE) * Math.min(v, max)) / max;
    const line = (/** @type {string} */ name, /** @type {(number | null)[]} */ values) => {
      const at = values.flatMap((v, i) => (v === null ? [] : [`${this.x(layers[i]).toFixed(1)} ${y(v).toFixed(1)}`]));
      return h("svg:path", { class: name, d: at.length ? `M${at.join("L")}` : "" });
    };
    const value = curve?.values[now] ?? 0;
    this.drawing.replaceChildren(
      line("nbt-baseline", curve?.baselines ?? layers.map(() => 0)),
      line("nbt-line", curve?.values ?? []),
      h("svg:circle", { class: "nbt-dot nbt-on", cx: this.x(layers[now]), cy: y(value), r: 3.5 }),
    );
    this.el.setAttribute("aria-label", `${this.t`Scores per layer`}. ${this.describe(now)}`);
  }

  /** Value and null at a layer. @param {number} i its place among those that have a dictionary */
  describe(i) {
    const { t, curve, meta } = this;
    if (!curve) return t`No scores in this study.`;
    const values = hint(t, curve.values[i], curve.baselines[i], translate(t, curve.baseline));
    return `${translate(t, curve.label)}, ${t`layer ${meta.layers[i]}`}: ${values}`;
  }

  /** @param {PointerEvent} event */
  point(event) {
    const box = this.drawing.getBoundingClientRect();
    const x = ((event.clientX - box.left) * WIDTH) / (box.width || 1);
    const far = this.meta.layers.map((layer) => Math.abs(this.x(layer) - x));
    this.tip.textContent = this.describe(far.indexOf(Math.min(...far)));
    this.tip.hidden = false;
  }
}
