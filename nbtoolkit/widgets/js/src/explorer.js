// @ts-check
/** Explorer: layers above, concepts and image side by side, layer ablation below; one pane at a time where it is narrow. */

import { ConceptGallery } from "./concept_gallery.js";
import { h } from "./dom.js";
import { Guide } from "./guide.js";
import { LayerAblation } from "./layer_ablation.js";
import { LayerSlider } from "./layer_slider.js";
import { Pane } from "./pane.js";
import { SampleAttribution } from "./sample_attribution.js";
import { pythonCall } from "./state.js";

const COPIED = 1500; // milliseconds

/** Traits that the line of Python leaves out where they have these values. */
const DEFAULTS = {
  metric: "",
  labels: {},
  pinned: [],
  query: "",
  sort: "importance",
  examples: "strongest",
  exemplar_overlay: "none",
  overlay: "none",
  all_tokens: false,
  token: null,
  attribution: false,
  edits: [],
};
const ALWAYS = ["layer", "concept", "sample"];

export class Explorer extends Pane {
  /** @param {import("./types.js").Context} ctx */
  constructor(ctx) {
    super(ctx);
    const { t } = this;
    const gallery = new ConceptGallery(ctx);
    const sample = new SampleAttribution(ctx);
    /** @type {Record<string, [string, HTMLElement]>} */
    this.tabs = { concepts: [t`Concepts`, gallery.el], image: [t`Image`, sample.el] };
    if (this.source.job) this.tabs.ablation = [t`Layer ablation`, new LayerAblation(ctx).el];
    this.body = h("div", { class: "nbt-body" }, ...Object.values(this.tabs).map(([, el]) => el));
    this.el = document.createDocumentFragment();
    if (this.get("steps")?.length) this.el.append(new Guide(ctx).el);
    this.el.append(this.head(), this.tabBar(), this.body);
    this.on(["tab"], () => this.syncTab());
    this.on(["sample"], () => this.news());
    this.syncTab();
  }

  head() {
    const { t, meta, ctx } = this;
    const layers = new LayerSlider(ctx);
    const n = this.concepts.length;
    const about = t`${meta.model} · ${meta.n_samples} images · ${n} concepts by ${meta.method}`;
    const title = h(
      "div",
      { class: "nbt-title" },
      h("h2", { class: "nbt-token", text: `“${meta.token}”` }),
      h("p", { class: "nbt-sub", text: about }),
      layers.preview,
      new ViewTools(ctx).el,
    );
    return h("div", { class: "nbt-head" }, title, layers.el);
  }

  /** The panes of a narrow view. */
  tabBar() {
    this.buttons = Object.entries(this.tabs).map(([tab, [text]]) =>
      h("button", { type: "button", class: "nbt-tab", "data-tab": tab, text, onclick: () => this.commit({ tab }) }),
    );
    return h("div", { class: "nbt-tabs", role: "group", "aria-label": this.t`Pane` }, ...this.buttons);
  }

  syncTab() {
    const tab = this.get("tab") in this.tabs ? this.get("tab") : "concepts";
    this.body.dataset.tab = tab;
    for (const button of this.buttons ?? []) {
      button.setAttribute("aria-pressed", String(button.dataset.tab === tab));
      if (button.dataset.tab === tab) button.classList.remove("nbt-fresh");
    }
  }

  /** Mark the image's tab: what was selected is behind it. */
  news() {
    const image = this.buttons?.find((button) => button.dataset.tab === "image");
    image?.classList.toggle("nbt-fresh", this.get("tab") === "concepts" && this.get("sample") !== null);
  }
}

/** Full screen, and the line of Python that opens this view again. */
class ViewTools extends Pane {
  /** @param {import("./types.js").Context} ctx */
  constructor(ctx) {
    super(ctx);
    const { t } = this;
    const label = t`Python that opens this view`;
    this.line = h("input", { class: "nbt-search nbt-code", readonly: true, hidden: true, "aria-label": label });
    this.copy = this.button(t`Copy as Python`, () => this.copyLine());
    this.full = this.button(t`Full screen`, () => this.toggleFull());
    const full = document.fullscreenEnabled ? this.full : null;
    this.el = h("div", { class: "nbt-toolbar nbt-view-tools" }, this.copy, full, this.line);
    this.on([...ALWAYS, ...Object.keys(DEFAULTS)], () => {
      this.line.value = this.python(); // never an old one
    });
    document.addEventListener("fullscreenchange", () => this.syncFull(), { signal: ctx.signal });
  }

  python() {
    const changed = Object.entries(DEFAULTS).filter(
      ([name, value]) => JSON.stringify(this.get(name)) !== JSON.stringify(value),
    );
    const names = [...ALWAYS, ...changed.map(([name]) => name)];
    const options = Object.fromEntries(names.map((name) => [name, this.get(name)]));
    return pythonCall(this.meta.live ? ["study", "model"] : ["study"], options);
  }

  async copyLine() {
    const { t, line, copy } = this;
    line.value = this.python();
    line.hidden = false;
    line.select();
    try {
      await navigator.clipboard.writeText(line.value);
    } catch {
      return; // some hosts forbid it: the line is selected
    }
    copy.textContent = t`Copied`;
    this.ctx.say(t`Copied`);
    setTimeout(() => (copy.textContent = t`Copy as Python`), COPIED);
  }

  toggleFull() {
    const root = this.el.closest(".nbt-root");
    if (document.fullscreenElement) document.exitFullscreen();
    else root?.requestFullscreen?.().catch(() => this.ctx.say(`Error: ${this.t`full screen is not possible here`}`));
  }

  syncFull() {
    this.full.textContent = document.fullscreenElement ? this.t`Exit full screen` : this.t`Full screen`;
  }
}
