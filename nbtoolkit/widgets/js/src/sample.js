// @ts-check
/** SampleAttribution: one picture, what the model said, and the concepts behind the word. */

import { translate } from "./words.js";
import { commit, format, h, onChange, percent, reason, signed } from "./dom.js";
import { describeMap, mapOf, OVERLAYS, overlayCanvas, overlayScale, paintMap, scoreAt } from "./overlay.js";
import { saving } from "./saving.js";
import { COLOURS, conceptName, strongest } from "./state.js";

const SIDE = 1024; // pixels: what is sent of a picture that is larger

/** @param {import("./types.js").Context & { setMarks?(marks: Map<number, string>): void }} ctx */
export function samplePane(ctx) {
  const { model, meta, source, t } = ctx;
  const heading = h("h3", { class: "nbt-h" });
  const button = (/** @type {string} */ label, /** @type {string} */ sign, /** @type {number} */ by) =>
    h("button", { type: "button", class: "nbt-step", "aria-label": label, text: sign, onclick: () => {
      const n = meta.samples.length;
      commit(model, { sample: meta.samples[(row() + by + n) % n].id });
    } });
  const picture = h("img", { class: "nbt-picture", alt: "" });
  const canvas = overlayCanvas();
  const frame = h("div", { class: "nbt-frame" }, picture, canvas);
  const overlay = h("select", { class: "nbt-select", "aria-label": t`Overlay of the selected concept`, onchange: () => paintOverlay() },
    ...Object.entries(OVERLAYS).map(([value, text]) => h("option", { value, text: translate(t, text) })));
  const owing = h("button", { type: "button", class: "nbt-button", "aria-pressed": "false", text: t`effect on the word`,
    title: t`what the word's log-probability loses without each concept, in nats`, onclick: () => { owing.setAttribute("aria-pressed", String(owing.getAttribute("aria-pressed") !== "true")); piece = null; paint(); } });
  const file = h("input", { type: "file", accept: "image/*", class: "nbt-file", onchange: () => { if (file.files?.[0]) explain(file.files[0], false); file.value = ""; } });
  const upload = h("label", { class: "nbt-button nbt-own" }, t`your own picture…`, file);
  const every = h("button", { type: "button", class: "nbt-button", "aria-pressed": "false", text: t`every word`, title: t`point at a word of the answer for what it means here`,
    onclick: () => { every.setAttribute("aria-pressed", String(every.getAttribute("aria-pressed") !== "true")); piece = null; paint(); } });
  const tools = source.maps ? h("div", { class: "nbt-toolbar" }, overlay, ...(source.asked ? [owing, every] : []), source.job ? upload : null) : null;
  const where = h("p", { class: "nbt-note nbt-where", hidden: true });
  const shades = h("p", { class: "nbt-scale" });
  const missing = h("p", { class: "nbt-note", hidden: true });
  const said = h("p", { class: "nbt-said", dir: "auto" });
  const bars = h("ul", { class: "nbt-bars" });
  const barsHeading = h("h3", { class: "nbt-h" });
  const drawing = h("div", { class: "nbt-drawing", "aria-hidden": "true" });
  const scale = h("p", { class: "nbt-note" });
  const references = h("ul", { class: "nbt-references" });
  const details = h("details", { class: "nbt-details" }, h("summary", { text: t`Captions that came with the picture` }), references);
  const el = h("section", { class: "nbt-sample", "aria-label": t`One picture` },
    h("div", { class: "nbt-sample-head" }, heading, button(t`previous picture`, "‹", -1), button(t`next picture`, "›", 1)),
    h("div", { class: "nbt-sample-body" },
      h("div", { class: "nbt-sample-picture" }, frame, tools, shades, where, missing, h("h3", { class: "nbt-h", text: t`The model says` }), said, details),
      h("div", { class: "nbt-sample-bars" }, h("div", { class: "nbt-bars-head" }, barsHeading, saving(t, () => barsChart(), "concepts")), bars, scale, drawing)));
  const row = () => Math.max(0, meta.samples.findIndex((s) => s.id === model.get("sample")));
  let turn = 0;
  let trouble = ""; // why a question about the word has no answer

  async function paint() {
    const mine = ++turn;
    own = null;
    if (model.get("_own")) commit(model, { _own: null });
    const i = row();
    const layer = model.get("layer");
    heading.textContent = t`Picture ${i + 1} of ${meta.samples.length}`;
    try {
      const [{ facts, url }, acts] = await Promise.all([sampleOf(i), source.activations(layer)]);
      if (mine !== turn) return; // a later answer is on its way
      frame.hidden = !url;
      missing.hidden = Boolean(url);
      missing.textContent = facts.pictured ? t`This picture is not in the page; export with a larger max_mb.` : t`The study has no picture of this sample.`;
      if (url && picture.src !== url) picture.src = url;
      picture.alt = facts.captions[0] ?? facts.caption;
      trouble = "";
      words = await asked(every, "words", i, layer);
      if (mine !== turn) return;
      if (words) paintPieces();
      else said.replaceChildren(...facts.pieces.map((piece, k) => k === facts.position && piece ? h("mark", { text: piece }) : piece));
      details.hidden = !facts.captions.length;
      references.replaceChildren(...facts.captions.map((c) => h("li", { text: c })));
      const owed = await asked(owing, "owed", i, layer);
      if (mine !== turn) return;
      study = [acts, i, owed];
      paintWord(piece ?? words?.position ?? null);
      paintOverlay();
    } catch (error) {
      ctx.say(String(error));
    }
  }

  /** @type {any} */
  let words = null; // every piece of the answer, taken apart
  /** @type {number | null} */
  let piece = null; // the one that stays, once it was clicked
  /** @type {[import("./types.js").Activations, number, any]} */
  let study;

  /** The bars of one piece of the answer, or of the token as the study has it. @param {number | null} at */
  function paintWord(at) {
    const layer = model.get("layer");
    if (!words || at === null || at === words.position) {
      barsHeading.textContent = t`What “${meta.token}” means here, layer ${layer}`;
      paintBars(...study);
    } else {
      barsHeading.textContent = t`What “${words.pieces[at].trim()}” means here, layer ${layer}`;
      paintBars({ nConcepts: words.activations[at].length, values: new Float32Array(words.activations[at]), rest: new Float32Array([words.unexplained[at]]) }, 0);
    }
    said.querySelectorAll(".nbt-piece").forEach((/** @type {any} */ b, /** @type {number} */ i) => b.setAttribute("aria-pressed", String(i === at)));
  }

  function paintPieces() {
    said.replaceChildren(...words.pieces.map((/** @type {string} */ text, /** @type {number} */ i) => h("button", { type: "button", class: "nbt-piece", text,
      onpointerenter: () => paintWord(i), onpointerleave: () => paintWord(piece ?? words.position), onfocus: () => paintWord(i),
      onclick: () => { piece = i; paintWord(i); paintOverlay(); } })));
  }

  /** How strongly a piece of the answer speaks of the concepts that lie at a place, 0 to 1. @param {number[]} scores of all concepts there */
  function shadePieces(scores) {
    const sums = words.activations.map((/** @type {number[]} */ row) => row.reduce((s, v, k) => s + Math.abs(v) * Math.max(0, scores[k]), 0));
    const top = Math.max(...sums, 1e-30);
    said.querySelectorAll(".nbt-piece").forEach((/** @type {any} */ b, /** @type {number} */ i) => { b.style.boxShadow = `inset 0 -${(0.5 * sums[i]) / top}em 0 color-mix(in srgb, var(--nbt-accent) 45%, transparent)`; });
  }

  /** @type {Map<number, Promise<{ facts: import("./types.js").Facts, url: string | null }>>} */
  const recent = new Map();
  /** @param {number} i */
  function sampleOf(i) {
    if (!recent.has(i)) {
      recent.set(i, source.sample(i));
      if (recent.size > 32) recent.delete([...recent.keys()][0]);
    }
    return /** @type {Promise<{ facts: import("./types.js").Facts, url: string | null }>} */ (recent.get(i));
  }

  /** @type {{ picked: Blob, there: boolean } | null} */
  let own = null; // a picture of the reader's, which is shown: the study's maps are not of it
  /** Explain a picture of the reader's: made smaller here and sent to the kernel, where it is not `there` already. @param {Blob} picked @param {boolean} there */
  async function explain(picked, there) {
    const mine = ++turn;
    own = { picked, there };
    try {
      const bitmap = await createImageBitmap(picked);
      const scale = Math.min(1, SIDE / Math.max(bitmap.width, bitmap.height));
      const small = h("canvas", { width: Math.round(bitmap.width * scale), height: Math.round(bitmap.height * scale) });
      small.getContext("2d").drawImage(bitmap, 0, 0, small.width, small.height);
      /** @type {Blob} */
      const blob = await new Promise((resolve) => small.toBlob(resolve, "image/jpeg", 0.92));
      heading.textContent = t`Your own picture`;
      picture.src = small.toDataURL("image/jpeg", 0.92);
      frame.hidden = false;
      missing.hidden = details.hidden = canvas.hidden = where.hidden = true;
      shades.replaceChildren();
      maps = words = null;
      barsHeading.textContent = t`What “${meta.token}” means here, layer ${model.get("layer")}`;
      said.textContent = "…";
      bars.replaceChildren();
      const found = await source.job?.("explain", { at: model.get("layer") }, undefined, there ? undefined : [await blob.arrayBuffer()]).answer;
      if (mine !== turn) return;
      picture.alt = found.pieces.join("");
      said.replaceChildren(found.pieces[0], h("mark", { text: found.pieces[1] }), found.pieces[2]);
      paintBars({ nConcepts: found.activations.length, values: new Float32Array(found.activations), rest: new Float32Array([found.unexplained]) }, 0);
    } catch (error) {
      if (mine === turn) said.textContent = reason(t, error);
    }
  }

  /** What the model says to a question about the word, where its button is pressed. @param {HTMLElement} pressed @param {string} op @param {number} i @param {number} layer @returns {Promise<any>} */
  async function asked(pressed, op, i, layer) {
    if (pressed.getAttribute("aria-pressed") !== "true") return null;
    try {
      return await /** @type {NonNullable<typeof source.asked>} */ (source.asked)(op, i, layer, meta.samples[i].id);
    } catch (error) {
      trouble = reason(t, error);
      return null;
    }
  }

  /** @type {any} */
  let maps = null;
  async function paintOverlay() {
    const sample = model.get("sample"), layer = model.get("layer"), k = model.get("concept");
    const mode = overlay.value;
    maps = null;
    shades.replaceChildren();
    canvas.hidden = where.hidden = own !== null || mode === "none" || k === null;
    if (canvas.hidden) return;
    try {
      const found = await /** @type {NonNullable<typeof source.maps>} */ (source.maps)(row(), layer);
      if (sample !== model.get("sample") || layer !== model.get("layer") || k !== model.get("concept") || mode !== overlay.value) return;
      maps = found;
      if (words && piece !== null) {
        const { values, height, width } = ofPiece(found, words.activations[piece]);
        paintMap(canvas, mode, values, height, width, 0);
        shades.replaceChildren(...overlayScale(t, mode, t`the strongest`));
        where.textContent = t`Where the concepts of “${words.pieces[piece].trim()}” lie, weighted by activation: ${describeMap(t, values, height, width)}.`;
        return;
      }
      const { values, height, width, zero, low, high } = mapOf(found, k);
      paintMap(canvas, mode, values, height, width, zero);
      if (high > 0) shades.replaceChildren(...overlayScale(t, mode, signed(high, 1)));
      where.textContent = high > 0 ? t`Concept ${k} over ${height} × ${width} patches, scores from ${signed(low, 1)} to ${signed(high, 1)}: ${describeMap(t, values, height, width)}.`
        : t`Concept ${k} is nowhere in this picture (largest score ${signed(high, 1)}).`;
    } catch (error) {
      canvas.hidden = true;
      where.hidden = false;
      where.textContent = reason(t, error);
    }
  }

  // a patch tells which concepts are strongest there
  frame.addEventListener("pointermove", (/** @type {PointerEvent} */ event) => {
    if (!maps) return;
    const [n, height, width] = maps.shape;
    const box = frame.getBoundingClientRect();
    const x = Math.min(width - 1, Math.max(0, Math.floor((width * (event.clientX - box.left)) / box.width)));
    const y = Math.min(height - 1, Math.max(0, Math.floor((height * (event.clientY - box.top)) / box.height)));
    const scores = Array.from({ length: n }, (_, k) => ({ k, value: scoreAt(maps, k, y * width + x) }));
    const concepts = meta.concepts[String(model.get("layer"))];
    const near = [...scores].sort((a, b) => b.value - a.value).filter((s) => s.value > 0).slice(0, 3);
    const found = near.map((s) => `${conceptName(concepts[s.k], s.k, meta.token)} ${signed(s.value, 1)}`).join(" · ") || t`no concept`;
    where.textContent = t`Row ${y + 1}, column ${x + 1}: ${found}`;
    if (words) shadePieces(scores.map(({ value }) => value));
    near.length && bars.querySelectorAll(".nbt-bar").forEach((/** @type {any} */ b) => b.classList.toggle("nbt-here", near.some((s) => String(s.k) === b.dataset.concept)));
  });
  frame.addEventListener("pointerleave", () => { if (maps) { said.querySelectorAll(".nbt-piece").forEach((/** @type {any} */ b) => { b.style.boxShadow = ""; }); bars.querySelectorAll(".nbt-here").forEach((/** @type {any} */ b) => b.classList.remove("nbt-here")); paintOverlay(); } });

  /** The maps of all concepts, each weighted by how much a piece of the answer holds of it. @param {import("./types.js").Maps} found @param {number[]} activations */
  function ofPiece(found, activations) {
    const [, height, width] = found.shape;
    const sum = new Float64Array(height * width);
    activations.forEach((v, k) => {
      if (v) for (let i = 0; i < sum.length; i++) sum[i] += Math.abs(v) * Math.max(0, scoreAt(found, k, i));
    });
    const top = Math.max(...sum, 1e-30);
    return { values: Uint8Array.from(sum, (v) => Math.round((255 * v) / top)), height, width };
  }

  /** The bars as a chart of their own, for a file. */
  function barsChart() {
    const rows = [...bars.querySelectorAll("li")], H = 22;
    const svg = h("svg:svg", { viewBox: `0 0 460 ${30 + H * rows.length}`, class: "nbt-chart nbt-drawn" }, h("svg:text", { x: 8, y: 19, class: "nbt-drawn-title", text: barsHeading.textContent ?? "" }),
      ...rows.flatMap((row, j) => {
        const bar = /** @type {HTMLElement} */ (row.querySelector(".nbt-track i")), y = 30 + H * j;
        return [h("svg:text", { x: 8, y: y + 13, text: (row.querySelector(".nbt-bar-words")?.textContent ?? "").slice(0, 40) }),
          h("svg:rect", { x: 265, y: y + 4, height: 9, width: 1.35 * parseFloat(bar.style.width), style: { fill: getComputedStyle(bar).backgroundColor } }),
          h("svg:text", { x: 452, y: y + 13, "text-anchor": "end", style: { textAnchor: "end" }, text: row.querySelector(".nbt-value")?.textContent ?? "" })];
      }));
    drawing.replaceChildren(svg); // in the page, hidden: only there it has its styles
    return svg;
  }

  /** @param {import("./types.js").Activations} acts @param {number} i @param {{ ablation: number[], gradient: number[], agreement: number | null } | null} [owed] */
  function paintBars(acts, i, owed = null) {
    const concepts = meta.concepts[String(model.get("layer"))];
    const top = strongest(acts, i);
    const max = Math.max(...top.map((t) => Math.abs(t.value)), 1e-30);
    /** @type {Map<number, string>} */
    const marks = new Map(top.slice(0, COLOURS.length).map((t, j) => [t.concept, COLOURS[j]]));
    bars.replaceChildren(...top.map(({ concept, value }) => {
      const words = concepts[concept].words;
      const name = conceptName(concepts[concept], concept, meta.token);
      const others = words.filter((w) => w !== name).slice(0, 3);
      return h("li", {}, h("button", { type: "button", class: "nbt-bar", "aria-pressed": String(concept === model.get("concept")), "data-concept": concept,
        "aria-label": t`concept ${concept}, ${words.slice(0, 4).join(", ")}: activation ${format(value)}`,
        onclick: () => commit(model, { concept }) },
        h("span", { class: "nbt-swatch", style: { background: marks.get(concept) } }),
        h("span", { class: "nbt-bar-words" }, h("strong", { text: name }), others.length ? ` · ${others.join(" · ")}` : ""),
        h("span", { class: "nbt-track" }, h("i", { style: { width: `${(100 * Math.abs(value)) / max}%`, background: marks.get(concept) } })),
        h("span", { class: "nbt-value", text: format(value) }),
        owed ? h("span", { class: "nbt-owed", text: t`without it ${signed(-owed.ablation[concept], 3)} nats · to first order ${signed(-owed.gradient[concept], 3)}` }) : null));
    }), h("li", { class: "nbt-rest" },
      h("span", { class: "nbt-swatch nbt-none" }), h("span", { class: "nbt-bar-words", text: t`not explained` }),
      h("span", { class: "nbt-track" }, h("i", { style: { width: `${100 * Math.min(1, acts.rest[i])}%` } })),
      h("span", { class: "nbt-value", text: percent(acts.rest[i]) })));
    scale.textContent = top.length ? t`Bars: activation, relative to ${format(max)}, this picture's strongest. Last row: share of the vector that no concept explains.` : t`No concept is active here.`;
    if (owed) {
      scale.textContent += ` ${t`Effect on the log-probability of “${meta.token}”: exact, and by gradient × activation.`}`;
      if (owed.agreement !== null) scale.textContent += ` ${t`Rank correlation of the two: ${signed(owed.agreement)}.`}`;
    }
    if (trouble) scale.textContent += ` ${trouble}`;
    ctx.setMarks?.(marks);
  }

  const given = () => { // by Python
    const bytes = source.job && model.get("_own");
    if (bytes) explain(new Blob([bytes], { type: "image/jpeg" }), true);
    return Boolean(bytes);
  };
  onChange(ctx, ["_own"], given);
  onChange(ctx, ["layer"], () => { piece = null; if (own) explain(own.picked, own.there); else paint(); });
  onChange(ctx, ["sample"], () => { piece = null; paint(); });
  onChange(ctx, ["concept"], () => {
    piece = null; // the overlay is the concept's now
    bars.querySelectorAll(".nbt-bar").forEach((/** @type {any} */ b) => b.setAttribute("aria-pressed", String(b.dataset.concept === String(model.get("concept")))));
    paintOverlay();
  });
  if (!given()) paint();
  return el;
}
