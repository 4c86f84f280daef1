// @ts-check
/** Full screen, and the line of Python that opens the view again. */

import { CopyImage } from "./copy_image.js";
import { flash, h } from "./dom.js";
import { Pane } from "./pane.js";
import { popover } from "./popover.js";
import { pythonCall, pythonLiteral } from "./state.js";

const ALWAYS = ["layer", "concept", "sample"]; // in the line of Python, whatever they are

export class ViewTools extends Pane {
  /** @param {import("./types.js").Context} ctx @param {() => SVGSVGElement | null | undefined} [drawing] of the selected pane */
  constructor(ctx, drawing) {
    super(ctx);
    const { t } = this;
    const label = t`Python that opens this view`;
    this.line = h("input", { class: "nbt-search nbt-code", readonly: true, hidden: true, "aria-label": label });
    this.copy = this.button(t`Copy as Python`, () => this.copyLine());
    this.full = this.button(t`Full screen`, () => this.toggleFull());
    const full = document.fullscreenEnabled ? this.full : null;
    const menu = h("div", { class: "nbt-menu" }, this.copy, this.line, new CopyImage(ctx, drawing).el, full);
    const opener = this.stepper(t`More`, "⋯", () => {});
    this.el = popover(ctx, opener, menu);
    this.on([...ALWAYS, ...Object.keys(this.meta.defaults)], () => {
      if (!this.line.hidden) this.line.value = this.python(); // never an old one
    });
    document.addEventListener("fullscreenchange", () => this.syncFull(), { signal: ctx.signal });
  }

  /** The line that opens the view as it is: every trait that is not at its default. */
  python() {
    const { defaults, live, samples } = this.meta;
    const differs = (/** @type {string} */ name) => JSON.stringify(this.get(name)) !== JSON.stringify(defaults[name]);
    const names = [...ALWAYS, ...Object.keys(defaults).filter((name) => !ALWAYS.includes(name) && differs(name))];
    const options = Object.fromEntries(names.map((n) => [n, this.get(n)]));
    const { own, name, given, caption } = samples[this.row];
    if (own) delete options.sample; // its id is that of the page's JPEG
    const call = pythonCall(live ? ["study", "model"] : ["study"], options);
    if (!own) return call;
    const captioned = given ? `, caption=${pythonLiteral(caption)}` : "";
    return `view = ${call}; view.explain(${pythonLiteral(name)}${captioned})`;
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
    flash(copy, t`Copied`);
    this.ctx.say(t`Copied`);
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
