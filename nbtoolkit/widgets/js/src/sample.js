// @ts-check
/** SampleAttribution: one picture, what the model said, and the concepts behind the word. */

import { commit, format, h, onChange, percent } from "./dom.js";
import { COLOURS, conceptName, strongest } from "./state.js";

/** @param {import("./types.js").Context & { setMarks?(marks: Map<number, string>): void }} ctx */
export function samplePane(ctx) {
  const { model, meta, source } = ctx;
  const heading = h("h3", { class: "nbt-h" });
  const button = (/** @type {string} */ label, /** @type {string} */ sign, /** @type {number} */ by) =>
    h("button", { type: "button", class: "nbt-step", "aria-label": label, text: sign, onclick: () => {
      const n = meta.samples.length;
      commit(model, { sample: meta.samples[(row() + by + n) % n].id });
    } });
  const picture = h("img", { class: "nbt-picture", alt: "" });
  const missing = h("p", { class: "nbt-note", hidden: true, text: "This picture is not in the page; export with a larger max_mb." });
  const said = h("p", { class: "nbt-said" });
  const bars = h("ul", { class: "nbt-bars" });
  const barsHeading = h("h3", { class: "nbt-h" });
  const scale = h("p", { class: "nbt-note" });
  const references = h("ul", { class: "nbt-references" });
  const details = h("details", { class: "nbt-details" }, h("summary", { text: "Captions that came with the picture" }), references);
  const el = h("section", { class: "nbt-sample", "aria-label": "One picture" },
    h("div", { class: "nbt-sample-head" }, heading, button("previous picture", "‹", -1), button("next picture", "›", 1)),
    h("div", { class: "nbt-sample-body" },
      h("div", { class: "nbt-sample-picture" }, picture, missing, h("h3", { class: "nbt-h", text: "The model says" }), said, details),
      h("div", { class: "nbt-sample-bars" }, barsHeading, bars, scale)));
  const row = () => Math.max(0, meta.samples.findIndex((s) => s.id === model.get("sample")));
  let turn = 0;

  async function paint() {
    const mine = ++turn;
    const i = row();
    const layer = model.get("layer");
    heading.textContent = `Picture ${i + 1} of ${meta.samples.length}`;
    barsHeading.textContent = `What “${meta.token}” means here, layer ${layer}`;
    try {
      const [{ facts, url }, acts] = await Promise.all([sampleOf(i), source.activations(layer)]);
      if (mine !== turn) return; // a later answer is on its way
      picture.hidden = !url;
      missing.hidden = Boolean(url);
      if (url) picture.src = url;
      picture.alt = facts.captions[0] ?? facts.caption;
      said.replaceChildren(...facts.pieces.map((piece, k) => k === facts.position && piece ? h("mark", { text: piece }) : piece));
      details.hidden = !facts.captions.length;
      references.replaceChildren(...facts.captions.map((c) => h("li", { text: c })));
      paintBars(acts, i);
    } catch (error) {
      ctx.say(String(error));
    }
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

  /** @param {import("./types.js").Activations} acts @param {number} i */
  function paintBars(acts, i) {
    const concepts = meta.concepts[String(model.get("layer"))];
    const top = strongest(acts, i);
    const max = Math.max(...top.map((t) => Math.abs(t.value)), 1e-30);
    /** @type {Map<number, string>} */
    const marks = new Map(top.slice(0, COLOURS.length).map((t, j) => [t.concept, COLOURS[j]]));
    bars.replaceChildren(...top.map(({ concept, value }) => {
      const words = concepts[concept].words;
      const name = conceptName(concepts[concept], concept, meta.token);
      const others = words.filter((w) => w !== name).slice(0, 3);
      return h("li", {}, h("button", { type: "button", class: "nbt-bar", "aria-pressed": String(concept === model.get("concept")),
        "aria-label": `concept ${concept}, ${words.slice(0, 4).join(", ")}: activation ${format(value)}`,
        onclick: () => commit(model, { concept }) },
        h("span", { class: "nbt-swatch", style: { background: marks.get(concept) } }),
        h("span", { class: "nbt-bar-words" }, h("strong", { text: name }), others.length ? ` · ${others.join(" · ")}` : ""),
        h("span", { class: "nbt-track" }, h("i", { style: { width: `${(100 * Math.abs(value)) / max}%`, background: marks.get(concept) } })),
        h("span", { class: "nbt-value", text: format(value) })));
    }), h("li", { class: "nbt-rest" },
      h("span", { class: "nbt-swatch nbt-none" }), h("span", { class: "nbt-bar-words", text: "not explained" }),
      h("span", { class: "nbt-track" }, h("i", { style: { width: `${100 * Math.min(1, acts.rest[i])}%` } })),
      h("span", { class: "nbt-value", text: percent(acts.rest[i]) })));
    scale.textContent = top.length ? `Bars: activation, relative to ${format(max)}, this picture's strongest. Last row: share of the vector that no concept explains.` : "No concept is active here.";
    ctx.setMarks?.(marks);
  }

  onChange(ctx, ["sample", "layer"], paint);
  onChange(ctx, ["concept"], () => {
    source.activations(model.get("layer")).then((acts) => paintBars(acts, row()), (error) => ctx.say(String(error)));
  });
  paint();
  return el;
}
