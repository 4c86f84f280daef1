// @ts-check
/** ConceptPage: all about the selected concept: words, exemplars over its range, density, layers, neighbours, effect, samples. */

import { score } from "./concept_card.js";
import { ConceptEffect } from "./concept_effect.js";
import { correlations, density, extremes, fifths, uses } from "./concept_facts.js";
import { drawChart } from "./chart.js";
import { format, h, lazyImages, percent, reason, signed } from "./dom.js";
import { ExemplarOverlay } from "./exemplar_overlay.js";
import { Pane } from "./pane.js";
import { SampleTable } from "./sample_table.js";
import { ordered, search } from "./search.js";
import { niceMax } from "./state.js";
import { tile } from "./tile.js";
import { translate } from "./words.js";

const PER_ROW = 8;
const BINS = 24;
const N_WORDS = 10;
const N_NEAR = 5;
const N_FAR = 3;
const TOP = "nbt-top";

const heading = (/** @type {string} */ text) => h("h4", { class: "nbt-page-h", text });

export class ConceptPage extends Pane {
  /** @param {import("./types.js").Context} ctx */
  constructor(ctx) {
    super(ctx);
    const { t } = this;
    this.turn = 0;
    this.title = h("h3", { class: "nbt-h", tabindex: -1 });
    this.numbers = h("span", { class: "nbt-count" });
    this.overlay = new ExemplarOverlay(ctx);
    this.images = lazyImages(ctx, 5, (el, thumb) => this.wantsMap(el) && this.overlay.paint(el, thumb));
    this.facts = h("div", { class: "nbt-page-facts" });
    this.rows = h("div", { class: "nbt-page-rows", onclick: (/** @type {Event} */ event) => this.pick(event) });
    this.effect = this.source.job ? new ConceptEffect(ctx) : null;
    this.table = new SampleTable(ctx);
    const head = h(
      "div",
      { class: "nbt-toolbar" },
      this.button(t`‹ Back`, () => this.close(), { title: "Escape" }),
      this.stepper(t`previous concept`, "‹", () => this.step(-1)),
      this.stepper(t`next concept`, "›", () => this.step(1)),
      this.title,
      this.numbers,
    );
    this.el = h(
      "section",
      { class: "nbt-page-of", "aria-label": t`Concept`, onkeydown: (/** @type {KeyboardEvent} */ e) => this.onKey(e) },
      head,
      h("div", { class: "nbt-toolbar" }, heading(t`Images from the strongest to the weakest`), this.overlay.select),
      this.overlay.scale,
      this.rows,
      this.facts,
      this.effect?.el ?? null,
      this.table.el,
    );
    this.on(["page", "concept", "layer", "labels", "exemplar_overlay"], () => this.paint());
    this.on(["page"], () => this.enter());
    setTimeout(() => this.enter());
    ctx.every(() => this.paint()); // names of the thread in the other layers
    this.paint();
  }

  /** The focus, where the reader has opened the page. */
  enter() {
    if (this.get("page") && this.ctx.entered) this.title.focus({ preventScroll: true });
  }

  /** Whether a map is painted over a tile: over the strongest images. @param {HTMLElement} el */
  wantsMap(el) {
    const { exemplars } = this.concepts[this.get("concept")] ?? { exemplars: [] };
    return el.closest(`.${TOP}`) && (!this.source.alone || exemplars.includes(Number(el.dataset.row)));
  }

  async paint() {
    const [k, layer, mine] = [this.get("concept"), this.get("layer"), ++this.turn];
    if (!this.get("page")) return;
    this.title.textContent = k === null ? this.t`No concept of this thread here` : `${k} ${this.name(k)}`;
    for (const part of [this.numbers, this.facts, this.rows]) part.replaceChildren();
    this.table.el.hidden = k === null;
    if (k === null) {
      this.facts.append(this.life());
      this.overlay.cancel();
      return;
    }
    try {
      const [activations, { data }] = await Promise.all([
        this.source.activations(layer),
        this.source.bulk("concept_page", { layer, concept: k }),
        this.ctx.more([k]),
      ]);
      if (mine !== this.turn) return;
      const used = uses(activations, k);
      this.numbers.append(
        h("span", { title: this.t`share of all activation`, text: `${percent(this.concepts[k].share)} ` }),
        ...score(this, this.concepts[k]),
      );
      this.facts.append(this.words(data, k), this.density(used), this.near(activations, k), this.life());
      this.strips(used, k);
      this.table.show(
        used.map(({ row }) => row),
        activations,
        Int32Array.from(activations.rest, () => k),
      );
    } catch (error) {
      if (mine === this.turn) this.facts.replaceChildren(h("p", { class: "nbt-note", text: reason(this.t, error) }));
    }
  }

  /** A row of the page's facts. @param {string} title @param {(Node | string | null)[]} parts */
  fact(title, parts) {
    return h("div", { class: "nbt-page-fact" }, heading(title), h("div", { class: "nbt-chips" }, ...parts));
  }

  /** @param {string} text @param {string} value @param {(() => void) | null} onclick @param {Record<string, any>} [props] */
  chip(text, value, onclick, props = {}) {
    const tag = onclick ? "button" : "span";
    const inside = [h("span", { dir: "auto", text }), h("span", { class: "nbt-count", text: value })];
    return h(tag, { class: "nbt-chip", ...(onclick ? { type: "button", onclick } : {}), ...props }, ...inside);
  }

  /** @param {any} data @param {number} k */
  words(data, k) {
    const { t } = this;
    const { words, negative } = data[k] ?? { words: this.concepts[k].words.map((word) => [word, null]), negative: [] };
    const chips = (/** @type {[string, number | null][]} */ pairs) =>
      pairs.slice(0, N_WORDS).map(([word, logit]) => this.chip(word, logit === null ? "" : signed(logit), null));
    const note = data.reason ? h("span", { class: "nbt-note", text: translate(t, data.reason) }) : null;
    const part = this.fact(t`Words, with logits`, [...chips(words), note]);
    if (negative.length) part.append(heading(t`Most negative`), h("div", { class: "nbt-chips" }, ...chips(negative)));
    return part;
  }

  /** @param {import("./concept_facts.js").Use[]} used */
  density(used) {
    const { t } = this;
    const { low, step, counts } = density(used, BINS);
    const top = niceMax(Math.max(...counts));
    const at = (/** @type {number} */ i) => signed(low + i * step, 1);
    const n = this.meta.n_samples;
    const title = t`Activation (${used.length} of ${n} images)`;
    const chart = drawChart(t, {
      name: "density",
      title,
      x: t`activation`,
      y: t`images`,
      summary: `${title}: ${at(0)} … ${at(BINS)}`,
      slots: counts.map((_, i) => ({ text: at(i) })),
      every: BINS / 4,
      ticks: [0, top],
      marks: [{ kind: "bars", values: counts }],
      format: (v) => format(v, v % 1 ? 1 : 0),
      hint: (i) => t`${at(i)} to ${at(i + 1)}: ${counts[i]} images`,
      onpick: () => {},
    });
    return chart.el;
  }

  /** @param {import("./types.js").Activations} activations @param {number} k */
  near(activations, k) {
    const { t } = this;
    const pairs = correlations(activations, k);
    const chip = (/** @type {{ k: number, r: number }} */ other) =>
      this.chip(`${other.k} ${this.name(other.k)}`, signed(other.r), () => this.goTo({ concept: other.k }));
    const { twin } = this.concepts[k];
    const [together, opposite] = extremes(pairs, N_NEAR, N_FAR).map((some) => some.map(chip));
    const title = t`Active together (correlation over the images)`;
    const part = this.fact(title, together.length ? together : [t`none`]);
    if (opposite.length) part.append(heading(t`Opposite`), h("div", { class: "nbt-chips" }, ...opposite));
    if (twin !== null)
      part.append(
        heading(t`Near-duplicate`),
        this.chip(`${twin} ${this.name(twin)}`, "", () => this.goTo({ concept: twin })),
      );
    return part;
  }

  /** The thread in every layer, with the similarity to the layer before. */
  life() {
    const { t, meta, thread } = this;
    const now = this.get("layer");
    const chips = meta.layers.map((layer) => {
      const k = thread === null ? (layer === now ? this.get("concept") : null) : this.memberOf(thread, layer);
      const similarity = k === null ? null : (meta.threads?.similarity[layer]?.[k] ?? null);
      const name = k === null ? "—" : this.name(k, layer);
      const value = similarity === null ? "" : `↜ ${format(similarity)}`;
      return this.chip(`${layer}: ${name}`, value, () => this.goTo({ layer }), {
        "aria-pressed": String(layer === now),
      });
    });
    return this.fact(t`Through the layers (similarity with the layer before)`, chips);
  }

  /** @param {import("./concept_facts.js").Use[]} used @param {number} k */
  strips(used, k) {
    const rows = fifths(used, PER_ROW).map(({ all, some }, i) => {
      const ends = `${signed(all[0].value, 1)} … ${signed(all[all.length - 1].value, 1)}`;
      const tiles = some.map(({ row, value }) => tile(this, row, { value, signed: this.concepts[k].signed }));
      return h(
        "div",
        { class: `nbt-card nbt-page-row ${i ? "" : TOP}`, "data-concept": k },
        h("span", { class: "nbt-count", text: ends, title: this.t`${all.length} images` }),
        h("div", { class: "nbt-strip" }, ...tiles),
      );
    });
    this.overlay.cancel();
    this.overlay.paintLegend();
    this.rows.replaceChildren(
      ...(rows.length ? rows : [h("p", { class: "nbt-note", text: this.t`not active in any image` })]),
    );
    if (this.meta.pictured) this.images(rows);
  }

  /** @param {Event} event on an image */
  pick({ target }) {
    const el = /** @type {HTMLElement | null} */ (/** @type {Element} */ (target).closest("[data-row]"));
    if (el) this.commit({ token: null, sample: this.meta.samples[Number(el.dataset.row)].id });
  }

  /** Show another concept, or layer; what was pressed may be gone then. @param {Record<string, any>} selection */
  goTo(selection) {
    this.commit({ token: null, ...selection });
    this.title.focus();
  }

  /** The next concept, in the order of the list. @param {number} by */
  step(by) {
    const { concepts } = this;
    const [names, pins] = [concepts.map((_, k) => this.name(k)), concepts.map((_, k) => this.isPinned(k))];
    const order = ordered(search(concepts, "", this.meta.samples, names), concepts, this.get("sort"), names, pins);
    const next = order[order.indexOf(this.get("concept")) + by];
    if (next !== undefined) this.goTo({ concept: next });
  }

  close() {
    const left = this.el.parentElement;
    this.commit({ page: false });
    left?.querySelector('.nbt-card[aria-selected="true"]')?.focus();
  }

  /** @param {KeyboardEvent} event */
  onKey({ key, target }) {
    const field = /** @type {Element} */ (target).matches("input, select, [role=listbox]");
    if (key === "Escape") this.close();
    else if (!field && (key === "ArrowLeft" || key === "ArrowRight")) this.step(key === "ArrowLeft" ? -1 : 1);
  }
}
