// @ts-check
/** The responses of two sides, what differs marked, and the word's probability in each. */

import { h, signed } from "../dom.js";
import { differenceOf } from "./differences.js";
import { chance, EditResult } from "./edit_result.js";
import { responseText } from "./response_text.js";
import { Pane } from "./pane.js";

export class SideTexts extends Pane {
  /** @param {import("./types.js").InspectorContext} ctx @param {string} side "b" or "edited" */
  constructor(ctx, side) {
    super(ctx);
    this.side = side;
    this.whole = false;
    this.shown = "";
    /** @type {import("./differences.js").Difference | undefined} */
    this.compared = undefined;
    this.el = h("div", { class: "nbt-side-texts" });
    this.on(["target", "edits", "foil"], () => this.sync());
    ctx.signal.addEventListener(
      "abort",
      this.store.on(() => this.sync()),
    );
    this.sync();
  }

  /** Words of both responses, and the word's probability before and after; null where it is not known yet. */
  get both() {
    if (this.side === "edited") {
      const reply = EditResult.latest(this);
      if (!reply) return null;
      return { difference: reply.difference, first: reply.before.probability, second: reply.after.probability };
    }
    const [a, b] = ["a", "b"].map((side) => this.store.side(side));
    const [first, second] = ["a", "b"].map((side) => this.store.word(side)?.probability ?? null);
    this.compared ??= differenceOf(a.response, b.response);
    return { difference: this.compared, first, second };
  }

  sync() {
    const { t, both } = this;
    const key = JSON.stringify([this.get("target"), this.whole, both]);
    if (key === this.shown) return;
    this.shown = key;
    if (!both) {
      this.el.replaceChildren(h("p", { class: "nbt-note", text: t`The edits are not run yet.` }));
      return;
    }
    const { difference, first, second } = both;
    const edited = this.side === "edited";
    const show = (/** @type {string} */ title, /** @type {"removed" | "added"} */ own) =>
      responseText(t, { title, difference, own, target: this.get("target"), whole: this.whole }, () => {
        this.whole = true;
        this.sync();
      });
    this.el.replaceChildren(
      show(edited ? t`Before` : t`This side`, "removed"),
      show(edited ? t`After` : t`Other side`, "added"),
      this.numbers(first, second),
    );
  }

  /** @param {number | null} first @param {number | null} second */
  numbers(first, second) {
    const { t } = this;
    const text = (/** @type {number | null} */ p) => (p === null ? "—" : chance(p));
    const p = h("p", {}, "p ", h("span", { class: "nbt-value", text: `${text(first)} | ${text(second)}` }));
    if (first !== null && second !== null) p.append(` (${signed(second - first, 2, "+")})`);
    if (second === null) p.append(` · ${t`the other response does not have the word`}`);
    return p;
  }
}
