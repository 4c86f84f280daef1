// @ts-check
/** What is done with a view as a whole: the line of Python that opens it again, a picture of it, full screen. */

import { Controls } from "./controls.js";
import { CopyImage } from "./copy_image.js";
import { flash, h } from "./dom.js";
import { popover } from "./popover.js";

/**
 * @typedef {object} Whole a view, as the menu needs it
 * @property {() => string} python the line
 * @property {string[]} traits that the line depends on
 * @property {() => Promise<HTMLCanvasElement>} picture
 * @property {() => string} name of a file with the picture, without its ending
 * @property {Node[]} [head] above the buttons
 */

/** @extends {Controls<import("./copy_image.js").Told>} */
export class ViewMenu extends Controls {
  /** @param {import("./copy_image.js").Told} ctx @param {Whole} whole */
  constructor(ctx, { python, traits, picture, name, head = [] }) {
    super(ctx);
    const { t } = this;
    this.python = python;
    const label = t`Python that opens this view`;
    this.line = h("input", { class: "nbt-search nbt-code", readonly: true, hidden: true, "aria-label": label });
    this.copy = this.button(t`Copy as Python`, () => this.copyLine());
    this.full = this.button(t`Full screen`, () => this.toggleFull());
    const image = new CopyImage(ctx, picture, name).el;
    const full = document.fullscreenEnabled ? this.full : null;
    const menu = h("div", { class: "nbt-menu" }, ...head, this.copy, this.line, image, full);
    this.el = popover(
      ctx,
      this.stepper(t`More`, "⋯", () => {}),
      menu,
    );
    this.on(traits, () => {
      if (!this.line.hidden) this.line.value = this.python(); // never an old one
    });
    document.addEventListener("fullscreenchange", () => this.syncFull(), { signal: ctx.signal });
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
