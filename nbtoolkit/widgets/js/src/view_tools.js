// @ts-check
/** Full screen, and the line of Python that opens the view again. */

import { h } from "./dom.js";
import { Pane } from "./pane.js";
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
  steer_by: "",
  steer_at: "all",
};
const ALWAYS = ["layer", "concept", "sample"];

export class ViewTools extends Pane {
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
