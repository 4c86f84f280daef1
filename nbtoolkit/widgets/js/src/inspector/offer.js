// @ts-check
/** An instrument that is not computed yet: a button with its estimate; while it runs, its progress and a way to cancel; the reason where it is refused. */

import { h } from "../dom.js";
import { Pane } from "./pane.js";
import { translate, visible } from "../words.js";

/**
 * A time, to one digit: "0.9 s", "12 s", "3 min".
 * @param {number | null} seconds
 */
export function duration(seconds) {
  if (typeof seconds !== "number" || !Number.isFinite(seconds)) return "";
  if (seconds < 0.1) return "0.1 s";
  if (seconds < 9.95) return `${seconds.toFixed(1)} s`;
  return seconds < 100 ? `${Math.round(seconds)} s` : `${Math.round(seconds / 60)} min`;
}

export class Offer extends Pane {
  /**
   * @param {import("./types.js").InspectorContext} ctx @param {string} name of the instrument
   * @param {() => import("./types.js").Which | null} [which] null where nothing is selected that it could be about
   */
  constructor(ctx, name, which = () => ({})) {
    super(ctx);
    const { t } = this;
    this.name = name;
    this.which = which;
    const { title = name, summary = "" } = this.store.instrument(name) ?? {};
    this.title = translate(t, title);
    this.cost = h("span", { class: "nbt-offer-cost" });
    this.start = h(
      "button",
      { type: "button", class: "nbt-button", title: translate(t, summary), onclick: () => this.run() },
      h("span", { text: this.title }),
      " ",
      this.cost,
    );
    this.bar = h("progress", { "aria-label": t`progress of ${this.title}` });
    this.stop = this.stepper(t`Cancel: ${this.title}`, "×", () => this.cancel());
    this.going = h("span", { class: "nbt-offer-going" }, h("span", { text: this.title }), this.bar, this.stop);
    this.why = h("span", { class: "nbt-note" });
    this.el = h("div", { class: "nbt-offer", "data-instrument": name }, this.start, this.going, this.why);
    const off = this.store.on(() => this.sync());
    ctx.signal.addEventListener("abort", off);
    this.sync();
  }

  run() {
    const which = this.which();
    if (!which) return;
    if (this.store.status(this.name, which).state === "refused") this.store.retry(this.name, which);
    else this.store.compute(this.name, which);
    this.sync();
    this.stop.focus({ preventScroll: true });
  }

  cancel() {
    this.store.cancel(this.name, this.which() ?? {});
    this.sync();
    this.start.focus({ preventScroll: true });
  }

  /** Whether it is of use here: not computed, and about something. */
  get open() {
    return !this.el.hidden;
  }

  sync() {
    const which = this.which();
    const { state, done, total, reason, seconds } = this.store.status(this.name, which ?? {});
    const running = state === "running";
    this.el.hidden = !which || state === "done";
    this.start.hidden = running;
    this.start.disabled = state === "refused";
    this.going.hidden = !running;
    this.cost.textContent = seconds >= 0 && !reason ? `≈ ${duration(seconds)}` : "";
    if (total) Object.assign(this.bar, { max: total, value: done });
    else this.bar.removeAttribute("value");
    this.why.textContent = visible(translate(this.t, reason));
    this.why.hidden = !reason;
  }
}
