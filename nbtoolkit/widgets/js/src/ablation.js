// @ts-check
/** Layer ablation: switch layers, branches, heads or a concept off in the live model, and see what it says then. */

import { translate } from "./words.js";
import { freshId, h, onChange, signed } from "./dom.js";
import { saving } from "./saving.js";
import { conceptName, niceMax } from "./state.js";

const W = 560, H = 130, LEFT = 44, RIGHT = 8, TOP = 8, BOTTOM = 20;
const PARTS = { block: "the whole layer", attention: "its attention", mlp: "its MLP" };
const HOW = { zero: "adds nothing", mean: "adds its mean" };
const MANY = 16; // pictures of the mean

/** @param {import("./types.js").Context & { marks?: Map<number, string> }} ctx */
export function ablationPane(ctx) {
  const { model, meta, source, t } = ctx;
  const live = /** @type {NonNullable<typeof meta.live>} */ (meta.live);
  const layers = Array.from({ length: live.n_layers }, (_, i) => i + 1);
  /** @type {Set<number>} */
  const off = new Set();
  let turn = 0;
  /** @type {import("./types.js").Job | null} */
  let sweeping = null;

  const choice = (/** @type {string} */ label, /** @type {Record<string, string>} */ options) =>
    h("select", { class: "nbt-select", "aria-label": label, onchange: () => { heads.disabled = part.value !== "attention" || how.value !== "zero"; ask(); } },
      ...Object.entries(options).map(([value, text]) => h("option", { value, text: translate(t, text) })));
  const part = choice(t`part that is switched off`, PARTS);
  const how = choice(t`what it does instead`, HOW);
  const heads = h("input", { class: "nbt-search nbt-heads", placeholder: t`all heads`, "aria-label": t`heads, 0 to ${live.n_heads - 1}, separated by commas; all where empty`, disabled: true, onchange: ask });
  const buttons = layers.map((layer) => h("button", { type: "button", class: "nbt-switch", "aria-pressed": "false", "aria-label": t`switch off layer ${layer}`, text: layer,
    onclick: () => toggle(layer) }));
  const conceptBox = h("input", { type: "checkbox", onchange: ask });
  const conceptLabel = h("span");
  const reset = h("button", { type: "button", class: "nbt-button", text: t`Reset`, hidden: true, onclick: () => { off.clear(); conceptBox.checked = false; sync(); ask(); } });
  const result = h("div", { class: "nbt-effect", "aria-live": "polite" });
  const run = h("button", { type: "button", class: "nbt-button", text: t`This picture, every layer in turn`, onclick: () => sweep([model.get("sample")]) });
  const runMany = h("button", { type: "button", class: "nbt-button", text: t`… and ${Math.min(MANY, meta.samples.length)} pictures`, onclick: () => sweep(some()) });
  const progress = h("progress", { max: 1, value: 0, hidden: true, "aria-label": t`pictures done` });
  const stop = h("button", { type: "button", class: "nbt-button", text: t`Cancel`, hidden: true, onclick: () => sweeping?.cancel() });
  const chart = h("div", { class: "nbt-effects" });
  const id = freshId("ablation");
  const el = h("section", { class: "nbt-ablation", "aria-labelledby": id },
    h("div", { class: "nbt-ablation-head" }, h("h3", { class: "nbt-h", id, text: t`Switch layers off` }),
      h("span", { class: "nbt-note", text: t`live, in ${live.name}` })),
    h("div", { class: "nbt-ablation-body" },
      h("div", {},
        h("div", { class: "nbt-switches", role: "group", "aria-label": t`Layers` }, ...buttons),
        h("div", { class: "nbt-toolbar" }, part, how, heads, reset),
        h("label", { class: "nbt-check" }, conceptBox, conceptLabel),
        result),
      h("div", {}, h("div", { class: "nbt-toolbar" }, run, runMany, progress, stop), chart)));

  function toggle(/** @type {number} */ layer) {
    if (!off.delete(layer)) off.add(layer);
    sync();
    ask();
  }

  function sync() {
    buttons.forEach((b, i) => b.setAttribute("aria-pressed", String(off.has(layers[i]))));
    const k = model.get("concept");
    const concept = meta.concepts[String(model.get("layer"))][k ?? -1];
    conceptBox.disabled = !concept;
    conceptLabel.textContent = concept ? t`take concept ${k}, ${conceptName(concept, k, meta.token)}, out of layer ${model.get("layer")}` : t`select a concept to take it out`;
    reset.hidden = !off.size && !conceptBox.checked;
  }

  /** Ask the model, and drop answers to earlier questions. */
  async function ask() {
    const mine = ++turn;
    sync();
    if (!off.size && !conceptBox.checked) { result.replaceChildren(h("p", { class: "nbt-note", text: t`Nothing is switched off.` })); result.classList.remove("nbt-stale"); return; }
    result.classList.add("nbt-stale");
    const chosen = part.value === "attention" && how.value === "zero" ? heads.value.split(/[\s,]+/).filter(Boolean).map(Number) : [];
    const question = { sample: model.get("sample"), layers: [...off].sort((a, b) => a - b), part: part.value, how: how.value, heads: chosen.length ? chosen : null,
      concept: conceptBox.checked ? model.get("concept") : null, at: model.get("layer") };
    try {
      const answer = await source.job?.("ablate", question).answer;
      if (mine === turn) { show(answer); result.classList.remove("nbt-stale"); }
    } catch (error) {
      if (mine === turn) { result.replaceChildren(h("p", { class: "nbt-error", text: String(error) })); result.classList.remove("nbt-stale"); }
    }
  }

  /** @param {any} answer */
  function show(answer) {
    const concepts = meta.concepts[String(answer.layer)];
    const change = answer.after - answer.before;
    const tags = { same: "span", gone: "del", new: "ins" };
    const chips = (/** @type {string} */ title, /** @type {number[]} */ rows) => rows.length ? h("p", {}, `${title}: `,
      ...rows.map((k) => h("span", { class: "nbt-chip", style: { borderColor: ctx.marks?.get(k) ?? "" }, text: `${k} ${conceptName(concepts[k], k, meta.token)}` }))) : null;
    result.replaceChildren(
      h("p", { class: "nbt-said" }, ...answer.difference.flatMap((/** @type {[keyof typeof tags, string]} */ [kind, words]) => [h(tags[kind], { text: words }), " "])),
      h("p", {}, `${t`log-probability of “${meta.token}” there`}: `, h("strong", { text: t`${signed(change, 3, "+")} nats` }),
        h("span", { class: "nbt-note", text: ` ${t`(from ${signed(answer.before, 3)} to ${signed(answer.after, 3)})`}` })),
      ...[chips(t`concepts that vanish`, answer.vanished), chips(t`that appear`, answer.appeared)].filter((x) => x !== null));
    ctx.say(`${t`${signed(change, 3, "+")} nats`}. ${t`The model says`}: ${answer.caption}`);
  }

  /** The selected picture first, then others spread over the study. */
  function some() {
    const step = Math.max(1, Math.floor(meta.samples.length / MANY));
    const ids = meta.samples.filter((_, i) => i % step === 0).map((s) => s.id);
    return [...new Set([model.get("sample"), ...ids])].slice(0, MANY);
  }

  /** @param {string[]} samples */
  async function sweep(samples) {
    sweeping?.cancel();
    const job = source.job?.("sweep", { samples, part: part.value, how: how.value }, (done, total) => { progress.value = done / total; });
    if (!job) return;
    sweeping = job;
    progress.value = 0;
    progress.hidden = stop.hidden = false;
    try {
      const found = await job.answer;
      if (sweeping === job) drawEffects(found);
    } catch (error) {
      if (sweeping === job) chart.replaceChildren(h("p", { class: String(error).includes("Cancelled") ? "nbt-note" : "nbt-error", text: String(error).replace(/^Error: Cancelled: /, "") }));
    }
    if (sweeping === job) { progress.hidden = stop.hidden = true; sweeping = null; }
  }

  /** @param {{ layers: number[], change: number[][], null: number[][], samples: string[] }} found */
  function drawEffects(found) {
    const n = found.change.length;
    if (!n) { chart.replaceChildren(h("p", { class: "nbt-note", text: t`The model does not say the word about these pictures.` })); return; }
    const mean = found.layers.map((_, j) => found.change.reduce((s, row) => s + row[j], 0) / n);
    const chance = found.layers.map((_, j) => found.null.reduce((s, row) => s + row[j], 0) / n);
    const own = found.change[0];
    const low = -niceMax(Math.max(1e-6, ...own.map((v) => -v), ...mean.map((v) => -v))), top = Math.max(0, ...own, ...mean);
    const high = top > 0.05 * -low ? niceMax(top) : 0;
    const slot = (W - LEFT - RIGHT) / found.layers.length;
    const x = (/** @type {number} */ j) => LEFT + slot * (j + 0.5);
    const y = (/** @type {number} */ v) => TOP + (H - TOP - BOTTOM) * (high - v) / (high - low);
    const digits = low > -0.1 ? 3 : low > -10 ? 1 : 0;
    const every = Math.ceil(found.layers.length / 16);
    const ticks = [...new Set([high, 0, low / 2, low])].map((v) => h("svg:g", {}, h("svg:line", { class: "nbt-grid", x1: LEFT, x2: W - RIGHT, y1: y(v), y2: y(v) }),
      h("svg:text", { class: "nbt-tick", x: LEFT - 5, y: y(v) + 3.5, "text-anchor": "end", text: signed(v, digits) })));
    const bars = found.layers.map((layer, j) => h("svg:rect", { class: "nbt-effect-bar", x: x(j) - slot * 0.3, width: slot * 0.6, y: Math.min(y(0), y(own[j])), height: Math.max(1, Math.abs(y(own[j]) - y(0))) }));
    const hits = found.layers.map((layer, j) => h("svg:rect", { class: "nbt-hit", x: x(j) - slot / 2, y: 0, width: slot, height: H, onclick: () => toggle(layer) },
      h("svg:title", { text: t`layer ${layer}: ${signed(own[j], 3)} nats here, ${signed(mean[j], 3)} on average, ${signed(chance[j], 3)} for a random direction` })));
    const labels = found.layers.map((layer, j) => j % every ? null : h("svg:text", { class: "nbt-tick", x: x(j), y: H - 5, "text-anchor": "middle", text: layer }));
    const line = chance.map((v, j) => `${j ? "L" : "M"}${x(j).toFixed(1)} ${y(v).toFixed(1)}`).join("");
    const summary = `${t`Change in nats without each layer`}: ${found.layers.map((l, j) => `${t`layer ${l}`} ${signed(own[j], 2)}`).join(", ")}`;
    chart.replaceChildren(h("figure", { class: "nbt-figure nbt-wide" },
      h("figcaption", {}, t`Change in nats without each layer` + " ", h("span", { class: "nbt-legend" }, h("i", { class: "nbt-key nbt-key-bar" }), t`this picture` + " ",
        ...(n > 1 ? [h("i", { class: "nbt-key nbt-key-dot" }), t`mean of ${n}` + " "] : []), h("i", { class: "nbt-key nbt-key-line" }), t`a random direction`), saving(t, () => chart.querySelector("svg"), "effects")),
      h("svg:svg", { viewBox: `0 0 ${W} ${H}`, role: "img", "aria-label": summary, class: "nbt-chart" }, ...ticks, ...bars, h("svg:path", { class: "nbt-baseline", d: line }),
        ...(n > 1 ? mean.map((v, j) => h("svg:circle", { class: "nbt-mean", cx: x(j), cy: y(v), r: 4 })) : []), ...labels, ...hits)));
  }

  onChange(ctx, ["sample", "layer", "concept"], () => { chart.replaceChildren(); ask(); });
  ctx.signal.addEventListener("abort", () => sweeping?.cancel());
  ask();
  return el;
}
