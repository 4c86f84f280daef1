// @ts-check
/** ConceptGallery: a listbox of cards, images and words together. */

import { ConceptActions } from "./concept_actions.js";
import { conceptCard } from "./concept_card.js";
import { freshId, h, lazyImages } from "./dom.js";
import { ExemplarOverlay } from "./exemplar_overlay.js";
import { ImageDialog } from "./image_dialog.js";
import { Pane } from "./pane.js";
import { examples, EXAMPLES, NAMINGS, select, SORTS } from "./state.js";
import { translate } from "./words.js";

const N_EXAMPLES = 8; // images per card, where they are not its exemplars
const EAGER = 6; // cards whose images are fetched at once: what is visible first is there before it is scrolled to
const MAX_QUERY = 200; // characters
const PAGE = 5; // cards per page key

export class ConceptGallery extends Pane {
  /** @param {import("./types.js").Context} ctx */
  constructor(ctx) {
    super(ctx);
    /** @type {Map<number, HTMLElement>} */
    this.cards = new Map();
    /** @type {number[]} */
    this.order = [];
    this.turn = 0;
    this.overlay = new ExemplarOverlay(ctx);
    this.dialog = new ImageDialog(ctx);
    this.images = lazyImages(ctx, EAGER, (tile, thumb) => this.overlay.paint(tile, thumb));
    this.actions = new ConceptActions(ctx, {
      leave: () => this.cards.get(this.get("concept"))?.focus(),
      open: () => this.openImage(),
    });
    this.build();
    this.on(["layer", "labels", "pinned", "sort", "examples", "exemplar_overlay"], () => this.paint());
    this.on(["query"], () => {
      this.list.scrollTop = 0;
      this.paint();
      ctx.more(this.get("query"), () => this.paint());
    });
    this.on(["concept"], () => {
      this.sync(true);
      ctx.more([this.get("concept")], () => this.paint());
      const k = this.get("concept");
      if (k !== null) ctx.say(`${this.t`Concept ${k}`}, ${this.name(k)}`);
    });
    this.on(["sample"], () => this.sync(false));
    ctx.marks.onChange(() => this.sync(false));
    this.paint();
  }

  build() {
    const { t, meta } = this;
    const id = freshId("concepts");
    this.count = h("span", { class: "nbt-count" });
    this.list = h("div", {
      role: "listbox",
      class: "nbt-list",
      id,
      "aria-label": t`Concepts at “${meta.token}”`,
      tabindex: -1,
      onkeydown: (/** @type {KeyboardEvent} */ event) => this.onKey(event),
    });
    this.search = this.searchBox(id);
    this.naming = h("span", { class: "nbt-count" });
    this.actions.el.append(this.count, this.naming);
    const tools = [
      this.search,
      this.choice("sort", t`Sort concepts`, SORTS, (text) => t`sort: ${text}`),
      this.choice("examples", t`Images per concept`, EXAMPLES, (text) => t`images: ${text}`),
      this.overlay.select,
    ];
    this.el = h(
      "section",
      { class: "nbt-gallery", "aria-label": t`Concepts` },
      h("div", { class: "nbt-toolbar" }, ...tools),
      this.overlay.scale,
      this.actions.el,
      this.list,
      this.dialog.el,
    );
  }

  /** @param {string} id of the list */
  searchBox(id) {
    const { t } = this;
    const search = h("input", {
      type: "search",
      class: "nbt-search",
      placeholder: t`Search  ( / )`,
      "aria-label": t`Search words and captions`,
      "aria-controls": id,
      maxlength: MAX_QUERY,
      value: this.get("query"),
      oninput: () => this.commit({ query: search.value }),
      onkeydown: (/** @type {KeyboardEvent} */ event) => {
        if (event.key === "Escape") this.commit({ query: "" });
        if (event.key === "ArrowDown" || event.key === "Enter") {
          this.move(Math.max(0, this.order.indexOf(this.get("concept"))));
          event.preventDefault();
        }
      },
    });
    return search;
  }

  openImage() {
    if (this.get("sample") !== null) this.dialog.open(this.row, this.get("concept"));
  }

  /** Rows of the images of every concept. @returns {Promise<(k: number) => number[]>} */
  async exampleRows() {
    const [mode, { concepts }] = [this.get("examples"), this];
    if (mode === "strongest") return (k) => concepts[k].exemplars;
    const activations = await this.source.activations(this.get("layer"));
    return (k) => examples(activations, k, mode, concepts[k].exemplars, N_EXAMPLES);
  }

  async paint() {
    const mine = ++this.turn;
    this.overlay.cancel();
    if (this.get("examples") === "strongest") {
      this.paintCards((k) => this.concepts[k].exemplars); // at once
      return;
    }
    try {
      const rows = await this.exampleRows();
      if (mine === this.turn) this.paintCards(rows);
    } catch (error) {
      this.ctx.say(String(error));
    }
  }

  /** @param {(k: number) => number[]} rowsOf */
  paintCards(rowsOf) {
    const { t, meta, concepts, list } = this;
    const query = this.get("query");
    if (this.search.value !== query) this.search.value = query;
    const labels = Object.fromEntries(concepts.map((_, k) => [k, this.label(k)]));
    const pinned = new Set(concepts.map((_, k) => k).filter((k) => this.isPinned(k)));
    this.order = select(concepts, query, this.get("sort"), meta.samples, labels, pinned);
    const all = this.order.length === concepts.length;
    this.count.textContent = all
      ? t`${concepts.length} concepts`
      : t`${this.order.length} of ${concepts.length} concepts`;
    const { rule, text } = meta.naming[this.get("layer")] ?? { rule: "paper", text: "" };
    this.naming.textContent = translate(t, NAMINGS[rule]);
    this.naming.title = text;
    this.overlay.paintLegend();
    const focused = list.contains(list.getRootNode().activeElement);
    this.cards = new Map(this.order.map((k) => [k, this.card(k, rowsOf(k))]));
    list.replaceChildren(...this.cards.values());
    if (!this.order.length) list.append(noMatch(t`No concept matches “${query}”.`));
    if (meta.pictured) this.images([...this.cards.values()]);
    this.sync(false);
    if (focused) (this.cards.get(this.get("concept")) ?? list).focus({ preventScroll: true });
  }

  /** @param {number} k @param {number[]} rows */
  card(k, rows) {
    return conceptCard(this, k, rows, {
      onclick: (row) => this.commit({ ...(row === null ? {} : this.selecting(row)), token: null, concept: k }),
      ondblclick: () => this.openImage(),
    });
  }

  /** @param {number} row */
  selecting(row) {
    return { token: null, sample: this.meta.samples[row].id };
  }

  /** Show the selection. @param {boolean} scroll to it */
  sync(scroll) {
    const { meta } = this;
    const [selected, sample] = [this.get("concept"), this.get("sample")];
    this.actions.sync();
    const focusable = this.cards.has(selected) ? selected : this.order[0];
    for (const [k, card] of this.cards) {
      card.setAttribute("aria-selected", String(k === selected));
      card.tabIndex = k === focusable ? 0 : -1;
      card.style.borderLeftColor = this.colour(k);
      card.classList.toggle("nbt-marked", Boolean(this.ctx.marks.get(k)));
      for (const tile of /** @type {NodeListOf<HTMLElement>} */ (card.querySelectorAll(".nbt-thumb"))) {
        tile.classList.toggle("nbt-current", meta.samples[Number(tile.dataset.row)].id === sample);
      }
    }
    if (scroll) this.scrollTo(this.cards.get(selected));
  }

  /** @param {HTMLElement | undefined} card */
  scrollTo(card) {
    if (!card) return;
    const { list } = this;
    const top = card.offsetTop - list.offsetTop;
    const hidden = top < list.scrollTop || top + card.offsetHeight > list.scrollTop + list.clientHeight;
    if (hidden) list.scrollTop = top - 8;
  }

  /** Move the selection, and the focus with it. @param {number} to */
  move(to) {
    const k = this.order[Math.min(this.order.length - 1, Math.max(0, to))];
    if (k === undefined) return;
    this.commit({ token: null, concept: k });
    this.cards.get(k)?.focus();
  }

  /** Select an image of the selected concept. @param {number} by */
  moveImage(by) {
    const card = this.cards.get(this.get("concept"));
    const rows = (card?.dataset.rows ?? "").split(",").filter(Boolean).map(Number);
    const now = rows.findIndex((r) => this.meta.samples[r].id === this.get("sample"));
    const next = rows[Math.min(rows.length - 1, Math.max(0, now + by))];
    if (next === undefined) return;
    this.commit(this.selecting(next));
    this.ctx.say(this.meta.samples[next].caption);
  }

  /** @param {KeyboardEvent} event */
  onKey(event) {
    const here = this.order.indexOf(this.get("concept"));
    const last = this.order.length - 1;
    const target = Number(/** @type {HTMLElement} */ (event.target).dataset?.concept);
    const pick = () => !Number.isNaN(target) && this.commit({ token: null, concept: target });
    /** @type {Record<string, () => void>} */
    const keys = {
      ArrowDown: () => this.move(here + 1),
      ArrowUp: () => this.move(here - 1),
      PageDown: () => this.move(here + PAGE),
      PageUp: () => this.move(here - PAGE),
      Home: () => this.move(0),
      End: () => this.move(last),
      Enter: pick,
      " ": pick,
      ArrowRight: () => this.moveImage(1),
      ArrowLeft: () => this.moveImage(-1),
      "/": () => this.search.focus(),
      l: () => this.actions.nameBox.focus(),
      p: () => this.actions.togglePin(),
      o: () => this.openImage(),
    };
    if (!(event.key in keys)) return;
    keys[event.key]();
    event.preventDefault();
  }
}

/** @param {string} text */
const noMatch = (text) =>
  h("div", { class: "nbt-note", role: "option", "aria-disabled": "true", "aria-selected": "false", text });
