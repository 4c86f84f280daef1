// @ts-check
/** What runs: its progress, and a button that cancels it. Nothing is shown of what takes a moment only. */

import { h } from "../dom.js";

const MOMENT = 250; // milliseconds

export class Running {
  /** @param {import("../types.js").Translator} t @param {string} what @param {() => void} cancel */
  constructor(t, what, cancel) {
    this.bar = h("progress", { "aria-label": t`progress of ${what}` });
    const stop = { type: "button", class: "nbt-step", "aria-label": t`Cancel: ${what}`, text: "×", onclick: cancel };
    this.el = h(
      "span",
      { class: "nbt-offer-going", hidden: true },
      h("span", { text: what }),
      this.bar,
      h("button", stop),
    );
  }

  start() {
    clearTimeout(this.timer);
    this.bar.removeAttribute("value");
    this.timer = setTimeout(() => (this.el.hidden = false), MOMENT);
  }

  /** @param {number} done @param {number} total */
  progress(done, total) {
    if (total) Object.assign(this.bar, { max: total, value: done });
  }

  end() {
    clearTimeout(this.timer);
    this.el.hidden = true;
  }
}
