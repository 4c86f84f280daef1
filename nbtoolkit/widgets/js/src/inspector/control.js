// @ts-check
/** Random edits of equal size: at a click, their mean and range beside the effect. */

import { h, reason, signed } from "../dom.js";
import { translate, visible } from "../words.js";
import { rangeOfDraws } from "./differences.js";
import { bar } from "./ledger_row.js";
import { rangeOf } from "./ledger_parts.js";
import { Pane } from "./pane.js";
import { Running } from "./running.js";

const DRAWS = 5;

export class Control extends Pane {
  /**
   * @param {import("./types.js").InspectorContext} ctx @param {{ edits: any[], target: string, foil: string }} question
   * @param {import("./differences.js").Reading} before @param {number} effect in the unit of the trait
   */
  constructor(ctx, question, before, effect) {
    super(ctx);
    const { t } = this;
    this.question = question;
    this.before = before;
    this.effect = effect;
    /** @type {import("../types.js").Job | undefined} */
    this.job = undefined;
    const title = t`${DRAWS} random edits of equal size: is the effect more than theirs?`;
    this.start = this.button(t`Control`, () => this.run(), { title });
    this.running = new Running(t, t`Control`, () => this.cancel());
    this.out = h("div", { class: "nbt-control-result", hidden: true });
    this.el = h("div", { class: "nbt-control" }, this.start, this.running.el, this.out);
  }

  run() {
    const { edits, target, foil } = this.question;
    const job = this.store.job("control", { edits, target, foil, draws: DRAWS }, (done, total) =>
      this.running.progress(done, total),
    );
    this.job = job;
    this.start.hidden = true;
    this.running.start();
    const mine = () => this.job === job && !this.ctx.signal.aborted;
    job.result.then(
      (reply) => mine() && this.show(reply),
      (error) => mine() && this.fail(error),
    );
  }

  cancel() {
    this.job?.cancel();
    this.job = undefined;
    this.running.end();
    this.start.hidden = !this.out.hidden;
  }

  /** @param {{ draws: import("./differences.js").Reading[], what: string }} reply */
  show({ draws, what }) {
    const { t } = this;
    this.running.end();
    const { mean, low, high } = rangeOfDraws(this.before, draws, this.get("unit"));
    const range = rangeOf([], [this.effect, low, high]);
    const text = t`control ${signed(mean, 2, "+")} (${signed(low, 2, "+")} to ${signed(high, 2, "+")}, ${draws.length} draws)`;
    const about = visible(translate(t, what));
    this.out.replaceChildren(
      h("span", { class: "nbt-control-bar nbt-part-head" }, bar(this.effect, [low, high], range)),
      h("span", { text, title: about }),
      h("span", { class: "nbt-spoken", text: about }),
    );
    this.out.hidden = false;
    this.ctx.say(`${text}. ${about}`);
  }

  /** @param {unknown} error */
  fail(error) {
    this.cancel();
    this.out.replaceChildren(h("span", { class: "nbt-note", text: visible(reason(this.t, error)) }));
    this.out.hidden = false;
  }
}
