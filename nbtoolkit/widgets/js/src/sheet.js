// @ts-check
/** The printed page: all concepts of the selected layer with their images and words, under one line that says of what. */

import { format, h, percent } from "./dom.js";
import { Pane } from "./pane.js";
import { translate } from "./words.js";

const N_IMAGES = 6;
const N_WORDS = 12;

/** @param {import("./pane.js").Pane} pane @param {number} k @param {(row: number) => string | null} url */
function card(pane, k, url) {
  const { t, meta } = pane;
  const { words, exemplars, share, clip_score: score } = pane.concepts[k];
  const images = exemplars.slice(0, N_IMAGES).map((row) => {
    const src = url(row);
    return src ? h("img", { src, alt: meta.samples[row].caption }) : h("span", { text: meta.samples[row].caption });
  });
  const values = [t`${percent(share)} of all activation`, score === null ? "" : `CLIPScore ${format(score)}`];
  return h(
    "li",
    {},
    h("h2", {}, `${k} `, h("b", { text: pane.name(k) })),
    h("p", { text: words.slice(0, N_WORDS).join(" · ") || t`(no word)` }),
    h("div", {}, ...images),
    h("p", { class: "nbt-sheet-values", text: values.filter(Boolean).join(" · ") }),
  );
}

/** @param {import("./pane.js").Pane} pane @param {string} date @param {number} layer */
function facts({ t, meta, concepts }, date, layer) {
  const scores = meta.metrics.map(({ label, values }) => {
    const value = values[meta.layers.indexOf(layer)];
    return value === null ? "" : `${translate(t, label)} ${format(value)}`;
  });
  const n = concepts.filter((c) => !c.absent).length;
  const about = t`${meta.model} · ${meta.n_samples} images · ${concepts.length} concepts by ${meta.method}`;
  const part = n < concepts.length ? t`${n} of ${concepts.length} concepts` : "";
  return [t`layer ${layer}`, about, part, ...scores, t`page of ${date}`].filter(Boolean).join(" · ");
}

/**
 * @param {import("./types.js").Context} ctx of which model, meta and t are used
 * @param {(row: number) => string | null} url of an image @param {string} date of the page
 * @returns {HTMLElement}
 */
export function sheet(ctx, url, date) {
  const pane = new Pane(ctx);
  const { concepts } = pane;
  const rows = concepts.map((_, k) => k).filter((k) => !concepts[k].absent);
  rows.sort((a, b) => concepts[b].share - concepts[a].share || a - b);
  return h(
    "main",
    { class: "nbt-sheet" },
    h("h1", { text: `“${pane.meta.token}”` }),
    h("p", { text: facts(pane, date, pane.get("layer")) }),
    h("ol", {}, ...rows.map((k) => card(pane, k, url))),
  );
}
