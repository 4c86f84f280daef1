// @ts-check
/** Put panes together: one root element, one live region, one error banner. */

import { ablationPane } from "./ablation.js";
import { comparisonPane } from "./comparison.js";
import { galleryPane } from "./gallery.js";
import { guidePane } from "./guide.js";
import { h, onChange } from "./dom.js";
import { layersPane } from "./layers.js";
import { samplePane } from "./sample.js";
import { GONE } from "./source.js";
import { translate, translator } from "./words.js";

const REST = 200; // milliseconds that the first paint has for itself

/**
 * Show the view that `_kind` names.
 * @param {import("./types.js").Model} given @param {HTMLElement} el @param {import("./types.js").Source} source
 * @returns {() => void} a function that cleans up
 */
export function show(given, el, source) {
  const model = lenient(given, () => warn(GONE));
  const say = translator(model.get("_meta").locale || navigator.language);
  const ending = new AbortController();
  const { signal } = ending;
  const live = h("p", { class: "nbt-live", role: "status", "aria-live": "polite" });
  const trouble = h("span");
  const banner = h("p", { class: "nbt-error", role: "alert", hidden: true }, trouble,
    h("button", { type: "button", class: "nbt-button", text: "×", "aria-label": say`dismiss`, onclick: () => { banner.hidden = true; } }));
  const warn = (/** @type {string} */ text) => { trouble.textContent = text.endsWith(GONE) ? `Error: ${translate(say, GONE)}` : text; banner.hidden = false; };
  const failure = (/** @type {any} */ message) => { if (message?.kind === "failure") warn(`Error: ${message.text}`); };
  model.on("msg:custom", failure);
  const hello = () => model.send({ kind: "hello" }); // the front end tells of a restart; what is sent then fails
  model.on("comm_live_update", hello);
  const root = h("div", { class: `nbt-root nbt-${model.get("_kind")}`, "data-lm-suppress-shortcuts": "true",
    // JupyterLab acts on keys that reach it: an arrow would move its active cell
    onkeydown: (/** @type {KeyboardEvent} */ e) => { if (!(e.ctrlKey || e.metaKey || e.altKey)) e.stopPropagation(); } });
  let painted = new AbortController();

  /** Build the panes from what the study holds now; it may gain layers. */
  function build() {
    painted.abort();
    if (!("token" in model.get("_meta"))) return; // the kernel closes the view
    painted = new AbortController();
    /** @type {(() => void)[]} */
    const listeners = [];
    const meta = whole(model.get("_meta"));
    const here = painted.signal;
    const known = () => meta.concepts === undefined || (meta.samples && String(model.get("layer")) in meta.concepts);
    /** @type {Map<number, Promise<void>>} */
    const coming = new Map();
    /** @type {Promise<void> | undefined} */
    let named;
    const samples = () => (named ??= meta.samples ? Promise.resolve() : source.ids().then((ids) => { meta.samples = ids.map((id) => ({ id, caption: "" })); }));
    const fetchLayer = (/** @type {number} */ layer) => {
      if (!coming.has(layer)) coming.set(layer, Promise.all([samples(), source.layer(layer)]).then(([, found]) => learn(meta, layer, found)).catch((error) => { coming.delete(layer); throw error; }));
      return /** @type {Promise<void>} */ (coming.get(layer));
    };
    const ctx = {
      model, meta, source, signal: here, t: translator(meta.locale || navigator.language),
      // what a layer says comes when it is asked for; a pane hears of a change once it is there
      arrive: (/** @type {() => void} */ f) => {
        if (known()) f();
        else fetchLayer(model.get("layer")).then(() => { if (known() && !here.aborted) f(); }, (error) => ctx.say(String(error)));
      },
      marks: /** @type {Map<number, string>} */ (new Map()),
      say: (/** @type {string} */ text) => {
        if (text.startsWith("Error")) warn(text); else live.textContent = text;
      },
      onMarks: (/** @type {() => void} */ f) => listeners.push(f),
      setMarks: (/** @type {Map<number, string>} */ marks) => { ctx.marks = marks; for (const f of listeners) f(); },
    };
    /** @type {Record<string, () => HTMLElement[]>} */
    const kinds = {
      explorer: () => explorer(ctx), layers: () => [layersPane(ctx)], gallery: () => [galleryPane(ctx)], sample: () => [samplePane(ctx)],
      comparison: () => [comparisonPane(ctx)],
    };
    ctx.arrive(() => {
      root.replaceChildren(banner, ...kinds[model.get("_kind")](), live);
      setTimeout(() => others(ctx, fetchLayer), REST);
    });
  }

  build();
  onChange({ model, signal }, ["_meta"], build);
  el.classList.add("nbt");
  el.append(root);
  return () => { model.off("msg:custom", failure); model.off("comm_live_update", hello); painted.abort(); ending.abort(); source.close(); root.remove(); };
}

/**
 * A model that can be set after its kernel has gone; then `lost` is called.
 * @param {import("./types.js").Model} model @param {() => void} lost @returns {import("./types.js").Model}
 */
function lenient(model, lost) {
  const safe = (/** @type {() => void} */ f) => { try { f(); } catch { lost(); } };
  return { get: (name) => model.get(name), set: (name, value) => model.set(name, value), on: (...a) => model.on(...a), off: (...a) => model.off(...a),
    save_changes: () => safe(() => model.save_changes()), send: (...a) => safe(() => model.send(...a)) };
}

/**
 * The study as the panes read it; what the message does not have is asked for.
 * @param {any} meta @returns {any}
 */
function whole(meta) {
  if (meta.sides) return meta; // of a comparison, complete
  return { ...meta, concepts: { ...meta.concepts }, samples: meta.ids && meta.ids.map((/** @type {string} */ id, /** @type {number} */ i) => ({ id, caption: meta.captions[i] ?? "" })) };
}

/** @param {any} meta @param {number} layer @param {{ concepts: import("./types.js").Concept[], captions: Record<string, string> }} found */
function learn(meta, layer, found) {
  meta.concepts[String(layer)] = found.concepts;
  for (const [row, caption] of Object.entries(found.captions)) meta.samples[Number(row)].caption = caption;
}

/**
 * Fetch the other layers, the nearest first, one at a time: the slider then finds their words there.
 * @param {any} ctx @param {(layer: number) => Promise<void>} fetchLayer
 */
async function others(ctx, fetchLayer) {
  const { meta, model, signal } = ctx;
  const far = (/** @type {number} */ layer) => Math.abs(layer - model.get("layer"));
  const missing = (meta.layers ?? []).filter((/** @type {number} */ layer) => !(String(layer) in meta.concepts));
  while (missing.length && !signal.aborted) {
    missing.sort((/** @type {number} */ a, /** @type {number} */ b) => far(b) - far(a));
    try { await fetchLayer(missing.pop()); } catch { return; } // it is asked for again when it is shown, and told then
  }
}

/** @param {any} ctx @returns {HTMLElement[]} */
function explorer(ctx) {
  const { meta, model, t } = ctx;
  const concepts = meta.concepts[String(model.get("layer"))].length;
  const layers = layersPane(ctx);
  const head = h("div", { class: "nbt-head" },
    h("div", { class: "nbt-title" }, h("h2", { class: "nbt-token", text: `“${meta.token}”` }),
      h("p", { class: "nbt-sub", text: t`${meta.model} · ${meta.samples.length} pictures · ${concepts} concepts by ${meta.method}` }),
      layers.querySelector(".nbt-preview"), viewTools(ctx)),
    layers);
  const gallery = galleryPane(ctx);
  const sample = samplePane(ctx);
  /** @type {Record<string, [string, HTMLElement]>} */
  const panes = { gallery: [t`Concepts`, gallery], sample: [t`Picture`, sample], ...(ctx.source.job ? { ablation: [t`Switch off`, ablationPane(ctx)] } : {}) };
  const body = h("div", { class: "nbt-body", "data-tab": "gallery" }, ...Object.values(panes).map(([, pane]) => pane));
  const names = Object.keys(panes);
  const tabs = names.map((name) => h("button", { type: "button", class: "nbt-tab", "aria-pressed": String(name === "gallery"), text: panes[name][0],
    onclick: () => { body.dataset.tab = name; tabs.forEach((t, i) => t.setAttribute("aria-pressed", String(names[i] === name))); } }));
  onChange(ctx, ["sample"], () => tabs[1].classList.toggle("nbt-fresh", body.dataset.tab === "gallery" && model.get("sample") !== null));
  return [...(model.get("steps")?.length ? [guidePane(ctx)] : []), head, h("div", { class: "nbt-tabs", role: "group", "aria-label": t`Pane` }, ...tabs), body];
}

/**
 * Full screen, and the line of Python that opens this view again.
 * @param {any} ctx
 */
function viewTools(ctx) {
  const { model, meta, t } = ctx;
  const line = h("input", { class: "nbt-search nbt-code", readonly: true, hidden: true, "aria-label": t`Python that opens this view` });
  const copy = h("button", { type: "button", class: "nbt-button", text: t`Copy as Python`, onclick: async () => {
    const literal = (/** @type {any} */ v) => (v === null ? "None" : JSON.stringify(v));
    line.value = `nbt.explore(study${meta.live ? ", model" : ""}, layer=${model.get("layer")}, concept=${literal(model.get("concept"))}, sample=${literal(model.get("sample"))})`;
    line.hidden = false;
    line.select();
    await navigator.clipboard?.writeText(line.value).then(() => ctx.say(t`copied`), () => {}); // some hosts forbid it: the line is selected
  } });
  const full = h("button", { type: "button", class: "nbt-button", text: t`Full screen`, onclick: () => {
    const root = full.closest(".nbt-root");
    if (document.fullscreenElement) document.exitFullscreen();
    else root?.requestFullscreen?.().catch(() => ctx.say(`Error: ${t`this place forbids full screen`}`));
  } });
  return h("div", { class: "nbt-toolbar nbt-view-tools" }, copy, document.fullscreenEnabled ? full : null, line);
}
