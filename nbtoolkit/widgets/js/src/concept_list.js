// @ts-check
/** The listbox of a gallery: one card per concept, which is moved and marked, not built again, as one searches, pins and sorts. */

import { conceptCard, paintHead, paintStrip } from "./concept_card.js";
import { h, lazyImages } from "./dom.js";
import { Pane } from "./pane.js";
import { evenly } from "./search.js";

const EAGER = 6; // cards whose images are fetched at once: what is visible first is there before it is scrolled to
const AT_ONCE = 6; // cards whose marks are painted before the next frame
const GAP = 4; // pixels between images

/** @typedef {{ order: number[], names: string[], pins: boolean[], terms: string[], ranks: Map<number, number>, images(k: number): import("./concept_card.js").Images }} Listing */

export class ConceptList extends Pane {
  /**
   * @param {import("./types.js").Context} ctx @param {import("./exemplar_overlay.js").ExemplarOverlay} overlay
   * @param {{ pick(k: number, row: number | null): void, open(): void }} events
   */
  constructor(ctx, overlay, events) {
    super(ctx);
    this.events = events;
    /** @type {Map<number, HTMLElement>} */
    this.cards = new Map();
    /** @type {Map<number, string>} what each head shows */
    this.heads = new Map();
    /** @type {number[]} */
    this.order = [];
    this.room = Infinity; // images that fit into a strip
    this.turn = 0;
    this.load = lazyImages(ctx, EAGER, (tile, thumb) => overlay.paint(tile, thumb));
    this.none = h("div", { class: "nbt-note", role: "option", "aria-disabled": "true", "aria-selected": "false" });
    this.el = h("div", { role: "listbox", class: "nbt-list", "data-at": "concept", tabindex: -1 });
    const observer = new ResizeObserver(() => this.fit());
    observer.observe(this.el);
    ctx.signal.addEventListener("abort", () => observer.disconnect());
  }

  /** Forget the cards: those of another layer have other words. */
  clear() {
    this.cards.clear();
    this.heads.clear();
  }

  /** @param {number} k */
  forget(k) {
    this.cards.delete(k);
    this.heads.delete(k);
  }

  /** Show concepts. @param {Listing} listing @param {boolean} strips whether the images are others than before */
  paint(listing, strips) {
    const { el, cards } = this;
    const { activeElement } = el.getRootNode();
    const focused = el.contains(activeElement) ? activeElement : null;
    const old = strips ? new Set(cards.keys()) : new Set();
    this.order = listing.order;
    const listed = new Set(this.order);
    for (const k of old) if (!listed.has(k)) this.forget(k); // it is made anew when it is listed again
    for (const k of this.order) {
      const card = cards.get(k);
      if (card && old.has(k)) paintStrip(this, card, k, listing.images(k));
      if (!card) this.make(k, listing);
    }
    arrange(
      el,
      this.order.map((k) => this.card(k)),
    );
    if (!this.order.length) {
      this.none.textContent = this.t`No concept matches “${this.get("query")}”.`;
      el.append(this.none);
    }
    this.room = Infinity;
    this.paintHeads(listing);
    this.fit();
    if (this.meta.pictured)
      this.load(
        this.order.map((k) => this.card(k)),
        strips,
      );
    if (focused && focused !== el.getRootNode().activeElement) {
      (focused.isConnected ? focused : (this.cards.get(this.get("concept")) ?? el)).focus({ preventScroll: true });
    }
  }

  /** @param {number} k @returns {HTMLElement} */
  card(k) {
    return /** @type {HTMLElement} */ (this.cards.get(k));
  }

  /** @param {number} k @param {Listing} listing */
  make(k, listing) {
    const events = {
      onclick: (/** @type {number | null} */ row) => this.events.pick(k, row),
      ondblclick: () => this.events.open(),
    };
    const card = conceptCard(this, k, listing.images(k), this.match(k, listing), events);
    card.style.borderLeftColor = this.colour(k);
    this.cards.set(k, card);
    this.heads.set(k, this.head(k, listing));
  }

  /** @param {number} k @param {Listing} listing */
  match = (k, { terms, ranks }) => ({ terms, rank: ranks.get(k) ?? 0 });

  /** What a head shows, to know whether it is another. @param {number} k @param {Listing} listing */
  head = (k, { terms, ranks, names, pins }) => [names[k], pins[k], ranks.get(k), this.threadOf(k), ...terms].join("\n");

  /** Names, pins and marks: of the first cards at once, of the others while nothing else is to be done. @param {Listing} listing */
  paintHeads(listing) {
    const mine = ++this.turn;
    const stale = this.order.filter((k) => this.heads.get(k) !== this.head(k, listing));
    const some = (/** @type {number} */ from) => {
      if (mine !== this.turn || this.ctx.signal.aborted) return;
      for (const k of stale.slice(from, from + AT_ONCE)) {
        const card = this.card(k);
        paintHead(this, card, k, this.match(k, listing));
        card.style.borderLeftColor = this.colour(k); // of its thread, which may come later
        this.heads.set(k, this.head(k, listing));
      }
      if (from + AT_ONCE < stale.length) setTimeout(() => some(from + AT_ONCE));
    };
    some(0);
  }

  /** Show as many images of a range as fit, evenly, so that both ends are always there. */
  fit() {
    if (this.get("examples") !== "range") return;
    const strip = /** @type {HTMLElement | null} */ (this.el.querySelector(".nbt-strip"));
    const width = /** @type {HTMLElement | null} */ (strip?.querySelector(".nbt-thumb:not([hidden])"))?.offsetWidth;
    if (!strip || !width) return;
    const room = Math.max(2, Math.floor((strip.clientWidth + GAP) / (width + GAP)));
    if (room === this.room) return;
    this.room = room;
    for (const card of this.cards.values()) {
      const tiles = /** @type {HTMLElement[]} */ ([...card.querySelectorAll(".nbt-thumb")]);
      const places = evenly(tiles.length, room);
      tiles.forEach((tile, i) => (tile.hidden = !places.has(i)));
    }
  }

  /** Show the selection. @param {boolean} scroll to it */
  sync(scroll) {
    const { meta, el, cards } = this;
    const [selected, sample] = [this.get("concept"), this.get("sample")];
    const focusable = cards.get(this.order.includes(selected) ? selected : this.order[0]);
    for (const card of el.querySelectorAll('.nbt-card[aria-selected="true"]'))
      card.setAttribute("aria-selected", "false");
    for (const card of el.querySelectorAll('.nbt-card[tabindex="0"]')) card.setAttribute("tabindex", "-1");
    cards.get(selected)?.setAttribute("aria-selected", "true");
    focusable?.setAttribute("tabindex", "0");
    const row = meta.samples.findIndex((/** @type {{ id: string }} */ s) => s.id === sample);
    for (const tile of el.querySelectorAll(".nbt-current")) tile.classList.remove("nbt-current");
    for (const tile of el.querySelectorAll(`[data-row="${row}"]`)) tile.classList.add("nbt-current");
    if (scroll) this.scrollTo(cards.get(selected));
  }

  /** @param {HTMLElement | undefined} card */
  scrollTo(card) {
    if (!card?.isConnected) return;
    const { el } = this;
    const top = card.offsetTop - el.offsetTop;
    const hidden = top < el.scrollTop || top + card.offsetHeight > el.scrollTop + el.clientHeight;
    if (hidden) el.scrollTop = top - 8;
  }

  /** Rows of the images that a card shows. @param {number} k */
  rows(k) {
    const tiles = /** @type {HTMLElement[]} */ ([...(this.cards.get(k)?.querySelectorAll(".nbt-thumb") ?? [])]);
    return tiles.filter((tile) => !tile.hidden).map((tile) => Number(tile.dataset.row));
  }
}

/**
 * Put elements in order; those that are in their place are not touched, so what is focused or half scrolled stays so.
 * @param {HTMLElement} parent @param {HTMLElement[]} children
 */
function arrange(parent, children) {
  const members = new Set(/** @type {Element[]} */ (children));
  for (const child of [...parent.children]) if (!members.has(child)) child.remove();
  /** @type {any} */
  const list = parent;
  let at = parent.firstElementChild;
  for (const child of children) {
    if (child === at) at = at.nextElementSibling;
    else if (list.moveBefore && child.parentNode === parent) list.moveBefore(child, at);
    else parent.insertBefore(child, at);
  }
}
