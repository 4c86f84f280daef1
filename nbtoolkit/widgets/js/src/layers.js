// @ts-check
/** LayerSlider: one slot a layer, small charts that share the axis, a native range input underneath. */

import { translate } from "./words.js";
import { commit, format, freshId, h, onChange } from "./dom.js";
import { saving } from "./saving.js";
import { conceptName, niceMax } from "./state.js";

const W = 300, H = 96, LEFT = 34, RIGHT = 12, TOP = 8, BOTTOM = 20;

const BEAT = 1200; // milliseconds a layer, while playing

/** @param {import("./types.js").Context} ctx */
export function layersPane(ctx) {
  const { model, meta, source, t } = ctx;
  const { layers, slots } = meta;
  const missing = slots.filter((layer) => !layers.includes(layer));
  const id = freshId("layer");
  const at = () => Math.max(0, layers.indexOf(model.get("layer")));
  const go = (/** @type {number} */ place) => {
    const layer = layers[Math.min(layers.length - 1, Math.max(0, place))];
    if (layer !== model.get("layer")) commit(model, { layer });
  };

  const value = h("strong");
  const range = h("input", { type: "range", min: 0, max: layers.length - 1, step: 1, id, class: "nbt-range",
    oninput: () => { stop(); go(Number(range.value)); } });
  const step = (/** @type {string} */ label, /** @type {string} */ sign, /** @type {number} */ by) =>
    h("button", { type: "button", class: "nbt-step", "aria-label": label, onclick: () => { stop(); go(at() + by); }, text: sign });
  const preview = h("p", { class: "nbt-preview", "aria-hidden": "true" });
  const show = (/** @type {number} */ layer) => { preview.textContent = layers.includes(layer) ? describe(ctx, layer) : t`Layer ${layer} is not computed.`; };
  const metric = h("select", { class: "nbt-select nbt-metric", "aria-label": t`Score by layer`, onchange: () => commit(model, { metric: metric.value }) },
    h("option", { value: "", text: t`main scores` }), h("option", { value: "all", text: t`all scores` }), ...meta.metrics.map((c) => h("option", { value: c.name, text: translate(t, c.label) })));
  const charts = meta.metrics.map((curve) => chart(ctx.t, curve, layers, slots, (layer) => { stop(); if (layers.includes(layer)) go(layers.indexOf(layer)); }, (layer) => show(layer ?? layers[at()])));

  /** @type {number | undefined} */
  let timer;
  const play = h("button", { type: "button", class: "nbt-step", "aria-label": t`play`, text: "▶", onclick: () => {
    if (timer !== undefined) { stop(); return; }
    play.textContent = "❚❚";
    play.setAttribute("aria-label", t`pause`);
    if (at() === layers.length - 1) go(0);
    timer = window.setInterval(() => { if (at() === layers.length - 1) stop(); else go(at() + 1); }, BEAT);
  } });
  function stop() {
    clearInterval(timer);
    timer = undefined;
    play.textContent = "▶";
    play.setAttribute("aria-label", t`play`);
  }
  ctx.signal.addEventListener("abort", stop);

  const el = h("section", { class: "nbt-layers", "aria-label": t`Layers` },
    h("div", { class: "nbt-layer-row" },
      h("label", { for: id, class: "nbt-layer-label" }, t`Layer` + " ", value, " " + t`of ${meta.n_layers}`),
      step(t`previous layer`, "‹", -1), range, step(t`next layer`, "›", 1), layers.length > 1 ? play : null, charts.length > 2 ? metric : null),
    charts.length ? h("div", { class: "nbt-charts" }, ...charts.map((c) => c.el)) : h("p", { class: "nbt-note", text: t`No scores in this study.` }),
    missing.length && source.job ? computing() : null,
    preview);

  /** A button that lets the kernel learn the layers that the study lacks. */
  function computing() {
    /** @type {import("./types.js").Job | null} */
    let job = null;
    const progress = h("progress", { max: 1, value: 0, hidden: true, "aria-label": t`layers done` });
    const cancel = h("button", { type: "button", class: "nbt-button", text: t`Cancel`, hidden: true, onclick: () => job?.cancel() });
    const start = h("button", { type: "button", class: "nbt-button", text: missing.length === 1 ? t`compute layer ${missing[0]}` : t`compute the ${missing.length} other layers`, onclick: async () => {
      start.disabled = true;
      progress.hidden = cancel.hidden = false;
      job = source.job?.("compute", { layers: missing }, (done, total) => { progress.value = done / total; }) ?? null;
      await job?.answer.catch((error) => ctx.say(String(error))); // then the view is built again with what there is
      start.disabled = false;
      progress.hidden = cancel.hidden = true;
    } });
    return h("div", { class: "nbt-toolbar nbt-computing" }, start, progress, cancel);
  }

  const sync = () => {
    const place = at(), layer = layers[place];
    value.textContent = String(layer);
    range.value = String(place);
    range.setAttribute("aria-valuetext", `${t`layer ${layer}`}. ${meta.metrics.map((c) => `${translate(t, c.label)} ${number(c.values[place])}`).join(", ")}`);
    for (const c of charts) c.mark(place);
    show(layer);
  };
  const choose = () => {
    metric.value = model.get("metric");
    charts.forEach((c, i) => { c.el.hidden = metric.value === "" ? i > 1 : metric.value !== "all" && meta.metrics[i].name !== metric.value; });
  };
  onChange(ctx, ["metric"], choose);
  choose();
  onChange(ctx, ["layer"], () => {
    sync();
    ctx.say(describe(ctx, model.get("layer")));
  });
  sync();
  return el;
}

/** @param {number | null} value @param {number} [digits] */
const number = (value, digits = 2) => (value === null ? "–" : format(value, digits));

/** @param {import("./types.js").Context} ctx @param {number} layer */
function describe({ meta, t }, layer) {
  return t`Layer ${layer}: ${meta.tops[String(layer)].map(([k, words]) => conceptName({ words }, k, meta.token)).join(", ")}`;
}

/**
 * One metric by layer: line, spread, dashed baseline; slots can be clicked. Layers without a dictionary are hollow.
 * @param {import("./types.js").Translator} t @param {import("./types.js").Curve} curve @param {number[]} layers @param {number[]} slots
 * @param {(layer: number) => void} go @param {(layer: number | null) => void} hover
 */
function chart(t, curve, layers, slots, go, hover) {
  const label = translate(t, curve.label), baseline = translate(t, curve.baseline);
  /** What there is to draw: the slot, value, spread and baseline of each layer that has the score. */
  const points = layers.flatMap((layer, i) => {
    const value = curve.values[i];
    return value === null ? [] : [{ layer, slot: slots.indexOf(layer), value, spread: curve.spread[i] ?? 0, chance: curve.baselines[i] }];
  });
  const max = niceMax(Math.max(...points.map((p) => Math.max(p.value + p.spread, p.chance ?? 0))));
  const width = (W - LEFT - RIGHT) / slots.length;
  const x = (/** @type {number} */ slot) => LEFT + width * (slot + 0.5);
  const y = (/** @type {number} */ v) => TOP + (H - TOP - BOTTOM) * (1 - Math.max(0, v) / max);
  const path = (/** @type {{ slot: number, v: number }[]} */ ps) => ps.map(({ slot, v }, i) => `${i ? "L" : "M"}${x(slot).toFixed(1)} ${y(v).toFixed(1)}`).join("");
  const band = `${path([...points.map((p) => ({ slot: p.slot, v: p.value + p.spread })), ...points.map((p) => ({ slot: p.slot, v: p.value - p.spread })).reverse()])}Z`;
  const chance = points.flatMap((p) => (p.chance === null ? [] : [{ slot: p.slot, v: p.chance }]));
  const cursor = h("svg:rect", { class: "nbt-cursor", y: TOP, width, height: H - TOP - BOTTOM });
  const dots = points.map((p) => h("svg:circle", { class: "nbt-dot", cx: x(p.slot), cy: y(p.value), r: 3 }));
  const every = Math.ceil(slots.length / 12);
  const labels = slots.map((layer, slot) => slot % every ? null : h("svg:text", { class: layers.includes(layer) ? "nbt-tick" : "nbt-tick nbt-absent", x: x(slot), y: H - 6, "text-anchor": "middle", text: layer }));
  const grid = [0, max / 2, max].map((v) => h("svg:g", {},
    h("svg:line", { class: "nbt-grid", x1: LEFT, x2: W - RIGHT, y1: y(v), y2: y(v) }),
    h("svg:text", { class: "nbt-tick", x: LEFT - 5, y: y(v) + 3.5, "text-anchor": "end", text: format(v, max < 0.1 ? 3 : max <= 1 ? 2 : 1) })));
  const about = (/** @type {number} */ layer) => {
    const p = points.find((q) => q.layer === layer);
    return `${t`layer ${layer}`}: ${p ? `${format(p.value, 3)}${p.chance === null ? "" : `, ${baseline} ${format(p.chance, 3)}`}` : t`not computed`}`;
  };
  const hits = slots.map((layer, slot) => h("svg:rect", { class: "nbt-hit", x: x(slot) - width / 2, y: 0, width, height: H,
    onclick: () => go(layer), onpointerenter: () => hover(layer), onpointerleave: () => hover(null) }, h("svg:title", { text: about(layer) })));
  const better = curve.better === "lower" ? t`lower is better` : curve.better && t`higher is better`;
  const summary = `${t`${label} by layer`}${better && `, ${better}`}: ${points.map((p) => `${t`layer ${p.layer}`} ${format(p.value)}`).join(", ")}`;
  const svg = h("svg:svg", { viewBox: `0 0 ${W} ${H}`, role: "img", "aria-label": summary, class: "nbt-chart" },
    ...grid, cursor, h("svg:path", { class: "nbt-band", d: band }), chance.length ? h("svg:path", { class: "nbt-baseline", d: path(chance) }) : null,
    h("svg:path", { class: "nbt-line", d: path(points.map((p) => ({ slot: p.slot, v: p.value }))) }), ...dots, ...labels, ...hits);
  const current = h("strong");
  const el = h("figure", { class: "nbt-figure" },
    h("figcaption", {}, `${label} `, current, chance.length ? h("span", { class: "nbt-legend", text: `– – ${baseline}` }) : null, saving(t, () => svg, curve.name)), svg);
  return {
    el,
    /** @param {number} i place of the layer among those that have a dictionary */
    mark(i) {
      cursor.setAttribute("x", String(x(slots.indexOf(layers[i])) - width / 2));
      current.textContent = number(curve.values[i]);
      dots.forEach((d, j) => { const on = points[j].layer === layers[i]; d.classList.toggle("nbt-on", on); d.setAttribute("r", on ? "5" : "3"); });
    },
  };
}
