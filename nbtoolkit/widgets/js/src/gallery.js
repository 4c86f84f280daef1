// @ts-check
/** ConceptGallery: a listbox of cards, pictures and words together. */

import { translate } from "./words.js";
import { commit, freshId, h, lazyPictures, onChange, percent, reason } from "./dom.js";
import { pictureDialog } from "./dialog.js";
import { overlayScale, OVERLAYS, paintTile } from "./overlay.js";
import { barHeights, conceptName, examples, MODES, ORDERS, select } from "./state.js";

const SHOWN = 8; // pictures of a card, where they are not its exemplars
const EAGER = 6; // cards whose pictures are fetched at once: what is seen first is there before it is scrolled to

/** @param {import("./types.js").Context & { marks?: Map<number, string>, onMarks?(f: () => void): void }} ctx */
export function galleryPane(ctx) {
  const { model, meta, source, t } = ctx;
  const state = { query: "", order: "importance" };
  const listId = freshId("concepts");
  const search = h("input", { type: "search", class: "nbt-search", placeholder: t`Search  ( / )`, "aria-label": t`Search words and captions`,
    "aria-controls": listId, oninput: () => { state.query = search.value; paint(); } });
  const order = h("select", { class: "nbt-select", "aria-label": t`Sort concepts`, onchange: () => { state.order = order.value; paint(); } },
    ...Object.entries(ORDERS).map(([value, text]) => h("option", { value, text: t`sort: ${translate(t, text)}` })));
  const mode = h("select", { class: "nbt-select", "aria-label": t`Pictures of a concept`, onchange: () => paint() },
    ...Object.entries(MODES).map(([value, text]) => h("option", { value, text: t`show: ${translate(t, text)}` })));
  const overlay = h("select", { class: "nbt-select", "aria-label": t`Where a concept lies in its pictures`, onchange: () => paint() },
    ...Object.entries({ ...OVERLAYS, crop: "zoomed in on it" }).map(([value, text]) => h("option", { value, text: translate(t, text) })));
  const count = h("span", { class: "nbt-count" });
  const scale = h("p", { class: "nbt-scale" });
  const dialog = pictureDialog(ctx);
  const pin = h("button", { type: "button", class: "nbt-button", onclick: () => togglePin() });
  const open = h("button", { type: "button", class: "nbt-button", text: t`⤢ Open`, title: t`open the picture (o)`, onclick: () => openPicture() });
  const label = h("input", { class: "nbt-search nbt-label", "aria-label": t`Name of the selected concept`, placeholder: t`name it  ( l )`, maxlength: 80,
    onchange: () => setLabel(label.value) });
  const actions = h("div", { class: "nbt-toolbar nbt-actions" }, label, pin, open);
  const list = h("div", { role: "listbox", class: "nbt-list", id: listId, "aria-label": t`Concepts of “${meta.token}”`, tabindex: -1 });
  const el = h("section", { class: "nbt-gallery", "aria-label": t`Concepts` },
    h("div", { class: "nbt-toolbar" }, search, order, mode, source.maps ? overlay : null, count), scale, actions, list, dialog.el);
  /** @type {Map<number, HTMLElement>} */
  const cards = new Map();
  /** @type {number[]} */
  let shown = [];

  let looking = new AbortController(); // at the maps that were asked for
  const pictures = lazyPictures(ctx, EAGER, async (tile, thumb) => {
    if (overlay.value === "none" || !source.maps) return;
    const how = overlay.value, { signal } = looking, k = Number(/** @type {HTMLElement} */ (tile.closest(".nbt-card")).dataset.concept);
    try {
      const maps = await source.maps(Number(tile.dataset.row), model.get("layer"), signal);
      if (!signal.aborted) paintTile(tile, thumb, how, maps, k);
    } catch (error) {
      if (!signal.aborted) ctx.say(reason(t, error));
    }
  });
  ctx.signal.addEventListener("abort", () => looking.abort());
  const rowsOf = (/** @type {HTMLElement | undefined} */ card) => (card?.dataset.rows ?? "").split(",").filter(Boolean).map(Number);

  const concepts = () => meta.concepts[String(model.get("layer"))];

  const key = (/** @type {number} */ k) => `${model.get("layer")}:${k}`;
  const labelOf = (/** @type {number} */ k) => model.get("labels")[key(k)] ?? "";
  const ofLayer = (/** @type {string[]} */ keys) => keys.filter((s) => s.startsWith(`${model.get("layer")}:`)).map((s) => Number(s.split(":")[1]));

  function togglePin() {
    const k = model.get("concept");
    if (k === null) return;
    const pinned = model.get("pinned");
    commit(model, { pinned: pinned.includes(key(k)) ? pinned.filter((/** @type {string} */ p) => p !== key(k)) : [...pinned, key(k)] });
  }

  /** @param {string} text */
  function setLabel(text) {
    const k = model.get("concept");
    if (k === null || text.trim() === labelOf(k)) return;
    const { [key(k)]: _, ...others } = model.get("labels");
    commit(model, { labels: text.trim() ? { ...others, [key(k)]: text.trim() } : others });
  }

  function openPicture() {
    const row = meta.samples.findIndex((s) => s.id === model.get("sample"));
    if (row >= 0) dialog.open(row, model.get("concept"));
  }

  /** @type {import("./types.js").Activations | null} */
  let acts = null;
  let turn = 0;

  async function paint() {
    const mine = ++turn;
    looking.abort();
    looking = new AbortController();
    if (mode.value !== "top") {
      try {
        const found = await source.activations(model.get("layer"));
        if (mine !== turn) return;
        acts = found;
      } catch (error) {
        ctx.say(String(error));
        return;
      }
    }
    const all = concepts();
    shown = select(all, state.query, state.order, meta.samples, Object.fromEntries(all.map((_, k) => [k, labelOf(k)])), new Set(ofLayer(model.get("pinned"))));
    count.textContent = shown.length === all.length ? t`${all.length} concepts` : t`${shown.length} of ${all.length} concepts`;
    scale.replaceChildren(...overlayScale(t, overlay.value, t`each picture's strongest`));
    cards.clear();
    for (const k of shown) cards.set(k, makeCard(all[k], k));
    list.replaceChildren(...cards.values());
    if (meta.pictured) pictures([...cards.values()]);
    if (!shown.length) list.append(h("div", { class: "nbt-note", role: "option", "aria-disabled": "true", "aria-selected": "false", text: t`No concept matches “${state.query}”.` }));
    sync(false);
  }

  /** @param {import("./types.js").Concept} concept @param {number} k */
  function makeCard(concept, k) {
    const name = conceptName(concept, k, meta.token);
    const words = concept.words.slice(0, 8).flatMap((w, i) => [i ? " · " : "", h(w === name ? "strong" : "span", { dir: "auto", text: w })]); // a word's own direction ends with it
    const dead = concept.active === 0;
    const rows = mode.value === "top" || !acts ? concept.exemplars : examples(acts, k, mode.value, concept.exemplars, SHOWN);
    const given = labelOf(k);
    const pinned = model.get("pinned").includes(key(k));
    const heights = barHeights(concept.histogram);
    const strongest = concept.exemplars[0];
    const spoken = [t`Concept ${k}`, given, pinned ? t`pinned` : "", concept.words.slice(0, 6).join(", ") || t`no word passed the filter`,
      dead ? t`used by no picture` : t`${percent(concept.share)} of all activation`, strongest === undefined ? "" : t`strongest picture: ${meta.samples[strongest].caption}`].filter(Boolean).join("; ");
    return h("div", { role: "option", class: "nbt-card", "aria-label": spoken, "data-concept": k, "data-rows": rows.join(","),
      onclick: (/** @type {MouseEvent} */ event) => {
        const row = /** @type {HTMLElement} */ (event.target).dataset?.row;
        commit(model, row === undefined ? { concept: k } : { concept: k, sample: meta.samples[Number(row)].id });
      },
      ondblclick: (/** @type {MouseEvent} */ event) => { if (/** @type {HTMLElement} */ (event.target).dataset?.row !== undefined) openPicture(); } },
      h("div", { class: "nbt-card-head" },
        h("span", { class: "nbt-number", text: pinned ? `★ ${k}` : k }),
        given ? h("strong", { class: "nbt-given", text: given }) : null,
        h("span", { class: "nbt-words" }, ...(words.length ? words : [h("strong", { text: t`(no word)` })])),
        dead ? h("span", { class: "nbt-badge", text: t`never used` }) : null,
        concept.twin === null ? null : h("span", { class: "nbt-badge", title: t`nearly the same direction, or more than half of its pictures in common`, text: t`like ${concept.twin}` }),
        h("span", { class: "nbt-histogram", title: t`activations of the ${percent(concept.active)} of pictures that use it, from 0 to the layer's strongest; heights by square root` },
          ...heights.map((v) => h("i", { style: { height: `${Math.round(v * 100)}%` } }))),
        h("span", { class: "nbt-share", title: t`share of all activation`, text: percent(concept.share) })),
      h("div", { class: "nbt-strip" }, ...rows.map((row) =>
        h("span", { class: meta.pictured ? "nbt-thumb nbt-waiting" : "nbt-thumb nbt-worded", role: "img", "data-row": row, title: meta.samples[row].caption, "aria-label": meta.samples[row].caption, dir: "auto",
          text: meta.pictured ? "" : meta.samples[row].caption }))));
  }

  /** @param {boolean} scroll */
  function sync(scroll) {
    const selected = model.get("concept");
    const sample = model.get("sample");
    const pinnedNow = selected !== null && model.get("pinned").includes(key(selected));
    pin.textContent = pinnedNow ? t`★ Unpin` : t`☆ Pin`;
    pin.title = t`keep the selected concept on top (p)`;
    pin.disabled = open.disabled = label.disabled = selected === null;
    if (selected !== null) label.value = labelOf(selected);
    const focusable = cards.has(selected) ? selected : shown[0];
    for (const [k, card] of cards) {
      card.setAttribute("aria-selected", String(k === selected));
      card.tabIndex = k === focusable ? 0 : -1;
      const colour = ctx.marks?.get(k);
      card.style.borderLeftColor = colour ?? "";
      card.classList.toggle("nbt-marked", Boolean(colour));
      card.querySelectorAll(".nbt-thumb").forEach((t) => {
        const row = Number(/** @type {HTMLElement} */ (t).dataset.row);
        t.classList.toggle("nbt-current", meta.samples[row].id === sample);
      });
    }
    const card = cards.get(selected);
    if (scroll && card) {
      const top = card.offsetTop - list.offsetTop;
      if (top < list.scrollTop || top + card.offsetHeight > list.scrollTop + list.clientHeight) list.scrollTop = top - 8;
    }
  }

  /** Move the selection, and the focus with it. @param {number} to */
  function move(to) {
    const k = shown[Math.min(shown.length - 1, Math.max(0, to))];
    if (k === undefined) return;
    commit(model, { concept: k });
    cards.get(k)?.focus();
  }

  list.addEventListener("keydown", (/** @type {KeyboardEvent} */ event) => {
    const here = shown.indexOf(model.get("concept"));
    const jumps = /** @type {Record<string, number>} */ ({ ArrowDown: here + 1, ArrowUp: here - 1, PageDown: here + 5, PageUp: here - 5, Home: 0, End: shown.length - 1 });
    if (event.key in jumps) move(jumps[event.key]);
    else if (event.key === "Enter" || event.key === " ") {
      const k = Number(/** @type {HTMLElement} */ (event.target).dataset?.concept);
      if (!Number.isNaN(k)) commit(model, { concept: k });
    } else if (event.key === "ArrowRight" || event.key === "ArrowLeft") {
      const rows = rowsOf(cards.get(model.get("concept")));
      const now = rows.findIndex((r) => meta.samples[r].id === model.get("sample"));
      const next = rows[Math.min(rows.length - 1, Math.max(0, now + (event.key === "ArrowRight" ? 1 : -1)))];
      if (next !== undefined) { commit(model, { sample: meta.samples[next].id }); ctx.say(meta.samples[next].caption); }
    } else if (event.key === "/") search.focus();
    else if (event.key === "l") label.focus();
    else if (event.key === "p") togglePin();
    else if (event.key === "o") openPicture();
    else return;
    event.preventDefault();
  });
  search.addEventListener("keydown", (/** @type {KeyboardEvent} */ event) => {
    if (event.key === "Escape") { search.value = state.query = ""; paint(); }
    if (event.key === "ArrowDown" || event.key === "Enter") { move(Math.max(0, shown.indexOf(model.get("concept")))); event.preventDefault(); }
  });

  label.addEventListener("keydown", (/** @type {KeyboardEvent} */ event) => {
    if (event.key === "Enter" || event.key === "Escape") { if (event.key === "Escape") sync(false); else setLabel(label.value); cards.get(model.get("concept"))?.focus(); }
  });

  onChange(ctx, ["layer", "labels", "pinned"], paint);
  onChange(ctx, ["concept"], () => {
    sync(true);
    const k = model.get("concept");
    if (k !== null) ctx.say(`${t`Concept ${k}`}, ${conceptName(concepts()[k], k, meta.token)}`);
  });
  onChange(ctx, ["sample"], () => sync(false));
  ctx.onMarks?.(() => sync(false));
  paint();
  return el;
}
