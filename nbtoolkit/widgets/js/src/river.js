// @ts-check
/** River: the concepts of all layers as strips, joined where they are one thread; a strip that is chosen is selected. */

import { h } from "./dom.js";
import { Pane } from "./pane.js";
import { drawRiver } from "./river_drawing.js";
import { next } from "./river_layout.js";
import { saving } from "./saving.js";
import { smallImages } from "./small_images.js";
import { ThreadStrip } from "./thread_strip.js";

const PITCH = 44; // pixels of a layer, at least
const HEIGHT = 300; // pixels, at least
const ROW = 1.5; // pixels of a concept, at least
const POSTER = { width: 1200, height: 630 };
const REST = 80; // milliseconds that the pointer rests before words and images are shown

/** @typedef {import("./river_drawing.js").Drawing} Drawing */
/** @typedef {import("./river_layout.js").Strip} Strip */

export class River extends Pane {
  /** @param {import("./types.js").Context} ctx */
  constructor(ctx) {
    super(ctx);
    const { t } = this;
    /** @type {Drawing | null} */
    this.drawing = null;
    /** @type {Map<number, string>} */
    this.pictures = new Map();
    /** @type {number | null} */
    this.pointed = null; // thread
    this.timer = 0;
    this.size = "";
    this.about = h("p", { class: "nbt-note" });
    this.strip = new ThreadStrip(ctx);
    this.scroller = h("div", {
      class: "nbt-river-scroll",
      role: "listbox",
      "aria-label": t`Concepts through the layers`,
      onclick: (/** @type {MouseEvent} */ event) => this.pick(event),
      onkeydown: (/** @type {KeyboardEvent} */ event) => this.onKey(event),
      onpointerover: (/** @type {PointerEvent} */ event) => this.point(threadAt(event)),
      onpointerleave: () => this.point(null),
      onfocusin: (/** @type {FocusEvent} */ event) => this.point(threadAt(event)),
    });
    this.poster = h("div", { class: "nbt-drawing", "aria-hidden": "true" });
    this.saving = saving(t, () => this.saved(), "river", 1);
    const head = h("div", { class: "nbt-river-head" }, this.about, this.saving);
    this.el = h(
      "section",
      { class: "nbt-river", "aria-label": t`Concept river` },
      head,
      this.scroller,
      this.strip.el,
      this.poster,
    );
    this.on(["labels", "pinned"], () => this.load());
    this.on(["layer", "concept", "thread"], () => this.sync());
    this.watch();
  }

  /** Draw again when there is another width to fill, first when the pane is visible. */
  watch() {
    const observer = new ResizeObserver(() => {
      const { clientWidth, clientHeight } = this.scroller;
      const size = clientWidth ? `${clientWidth}:${clientHeight}` : "";
      if (size === this.size) return;
      this.size = size; // "": in a hidden tab
      this.load();
    });
    observer.observe(this.scroller);
    this.ctx.signal.addEventListener("abort", () => observer.disconnect());
  }

  /** Fetch what the river needs; nothing while it is in a hidden tab. */
  load() {
    if (!this.size || !this.meta.threads) return;
    const { reason } = this.meta.threads;
    this.strip.el.hidden = this.saving.hidden = Boolean(reason);
    this.about.textContent = reason ?? "";
    if (reason) return;
    this.ctx.every(() => {
      this.loaded = true;
      this.draw();
      this.fetchPictures();
    });
  }

  /** Images of the strips that have room for one. */
  async fetchPictures() {
    if (!this.meta.pictured || !this.drawing) return;
    const rows = this.drawing.strips.flatMap((column) =>
      [...column]
        .sort((a, b) => b.share - a.share)
        .slice(0, 20)
        .flatMap((s) => this.meta.concepts[s.layer][s.k].exemplars.slice(0, 1)),
    );
    const missing = rows.filter((row) => !this.pictures.has(row));
    if (!missing.length) return;
    try {
      for (const [row, url] of await smallImages(this.source, missing)) this.pictures.set(row, url);
      if (!this.ctx.signal.aborted) this.draw();
    } catch (error) {
      this.ctx.say(String(error));
    }
  }

  draw() {
    const { t, meta, scroller } = this;
    const root = scroller.getRootNode();
    const focused = scroller.contains(root.activeElement) ? root.activeElement : null;
    const most = Math.max(1, ...meta.layers.map((layer) => meta.concepts[layer].length));
    const width = Math.max(scroller.clientWidth, PITCH * meta.layers.length);
    const height = Math.max(scroller.clientHeight - (width > scroller.clientWidth ? 16 : 0), HEIGHT, ROW * most);
    this.drawing = drawRiver(this, { width, height }, this.pictures);
    scroller.replaceChildren(this.drawing.svg);
    const linked = meta.layers.reduce(
      (sum, layer) => sum + (meta.threads?.similarity[layer].filter((v) => v !== null).length ?? 0),
      0,
    );
    this.about.textContent = t`${this.drawing.groups.size} threads · ${linked} links above the null · tapered: begins or ends`;
    this.about.title = LEGEND(t);
    this.sync();
    if (focused) this.nodeOf(Number(focused.dataset.layer), Number(focused.dataset.k))?.focus({ preventScroll: true });
  }

  /** @param {number} layer @param {number} k */
  nodeOf(layer, k) {
    return this.drawing?.nodes.get(`${layer}:${k}`);
  }

  /** Show the selection. */
  sync() {
    if (!this.drawing) return;
    const [{ thread }, layer, { groups, nodes, svg, strips }] = [this, this.get("layer"), this.drawing];
    const lit = this.pointed ?? thread;
    svg.classList.toggle("nbt-lit", lit !== null);
    for (const [other, elements] of groups) for (const el of elements) el.classList.toggle("nbt-on", other === lit);
    const selected = nodes.get(`${layer}:${this.get("concept")}`);
    for (const el of nodes.values()) {
      el.setAttribute("aria-selected", String(el === selected));
      el.setAttribute("tabindex", "-1");
    }
    const [first] = strips[this.meta.layers.indexOf(layer)] ?? [];
    const stop = selected ?? (first && this.nodeOf(first.layer, first.k)) ?? [...nodes.values()][0];
    stop?.setAttribute("tabindex", "0");
    for (const el of svg.querySelectorAll(".nbt-river-layer")) {
      el.classList.toggle("nbt-on", el.getAttribute("data-layer") === String(layer));
    }
    this.strip.show(lit);
    if (this.pointed === null) this.reveal(layer);
  }

  /** Scroll to a layer where it is out of sight. @param {number} layer */
  reveal(layer) {
    const { scroller } = this;
    const [strip] = this.drawing?.strips[this.meta.layers.indexOf(layer)] ?? [];
    if (!strip) return;
    const hidden = strip.x < scroller.scrollLeft || strip.x + strip.width > scroller.scrollLeft + scroller.clientWidth;
    if (hidden) scroller.scrollLeft = strip.x - scroller.clientWidth / 2;
  }

  /** Light a thread up; null for the selected one. @param {number | null} thread */
  point(thread) {
    clearTimeout(this.timer);
    this.timer = window.setTimeout(() => {
      if (thread === this.pointed) return;
      this.pointed = thread;
      this.sync();
    }, REST);
  }

  /** @param {MouseEvent} event */
  pick(event) {
    const target = /** @type {SVGElement} */ (event.target);
    const { layer } = target.dataset;
    if (target.classList.contains("nbt-river-layer")) return this.commit({ layer: Number(layer), token: null });
    const node = /** @type {SVGElement | null} */ (target.closest(".nbt-strip-node"));
    if (node) return this.select(Number(node.dataset.layer), Number(node.dataset.k));
    const { thread, at } = target.dataset;
    if (thread === undefined) return;
    // a ribbon: the nearer of its two layers
    const ends = [0, 1].flatMap(
      (d) => this.drawing?.strips[Number(at) + d]?.filter((s) => s.thread === Number(thread)) ?? [],
    );
    const left = this.drawing?.svg.getBoundingClientRect().left ?? 0;
    const far = (/** @type {Strip} */ s) => Math.abs(s.x + s.width / 2 - (event.clientX - left));
    const [end] = ends.sort((a, b) => far(a) - far(b));
    if (end) this.select(end.layer, end.k);
  }

  /** @param {number} layer @param {number} concept */
  select(layer, concept) {
    this.commit({ layer, concept, token: null });
    this.nodeOf(layer, concept)?.focus({ preventScroll: true });
  }

  /** @param {KeyboardEvent} event */
  onKey(event) {
    const { layer, k } = /** @type {HTMLElement} */ (event.target).dataset;
    const at = this.meta.layers.indexOf(Number(layer));
    const strip = this.drawing?.strips[at]?.find((s) => s.k === Number(k));
    if (!strip) return;
    if (event.key === "Enter" || event.key === " ") this.select(strip.layer, strip.k);
    else {
      const to = next(/** @type {Drawing} */ (this.drawing).strips, at, strip, event.key);
      if (!to) return;
      const node = this.nodeOf(to.layer, to.k);
      node?.focus();
      node?.scrollIntoView({ block: "nearest", inline: "nearest" });
    }
    event.preventDefault();
  }

  /** The river as a poster, for a file. */
  saved() {
    const { t, meta } = this;
    if (!this.drawing) return null;
    const heading = t`“${meta.token}” in ${meta.model}: concepts through the layers`;
    const { svg, groups } = drawRiver(this, { ...POSTER, heading, legend: LEGEND(t) }, this.pictures);
    svg.classList.toggle("nbt-lit", this.thread !== null);
    for (const el of (this.thread === null ? null : groups.get(this.thread)) ?? []) el.classList.add("nbt-on");
    this.poster.replaceChildren(svg); // in the page, hidden: only there it has its styles
    return svg;
  }
}

/** @param {import("./types.js").Translator} t */
const LEGEND = (t) =>
  t`Joined: correlation of the activations above the 95 % quantile of matched random mixtures, per pair. Height: share of activation. Tapered: begins or ends.`;

/** @param {Event} event */
function threadAt(event) {
  const target = /** @type {SVGElement | null} */ (/** @type {Element} */ (event.target).closest("[data-thread]"));
  return target ? Number(target.dataset.thread) : null;
}
