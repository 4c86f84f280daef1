// @ts-check
/** Explorer: the pane of a tab on the left, one image and its concepts on the right; where it is narrow, one of the two at a time. */

import { Beside } from "./beside.js";
import { ConceptGallery } from "./concept_gallery.js";
import { h } from "./dom.js";
import { Guide } from "./guide.js";
import { Header } from "./header.js";
import { lazy } from "./lazy.js";
import { Pane } from "./pane.js";
import { SampleAttribution } from "./sample_attribution.js";
import { translate } from "./words.js";

// a line in panes.js, and a pane is no part of the first script
const Compare = lazy("Compare");
const ConceptMap = lazy("ConceptMap");
const ConceptPage = lazy("ConceptPage");
const River = lazy("River");
const Intervene = lazy("Intervene", ({ source }) => Boolean(source.job || source.holds?.("interventions_of")), true);

/** @typedef {{ el: HTMLElement, result?: HTMLElement, saved?(): SVGSVGElement | null }} View a pane; `result` is shown beside the image where there is room; `saved` draws it for a file */
/** @typedef {(new (ctx: import("./types.js").Context) => View) & { available?(ctx: import("./types.js").Context): boolean }} ViewClass */

/** The panes in the order of their tabs: text and class. Each is made when it is selected first. @type {Record<string, [string, ViewClass]>} */
export const TABS = {
  concepts: ["Concepts", ConceptGallery],
  river: ["River", River],
  map: ["Map", ConceptMap],
  compare: ["Compare", Compare],
  intervene: ["Intervene", Intervene],
};

/** What is in the place of the pane while the trait `page` is true. @type {ViewClass | null} */
const PAGE = ConceptPage;

/** Panes that are made at once: what they show is not only in their tab. */
const AT_ONCE = ["concepts", "intervene"];

/** Names of earlier releases. @type {Record<string, string>} */
const FORMER = { ablation: "intervene" };

export class Explorer extends Pane {
  /** @param {import("./types.js").Context} ctx */
  constructor(ctx) {
    super(ctx);
    this.tabs = Object.entries(TABS).filter(([, [, View]]) => View.available?.(ctx) ?? true);
    /** @type {Map<string, View>} */
    this.views = new Map();
    /** @type {HTMLElement | undefined} */
    this.result = undefined; // of an intervention
    /** @type {HTMLElement | undefined} */
    this.beside = undefined; // below the view: a view of its own
    this.before = "concepts"; // where the way back leads from the image
    this.slot = h("div", { class: "nbt-result", hidden: true });
    this.left = h("div", { class: "nbt-left" });
    this.sample = new SampleAttribution(ctx);
    this.detail = h("div", { class: "nbt-detail" }, this.back(), this.sample.el, this.slot);
    this.body = h("div", { class: "nbt-body" }, this.left, this.detail);
    for (const [tab] of this.tabs) if (AT_ONCE.includes(tab)) this.view(tab);
    this.el = document.createDocumentFragment();
    if (this.get("steps")?.length) this.el.append(new Guide(ctx).el);
    this.el.append(new Header(ctx, this.tabBar(), () => this.view(this.before)?.saved?.()).el, this.body);
    if (Beside.available(ctx)) {
      const beside = new Beside(ctx);
      this.sample.el.querySelector(".nbt-toolbar")?.append(beside.open);
      this.beside = beside.el;
    }
    this.on(["tab", "page"], () => this.sync());
    this.sync();
    this.watchChoices();
    this.watchWidth();
  }

  tabBar() {
    const { t } = this;
    const button = (/** @type {string} */ tab, /** @type {string} */ text) =>
      h("button", {
        type: "button",
        class: "nbt-tab",
        "data-tab": tab,
        text: translate(t, text),
        onclick: () => this.commit({ tab, page: false }),
      });
    this.buttons = this.tabs.map(([tab, [text]]) => button(tab, text));
    this.imageTab = button("image", "Image"); // where it is narrow
    return h(
      "div",
      { class: "nbt-tabs", "data-at": "tab", role: "group", "aria-label": t`Pane` },
      ...this.buttons,
      this.imageTab,
    );
  }

  /** The way back from the image to the list, where it is narrow. */
  back() {
    this.backButton = this.button("", () => {
      this.commit({ tab: this.before });
      const card = this.left.querySelector('[aria-selected="true"]');
      card?.scrollIntoView({ block: "nearest" });
      card?.focus({ preventScroll: true });
    });
    return h("div", { class: "nbt-back" }, this.backButton);
  }

  /** Whether one of the two columns is visible at a time: the style sheet decides. */
  get narrow() {
    return !["", "none"].includes(getComputedStyle(this.imageTab).display); // "": not in the page yet
  }

  /** The pane of a tab, made when it is needed first. @param {string} tab @returns {View | undefined} */
  view(tab) {
    const View = tab === "page" ? PAGE : this.tabs.find(([name]) => name === tab)?.[1][1];
    if (View && !this.views.has(tab)) {
      const view = new View(this.ctx);
      this.views.set(tab, view);
      this.left.append(view.el);
      this.result ??= view.result;
    }
    return this.views.get(tab);
  }

  /** Show the selected pane. */
  sync() {
    const value = FORMER[this.get("tab")] ?? this.get("tab");
    const tab = this.tabs.some(([name]) => name === value) ? value : this.before;
    const narrow = this.narrow && value === "image";
    if (!narrow) this.before = tab;
    this.body.dataset.tab = narrow ? "image" : tab;
    const current = this.view(this.get("page") && PAGE ? "page" : tab);
    for (const view of this.views.values()) view.el.hidden = view !== current;
    for (const button of [...(this.buttons ?? []), this.imageTab]) {
      button.setAttribute("aria-pressed", String(button.dataset.tab === this.body.dataset.tab));
    }
    const [text] = TABS[this.before];
    this.backButton.textContent = `‹ ${translate(this.t, text)}`;
    this.place();
  }

  /** Show the result of an intervention under the bars, or below its own pane where it is narrow. */
  place() {
    const { result, narrow } = this;
    const parent = narrow ? this.left : this.slot;
    if (result && result.parentNode !== parent) parent.append(result); // an element that is moved loses the focus
    if (result) result.hidden = narrow && this.before !== "intervene";
    this.slot.hidden = !result; // without a model there is no intervention
  }

  /** Where it is narrow, a card or an image that is chosen is shown at once. */
  watchChoices() {
    const { signal } = this.ctx;
    let [before, inPage] = ["", false];
    // in the page of a concept one goes on to other concepts
    const selection = () =>
      JSON.stringify((inPage ? ["sample"] : ["concept", "sample", "layer"]).map((n) => this.get(n)));
    const remember = () => {
      inPage = Boolean(this.get("page"));
      before = selection();
    };
    this.left.addEventListener("click", remember, { capture: true, signal });
    this.left.addEventListener(
      "click",
      (/** @type {Event} */ event) => {
        /** @type {HTMLElement | null} */
        const card = /** @type {HTMLElement} */ (event.target).closest(inPage ? "[data-row]" : ".nbt-card");
        if (!this.narrow || (!card && selection() === before)) return;
        this.commit({ ...this.strongest(card), tab: "image" });
        this.backButton.focus({ preventScroll: true });
        this.backButton.scrollIntoView({ block: "nearest" }); // the list may be longer than the image's pane
      },
      { signal },
    );
  }

  /** The strongest image of a card that does not have the selected one. @param {HTMLElement | null} card */
  strongest(card) {
    const rows = (card?.dataset.rows ?? "").split(",").filter(Boolean).map(Number);
    return rows.length && !rows.includes(this.row) ? { token: null, sample: this.meta.samples[rows[0]].id } : {};
  }

  watchWidth() {
    const observer = new ResizeObserver(() => this.sync());
    observer.observe(this.body);
    this.ctx.signal.addEventListener("abort", () => observer.disconnect());
  }
}
