// @ts-check
/** LayerSlider: one slot a layer, small charts that share the axis, a native range input underneath. */

import { translate } from "./words.js";
import { commit, format, freshId, h, onChange } from "./dom.js";
import { conceptName, niceMax } from "./state.js";

const W = 300, H = 96, LEFT = 34, RIGHT = 12, TOP = 8, BOTTOM = 20;

/** @param {import("./types.js").Context} ctx */
export function layersPane(ctx) {
  const { model, meta, t } = ctx;
  const { layers } = meta;
  const id = freshId("layer");
  const at = () => Math.max(0, layers.indexOf(model.get("layer")));
  const go = (/** @type {number} */ slot) => {
    const layer = layers[Math.min(layers.length - 1, Math.max(0, slot))];
    if (layer !== model.get("layer")) commit(model, { layer });
  };

  const value = h("strong");
  const range = h("input", { type: "range", min: 0, max: layers.length - 1, step: 1, id, class: "nbt-range",
    oninput: () => go(Number(range.value)) });
  const step = (/** @type {string} */ label, /** @type {string} */ sign, /** @type {number} */ by) =>
    h("button", { type: "button", class: "nbt-step", "aria-label": label, onclick: () => go(at() + by), text: sign });
  const preview = h("p", { class: "nbt-preview", "aria-hidden": "true" });
  const show = (/** @type {number} */ slot) => { preview.textContent = describe(ctx, layers[slot]); };
  const charts = meta.metrics.map((curve) => chart(ctx.t, curve, layers, go, (slot) => show(slot ?? at())));
  const el = h("section", { class: "nbt-layers", "aria-label": t`Layers` },
    h("div", { class: "nbt-layer-row" },
      h("label", { for: id, class: "nbt-layer-label" }, t`Layer` + " ", value, " " + t`of ${meta.n_layers}`),
      step(t`previous layer`, "‹", -1), range, step(t`next layer`, "›", 1)),
    charts.length ? h("div", { class: "nbt-charts" }, ...charts.map((c) => c.el)) : h("p", { class: "nbt-note", text: t`No scores in this study.` }),
    preview);

  const sync = () => {
    const slot = at();
    value.textContent = String(layers[slot]);
    range.value = String(slot);
    range.setAttribute("aria-valuetext", `${t`layer ${layers[slot]}`}. ${meta.metrics.map((c) => `${translate(t, c.label)} ${format(c.values[slot])}`).join(", ")}`);
    for (const c of charts) c.mark(slot);
    show(slot);
  };
  onChange(ctx, ["layer"], () => {
    sync();
    ctx.say(describe(ctx, model.get("layer")));
  });
  sync();
  return el;
}

/** @param {import("./types.js").Context} ctx @param {number} layer */
function describe({ meta, t }, layer) {
  const concepts = meta.concepts[String(layer)];
  const top = concepts.map((c, k) => ({ c, k })).sort((a, b) => b.c.share - a.c.share).slice(0, 6);
  return t`Layer ${layer}: ${top.map(({ c, k }) => conceptName(c, k, meta.token)).join(", ")}`;
}

/**
 * One metric by layer: line, spread, dashed baseline; slots can be clicked.
 * @param {import("./types.js").Translator} t @param {import("./types.js").Curve} curve @param {number[]} layers
 * @param {(slot: number) => void} go @param {(slot: number | null) => void} hover
 */
function chart(t, curve, layers, go, hover) {
  const label = translate(t, curve.label), baseline = translate(t, curve.baseline);
  const tops = curve.values.map((v, i) => v + (curve.spread[i] ?? 0));
  const max = niceMax(Math.max(...tops, ...curve.baselines.map((b) => b ?? 0)));
  const slot = (W - LEFT - RIGHT) / layers.length;
  const x = (/** @type {number} */ i) => LEFT + slot * (i + 0.5);
  const y = (/** @type {number} */ v) => TOP + (H - TOP - BOTTOM) * (1 - Math.max(0, v) / max);
  const path = (/** @type {number[]} */ vs) => vs.map((v, i) => `${i ? "L" : "M"}${x(i).toFixed(1)} ${y(v).toFixed(1)}`).join("");
  const lows = curve.values.map((v, i) => v - (curve.spread[i] ?? 0));
  const band = `${path(tops)}${lows.map((v, i) => [v, i]).reverse().map(([v, i]) => `L${x(i).toFixed(1)} ${y(v).toFixed(1)}`).join("")}Z`;
  const hasBaseline = curve.baselines.every((b) => b !== null);
  const cursor = h("svg:rect", { class: "nbt-cursor", y: TOP, width: slot, height: H - TOP - BOTTOM });
  const dots = curve.values.map((v, i) => h("svg:circle", { class: "nbt-dot", cx: x(i), cy: y(v), r: 3 }));
  const every = Math.ceil(layers.length / 12);
  const labels = layers.map((layer, i) => i % every ? null : h("svg:text", { class: "nbt-tick", x: x(i), y: H - 6, "text-anchor": "middle", text: layer }));
  const grid = [0, max / 2, max].map((v) => h("svg:g", {},
    h("svg:line", { class: "nbt-grid", x1: LEFT, x2: W - RIGHT, y1: y(v), y2: y(v) }),
    h("svg:text", { class: "nbt-tick", x: LEFT - 5, y: y(v) + 3.5, "text-anchor": "end", text: format(v, max < 0.1 ? 3 : max <= 1 ? 2 : 1) })));
  const hits = layers.map((layer, i) => h("svg:rect", { class: "nbt-hit", x: x(i) - slot / 2, y: 0, width: slot, height: H,
    onclick: () => go(i), onpointerenter: () => hover(i), onpointerleave: () => hover(null) },
    h("svg:title", { text: `${t`layer ${layer}`}: ${format(curve.values[i], 3)}${hasBaseline ? `, ${baseline} ${format(curve.baselines[i] ?? 0, 3)}` : ""}` })));
  const better = curve.better === "lower" ? t`lower is better` : t`higher is better`;
  const summary = `${t`${label} by layer`}, ${better}: ${layers.map((l, i) => `${t`layer ${l}`} ${format(curve.values[i])}`).join(", ")}`;
  const svg = h("svg:svg", { viewBox: `0 0 ${W} ${H}`, role: "img", "aria-label": summary, class: "nbt-chart" },
    ...grid, cursor, h("svg:path", { class: "nbt-band", d: band }),
    hasBaseline ? h("svg:path", { class: "nbt-baseline", d: path(curve.baselines.map((b) => b ?? 0)) }) : null,
    h("svg:path", { class: "nbt-line", d: path(curve.values) }), ...dots, ...labels, ...hits);
  const current = h("strong");
  const el = h("figure", { class: "nbt-figure" },
    h("figcaption", {}, `${label} `, current, hasBaseline ? h("span", { class: "nbt-legend", text: `– – ${baseline}` }) : null), svg);
  return {
    el,
    /** @param {number} i */
    mark(i) {
      cursor.setAttribute("x", String(x(i) - slot / 2));
      current.textContent = format(curve.values[i]);
      dots.forEach((d, j) => { d.classList.toggle("nbt-on", j === i); d.setAttribute("r", j === i ? "5" : "3"); });
    },
  };
}
