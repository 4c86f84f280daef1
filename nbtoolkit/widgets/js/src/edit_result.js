// @ts-check
/** What edits change: the response before beside the one after, the token's probability, the control, the concepts. */

import { GONE, SILENT } from "./channel.js";
import { h, reason, signed } from "./dom.js";
import { condensed, isActive, isSteering, PRECOMPUTED, probability } from "./edits.js";
import { Newest } from "./newest.js";
import { Pane } from "./pane.js";

/** @typedef {import("./edits.js").Edit} Edit */
/** @typedef {{ edits: Edit[], sample: string, row: number, at: number, brief: boolean }} Question `brief`: of a slider that moves */

export class EditResult extends Pane {
  /** @param {import("./types.js").Context} ctx */
  constructor(ctx) {
    super(ctx);
    this.last = ""; // question, as text
    this.el = h("div", { class: "nbt-effect" });
    this.newest = new Newest(
      (/** @type {Question} */ question) => this.send(question),
      (question, reply, error) => this.settle(question, reply, error),
    );
    ctx.signal.addEventListener("abort", () => this.newest.cancel());
    this.on(["edits", "sample", "layer"], () => this.ask());
    this.ask();
  }

  /** Run the edited model. @param {Edit[] | null} [moving] the edits of a slider that moves */
  ask(moving = null) {
    const edits = (moving ?? this.get("edits") ?? []).filter(isActive);
    const question = {
      edits,
      sample: this.get("sample"),
      row: this.row,
      at: this.get("layer"),
      brief: moving !== null,
    };
    const key = JSON.stringify({ ...question, brief: false });
    if (key === this.last) return;
    this.last = key;
    if (edits.length) {
      this.el.classList.add("nbt-stale");
      this.newest.ask(question);
    } else {
      this.newest.cancel();
      this.show([h("p", { class: "nbt-note", text: this.t`No edit: move the slider, or ablate a layer.` })]);
    }
  }

  /** @param {Question} question @returns {import("./types.js").Job} */
  send({ edits, sample, row, at }) {
    const { job, ask } = this.source;
    if (job) return job(edits.some(isSteering) ? "steer" : "ablate", { sample, edits, at });
    const result = ask ? stopOf(ask, edits, { sample, row, layer: at }) : Promise.reject(new Error(""));
    return { cancel() {}, result };
  }

  /** @param {Question} question @param {any} reply @param {unknown} error */
  settle(question, reply, error) {
    if (this.ctx.signal.aborted) return;
    if (!error) return this.showEffect(reply, question.brief);
    this.last = ""; // the same question is sent again
    const text = reason(this.t, error);
    const lost = [GONE, SILENT].some((message) => String(error).endsWith(message));
    if (lost) this.ctx.say(String(error)); // the banner
    const kind = this.source.job && !lost ? "nbt-error" : "nbt-note";
    this.show([h("p", { class: kind, text })]); // never what other edits have changed
  }

  /** @param {(Node | null)[]} children */
  show(children) {
    this.el.replaceChildren(...children.filter((child) => child !== null));
    this.el.classList.remove("nbt-stale");
  }

  /** @param {any} effect of the operation `ablate` or `steer` @param {boolean} brief whether more is to come */
  showEffect(effect, brief) {
    const { t, meta } = this;
    const change = signed(effect.after - effect.before, 3, "+");
    this.show([
      h("div", { class: "nbt-beside" }, ...this.responses(effect.difference)),
      h(
        "p",
        { title: t`log-probability from ${signed(effect.before, 3)} to ${signed(effect.after, 3)} nats` },
        `p(“${meta.token}”) `,
        h("span", { class: "nbt-value", text: `${probability(effect.before)} → ${probability(effect.after)}` }),
        ` · ${t`Δ log p`} `,
        h("strong", { text: t`${change} nats` }),
      ),
      effect.control ? this.control(effect.control) : null,
      this.list(t`Concepts no longer active`, effect.vanished, effect.layer),
      this.list(t`Concepts newly active`, effect.appeared, effect.layer),
    ]);
    if (!brief) this.ctx.say(`${t`${change} nats`}. ${t`Response`}: ${effect.response}`);
  }

  /** The responses before and after. @param {[string, string][]} difference */
  responses(difference) {
    const { t } = this;
    const side = (/** @type {string} */ title, /** @type {string} */ kind, /** @type {string} */ tag) => {
      const own = difference.filter(([of]) => of === "same" || of === kind);
      const words = own.flatMap(([of, text]) => [h(of === kind ? tag : "span", { text: condensed(text) }), " "]);
      return h(
        "div",
        {},
        h("span", { class: "nbt-note", text: title }),
        h("p", { class: "nbt-response", dir: "auto", tabindex: 0 }, ...words),
      );
    };
    // the difference is of what the model writes, also where the caption above is by people
    const own = !(this.meta.samples[this.row].given ?? this.meta.given);
    return own
      ? [side(t`Before`, "gone", "del"), side(t`After`, "new", "ins")]
      : [side(t`Model, before`, "gone", "del"), side(t`Model, after`, "new", "ins")];
  }

  /** @param {{ after: number[], changed: number, preserves: string }} control */
  control({ after, changed, preserves }) {
    const { t } = this;
    const mean = Math.log(after.reduce((sum, nats) => sum + Math.exp(nats), 0) / after.length);
    const text = t`Random control: other words in ${changed} of ${after.length}, p ${probability(mean)}`;
    return h("p", { class: "nbt-note", title: preserves, text });
  }

  /** @param {string} title @param {number[]} rows of concepts @param {number} layer */
  list(title, rows, layer) {
    if (!rows.length) return null;
    const chip = (/** @type {number} */ k) =>
      h("span", {
        class: "nbt-chip",
        style: { borderColor: this.colour(k, layer) },
        text: `${k} ${this.name(k, layer)}`,
      });
    return h("p", { class: "nbt-note" }, `${title}: `, ...rows.map(chip));
  }
}

export const STOPS = "This page has stops at −2 and +2 of the strongest concepts of exemplars.";

/**
 * A stop of a slider, of a page without a kernel.
 * @param {NonNullable<import("./types.js").Source["ask"]>} ask @param {Edit[]} edits @param {{ sample: string, row: number, layer: number }} of
 */
async function stopOf(ask, edits, of) {
  const [edit] = edits;
  const fits = edits.length === 1 && isSteering(edit) && edit.layer === of.layer && edit.positions === "all";
  if (!fits || edit.concept === undefined) throw new Error(STOPS);
  const { stops, steering } = await ask(PRECOMPUTED, of).catch(() => ({ stops: [], steering: {} }));
  const stop = steering[edit.concept]?.[stops.indexOf(edit.strength)];
  if (!stop) throw new Error(STOPS);
  return stop;
}
