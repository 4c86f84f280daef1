// @ts-check
/** DictionaryComparison: matched concepts in two columns, then what only one side has. */

import { commit, format, freshId, h, lazyPictures, onChange, signed } from "./dom.js";
import { conceptName } from "./state.js";

const EAGER = 5; // pairs whose pictures are fetched at once

/** @param {any} ctx */
export function comparisonPane(ctx) {
  const { model, t } = ctx;
  const meta = ctx.meta;
  const [A, B] = meta.sides;
  const what = meta.measure === "cosine" ? t`cosine of the two directions` : t`correlation of activations over the pictures that both have`;
  const id = freshId("threshold");
  const value = h("strong");
  const range = h("input", { type: "range", id, class: "nbt-range", min: 0, max: 1, step: 0.05, oninput: () => commit(model, { threshold: Number(range.value) }) });
  const counts = h("p", { class: "nbt-note" });
  const list = h("div", { role: "listbox", class: "nbt-list nbt-pairs", "aria-label": t`Concepts of both`, tabindex: -1 });
  const el = h("section", { class: "nbt-two", "aria-label": t`Comparison of two dictionaries` },
    h("div", { class: "nbt-head nbt-compare-head" },
      h("div", {}, h("h3", { class: "nbt-h", text: `A  ${A.title}` }), h("p", { class: "nbt-note", text: `${A.model} · ${t`${A.concepts.length} concepts`}` })),
      h("div", {}, h("h3", { class: "nbt-h", text: `B  ${B.title}` }), h("p", { class: "nbt-note", text: `${B.model} · ${t`${B.concepts.length} concepts`}` })),
      h("p", { class: "nbt-agree" }, t`Matched one to one, their mean similarity is` + " ", h("strong", { text: signed(meta.agreement) }),
        t`; shuffled, it would be ${signed(meta.null)} (at most ${signed(meta.null_high)}). Similarity: ${what}.`),
      h("div", { class: "nbt-layer-row" }, h("label", { for: id, class: "nbt-layer-label" }, t`shared from` + " ", value), range, counts)),
    list);

  const pictures = lazyPictures(ctx, EAGER);

  /** @param {any} side @param {number | null} k @param {any} other the partner, whose words and pictures are marked */
  function half(side, k, other) {
    if (k === null) return h("div", { class: "nbt-half nbt-nobody", text: t`no partner` });
    const c = side.concepts[k];
    const words = new Set(other?.words ?? []), shown = new Set((other?.exemplars ?? []).map((/** @type {number} */ r) => meta.samples[r].id));
    return h("div", { class: "nbt-half" },
      h("div", { class: "nbt-card-head" }, h("span", { class: "nbt-number", text: k }), c.label ? h("strong", { class: "nbt-given", text: c.label }) : null,
        h("span", { class: "nbt-words" }, ...(c.words.length ? c.words.flatMap((/** @type {string} */ w, /** @type {number} */ i) => [i ? " · " : "", h(words.has(w) ? "strong" : "span", { dir: "auto", text: w })]) : [t`(no word)`]))),
      h("div", { class: "nbt-strip" }, ...c.exemplars.map((/** @type {number} */ r) => h("span", { class: `nbt-thumb nbt-waiting${shown.has(meta.samples[r].id) ? " nbt-current" : ""}`, role: "img",
        "data-row": r, title: meta.samples[r].caption, "aria-label": meta.samples[r].caption }))));
  }

  /** @type {[number | null, number | null][]} */
  let rows = [];

  function paint() {
    const threshold = model.get("threshold");
    value.textContent = format(threshold);
    range.value = String(threshold);
    const shared = meta.pairs.filter((/** @type {number[]} */ p) => p[2] >= threshold);
    const inA = new Set(shared.map((/** @type {number[]} */ p) => p[0])), inB = new Set(shared.map((/** @type {number[]} */ p) => p[1]));
    const onlyA = A.concepts.map((/** @type {any} */ _, /** @type {number} */ k) => k).filter((/** @type {number} */ k) => !inA.has(k));
    const onlyB = B.concepts.map((/** @type {any} */ _, /** @type {number} */ k) => k).filter((/** @type {number} */ k) => !inB.has(k));
    counts.textContent = t`${shared.length} shared, ${onlyA.length} only in A, ${onlyB.length} only in B`;
    rows = [...shared.map((/** @type {number[]} */ p) => [p[0], p[1]]), ...onlyA.map((/** @type {number} */ k) => [k, null]), ...onlyB.map((/** @type {number} */ k) => [null, k])];
    list.replaceChildren(...rows.map(([i, j], n) => {
      const similarity = shared[n]?.[2];
      const name = (/** @type {any} */ side, /** @type {number | null} */ k) => (k === null ? t`nothing` : `${k}, ${conceptName(side.concepts[k], k, meta.token)}`);
      const row = h("div", { role: "option", class: "nbt-card nbt-pair", "aria-label": similarity === undefined ? t`only in ${i === null ? "B" : "A"}: ${name(i === null ? B : A, i ?? j)}` : t`A ${name(A, i)}, with B ${name(B, j)}, similarity ${signed(similarity)}`,
        onclick: () => commit(model, { pair: [i, j] }) },
        half(A, i, j === null ? null : B.concepts[j]),
        h("div", { class: "nbt-similar" }, ...(similarity === undefined ? [] : [h("span", { class: "nbt-track" }, h("i", { style: { width: `${100 * Math.max(0, similarity)}%` } })), h("span", { class: "nbt-value", text: signed(similarity) })])),
        half(B, j, i === null ? null : A.concepts[i]));
      return row;
    }));
    pictures(/** @type {HTMLElement[]} */ ([...list.children]));
    sync();
  }

  function sync() {
    const [i, j] = model.get("pair");
    const at = rows.findIndex(([a, b]) => a === i && b === j);
    [...list.children].forEach((row, n) => { row.setAttribute("aria-selected", String(n === at)); row.tabIndex = n === Math.max(0, at) ? 0 : -1; });
    return at;
  }

  list.addEventListener("keydown", (/** @type {KeyboardEvent} */ event) => {
    const here = sync();
    const jumps = /** @type {Record<string, number>} */ ({ ArrowDown: here + 1, ArrowUp: here - 1, Home: 0, End: rows.length - 1 });
    if (!(event.key in jumps)) return;
    const to = Math.min(rows.length - 1, Math.max(0, jumps[event.key]));
    commit(model, { pair: rows[to] });
    /** @type {HTMLElement} */ (list.children[to]).focus();
    event.preventDefault();
  });
  onChange(ctx, ["threshold"], paint);
  onChange(ctx, ["pair"], sync);
  paint();
  return el;
}
