// @ts-check
/** ConceptGallery: a listbox of cards, images and words together. */

import { ConceptActions } from "./concept_actions.js";
import { ConceptList } from "./concept_list.js";
import { freshId, h } from "./dom.js";
import { ExemplarOverlay } from "./exemplar_overlay.js";
import { ImageDialog } from "./image_dialog.js";
import { Pane } from "./pane.js";
import { ordered, search, termsOf } from "./search.js";
import { examples, EXAMPLES, NAMINGS, SORTS } from "./state.js";
import { translate } from "./words.js";

const N_EXAMPLES = 8; // images per card, where they are not its exemplars
const MAX_QUERY = 200; // characters
const PAGE = 5; // cards per page key

export class ConceptGallery extends Pane {
  /** @param {import("./types.js").Context} ctx */
  constructor(ctx) {
    super(ctx);
    this.turn = 0;
    /** @type {{ names: string[], pins: boolean[] } | null} */
    this.calls = null;
    this.overlay = new ExemplarOverlay(ctx);
    this.dialog = new ImageDialog(ctx);
    this.list = new ConceptList(ctx, this.overlay, {
      pick: (k, row) => this.commit({ ...(row === null ? {} : this.selecting(row)), token: null, concept: k }),
      open: () => this.openImage(),
    });
    this.actions = new ConceptActions(ctx, {
      leave: () => this.list.cards.get(this.get("concept"))?.focus(),
      open: () => this.openImage(),
    });
    this.build();
    this.listen();
    this.paint();
  }

  listen() {
    const { ctx, list } = this;
    this.on(["layer"], () => {
      list.clear();
      this.paint(true);
    });
    this.on(["examples", "exemplar_overlay"], () => this.paint(true));
    this.on(["labels", "pinned", "sort"], () => this.paint());
    this.on(["query"], () => {
      list.el.scrollTop = 0;
      this.paint(false, true);
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
  }

  build() {
    const { t, meta, list } = this;
    this.count = h("span", { class: "nbt-count" });
    list.el.id = freshId("concepts");
    list.el.setAttribute("aria-label", t`Concepts at “${meta.token}”`);
    list.el.addEventListener("keydown", (/** @type {KeyboardEvent} */ event) => this.onKey(event));
    this.search = this.searchBox(list.el.id);
    this.naming = h("span", { class: "nbt-count nbt-naming" });
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
      list.el,
      this.dialog.el,
    );
  }

  /** @param {string} id of the list */
  searchBox(id) {
    const { t } = this;
    const box = h("input", {
      type: "search",
      class: "nbt-search",
      "data-at": "search query",
      placeholder: t`Search  ( / )`,
      "aria-label": t`Search names, words and captions`,
      "aria-controls": id,
      maxlength: MAX_QUERY,
      value: this.get("query"),
      oninput: () => this.commit({ query: box.value }),
      onkeydown: (/** @type {KeyboardEvent} */ event) => {
        if (event.isComposing) return; // these keys are of the input method
        if (event.key === "Escape") this.commit({ query: "" });
        if (event.key === "ArrowDown" || event.key === "Enter") {
          this.move(Math.max(0, this.list.order.indexOf(this.get("concept"))));
          event.preventDefault();
        }
      },
    });
    return box;
  }

  openImage() {
    if (this.get("sample") !== null) this.dialog.open(this.list.rows(this.get("concept")));
  }

  /** Images of every concept with its activation. @returns {Promise<(k: number) => import("./concept_card.js").Images>} */
  async images() {
    const [mode, { concepts }] = [this.get("examples"), this];
    const activations = await this.source.activations(this.get("layer"));
    return (k) => {
      const rows = examples(activations, k, mode, concepts[k].exemplars, N_EXAMPLES);
      return { rows, values: rows.map((row) => activations.values[row * activations.nConcepts + k]) };
    };
  }

  /** @param {boolean} strips whether the images are others than before @param {boolean} same whether names and pins are the same */
  async paint(strips = false, same = false) {
    const mine = ++this.turn;
    if (!same) this.calls = null;
    if (strips) this.overlay.cancel();
    if (this.get("examples") === "strongest") {
      this.paintList((k) => ({ rows: this.concepts[k].exemplars, values: this.concepts[k].values }), strips); // at once
      return;
    }
    try {
      const images = await this.images();
      if (mine === this.turn) this.paintList(images, strips);
    } catch (error) {
      this.ctx.say(String(error));
    }
  }

  /** @param {(k: number) => import("./concept_card.js").Images} images @param {boolean} strips */
  paintList(images, strips) {
    const { t, meta, concepts, list } = this;
    const query = this.get("query");
    if (this.search.value !== query) this.search.value = query;
    this.calls ??= { names: concepts.map((_, k) => this.name(k)), pins: concepts.map((_, k) => this.isPinned(k)) };
    const { names, pins } = this.calls;
    const ranks = search(concepts, query, meta.samples, names);
    const order = ordered(ranks, concepts, this.get("sort"), names, pins);
    this.count.textContent =
      order.length === concepts.length
        ? t`${concepts.length} concepts`
        : t`${order.length} of ${concepts.length} concepts`;
    const { rule, text } = meta.naming[this.get("layer")] ?? { rule: "paper", text: "" };
    this.naming.textContent = translate(t, NAMINGS[rule]);
    this.naming.title = `${text} ${t`Names: the word, or two words, that tell a concept apart from the others of its layer.`}`;
    this.overlay.paintLegend();
    list.paint({ order, names, pins, terms: termsOf(query), ranks, images }, strips);
    this.sync(false);
  }

  /** @param {number} row */
  selecting(row) {
    return { token: null, sample: this.meta.samples[row].id };
  }

  /** Show the selection. @param {boolean} scroll to it */
  sync(scroll) {
    this.actions.sync();
    this.list.sync(scroll);
  }

  /** Move the selection, and the focus with it. @param {number} to */
  move(to) {
    const { order, cards } = this.list;
    const k = order[Math.min(order.length - 1, Math.max(0, to))];
    if (k === undefined) return;
    this.commit({ token: null, concept: k });
    cards.get(k)?.focus();
  }

  /** Select an image of the selected concept. @param {number} by */
  moveImage(by) {
    const rows = this.list.rows(this.get("concept"));
    const now = rows.findIndex((r) => this.meta.samples[r].id === this.get("sample"));
    const next = rows[Math.min(rows.length - 1, Math.max(0, now + by))];
    if (next === undefined) return;
    this.commit(this.selecting(next));
    this.ctx.say(this.meta.samples[next].caption);
  }

  /** @param {KeyboardEvent} event */
  onKey(event) {
    const { order } = this.list;
    const here = order.indexOf(this.get("concept"));
    const target = Number(/** @type {HTMLElement} */ (event.target).dataset?.concept);
    const pick = () => !Number.isNaN(target) && this.commit({ token: null, concept: target });
    /** @type {Record<string, () => void>} */
    const keys = {
      ArrowDown: () => this.move(here + 1),
      ArrowUp: () => this.move(here - 1),
      PageDown: () => this.move(here + PAGE),
      PageUp: () => this.move(here - PAGE),
      Home: () => this.move(0),
      End: () => this.move(order.length - 1),
      Enter: () => {
        pick();
        this.ctx.entered = true;
        this.commit({ page: true });
      },
      " ": pick,
      ArrowRight: () => this.moveImage(1),
      ArrowLeft: () => this.moveImage(-1),
      l: () => this.actions.nameBox.focus(),
      p: () => this.actions.togglePin(),
      o: () => this.openImage(),
    };
    if (!(event.key in keys)) return;
    keys[event.key]();
    event.preventDefault();
  }
}
