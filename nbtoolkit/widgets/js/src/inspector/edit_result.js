// @ts-check
/** What edits change: the responses before and after, the word's probability, and random edits of equal size beside it. */

import { GONE, SILENT } from "../channel.js";
import { h, reason, signed } from "../dom.js";
import { probability } from "../edits.js";
import { Newest } from "../newest.js";
import { visible } from "../words.js";
import { Control } from "./control.js";
import { changeOf } from "./differences.js";
import { Pane } from "./pane.js";
import { responseText } from "./response_text.js";
import { Running } from "./running.js";

/** @typedef {import("./edits.js").Edit} Edit */
/** @typedef {{ edits: Edit[], target: string, foil: string }} Question */

/** Replies to the edits of a store's traits. @type {WeakMap<object, { key: string, reply: any }>} */
const LATEST = new WeakMap();

/** The probability of a reading. @param {number} p */
export const chance = (p) => probability(Math.log(p));

const keyOf = (/** @type {any[]} */ parts) => JSON.stringify(parts);

export class EditResult extends Pane {
  /** @param {import("./types.js").InspectorContext} ctx */
  constructor(ctx) {
    super(ctx);
    const { t } = this;
    this.last = ""; // question, as text
    /** @type {{ question: Question, reply: any, key: string } | null} */
    this.now = null;
    this.whole = this.reveal = false;
    this.brief = false; // a slider moves
    this.running = new Running(t, t`the edited model`, () => this.cancel());
    this.out = h("div", { class: "nbt-edit-effect" });
    this.el = h("div", { class: "nbt-edit-result", "aria-live": "off", hidden: true }, this.out, this.running.el);
    this.newest = new Newest(
      (/** @type {Question} */ question) => this.send(question),
      (question, reply, error) => this.settle(question, reply, error),
    );
    ctx.signal.addEventListener("abort", () => this.newest.cancel());
    this.on(["edits", "target", "foil"], () => this.follow());
    this.on(["unit"], () => this.now && this.show());
    this.ask();
  }

  /** The reply to the edits in force, where it is there. @param {Pane} pane */
  static latest(pane) {
    const own = LATEST.get(pane.store);
    return own?.key === keyOf(["edits", "target", "foil"].map((trait) => pane.get(trait))) ? own.reply : undefined;
  }

  /** Traits that change together are one question. */
  follow() {
    if (this.following) return;
    this.following = true;
    queueMicrotask(() => {
      this.following = false;
      if (!this.ctx.signal.aborted) this.ask();
    });
  }

  /** Run the edited model. @param {Edit[] | null} [moving] the edits of a slider that moves */
  ask(moving = null) {
    const edits = moving ?? this.get("edits") ?? [];
    const question = { edits, target: this.get("target"), foil: this.get("foil") };
    const key = JSON.stringify(question);
    const rests = this.brief && moving === null; // a slider that was moved
    this.brief = moving !== null;
    if (key === this.last) {
      if (rests && this.now && keyOf([edits, question.target, question.foil]) === this.now.key) this.show();
      return;
    }
    this.last = key;
    this.control?.cancel();
    if (edits.length) {
      this.el.hidden = false;
      this.out.classList.add("nbt-stale");
      this.running.start();
      this.newest.ask(question);
      return;
    }
    this.newest.cancel();
    this.running.end();
    this.now = null;
    this.fill([]);
    this.el.hidden = true;
  }

  /** @param {Question} question @returns {import("../types.js").Job} */
  send({ edits, target, foil }) {
    return this.store.job("edit", { edits, target, foil }, (done, total) => this.running.progress(done, total));
  }

  /** Stop waiting: what another edit had changed is not shown in its place. */
  cancel() {
    this.newest.cancel();
    this.running.end();
    this.last = "";
    this.now = null;
    const { t } = this;
    this.fill([
      h(
        "p",
        { class: "nbt-note" },
        t`Cancelled.`,
        " ",
        this.button(t`Run again`, () => this.ask()),
      ),
    ]);
    /** @type {HTMLElement | null} */ (this.out.querySelector("button"))?.focus();
  }

  /** @param {Question} question @param {any} reply @param {unknown} error */
  settle(question, reply, error) {
    if (this.ctx.signal.aborted) return;
    if (!this.newest.job && !this.newest.next) this.running.end();
    if (!error) {
      const key = keyOf([question.edits, question.target, question.foil]);
      this.now = { question, reply, key };
      LATEST.set(this.store, { key, reply });
      this.store.notify();
      this.show();
      return;
    }
    this.last = ""; // the same question is sent again
    this.now = null;
    const lost = [GONE, SILENT].some((message) => String(error).endsWith(message));
    if (lost) this.ctx.say(String(error)); // the banner
    const kind = this.ctx.live && !lost ? "nbt-error" : "nbt-note";
    this.fill([h("p", { class: kind, text: visible(reason(this.t, error)) })]); // never what other edits have changed
  }

  /** @param {(Node | null)[]} children */
  fill(children) {
    this.control?.cancel();
    const within = this.out.contains(/** @type {Document} */ (this.out.getRootNode()).activeElement);
    this.out.replaceChildren(...children.filter((child) => child !== null));
    this.out.classList.remove("nbt-stale");
    if (within) /** @type {HTMLElement | null} */ (this.out.querySelector("[tabindex], button"))?.focus();
  }

  show() {
    if (!this.now) return;
    const { t } = this;
    const { question, reply } = this.now;
    const { before, after, difference } = reply;
    const change = changeOf(before, after, this.get("unit"));
    const text = this.changeText(change.value);
    const control = this.brief || !this.ctx.live ? null : new Control(this.ctx, question, before, change.value);
    const response = (/** @type {string} */ title, /** @type {"removed" | "added"} */ own) =>
      responseText(t, { title, difference, own, target: question.target, whole: this.whole }, () => this.showWhole());
    this.fill([
      h("div", { class: "nbt-edit-beside" }, response(t`Before`, "removed"), response(t`After`, "added")),
      reply.present ? null : h("p", { class: "nbt-edit-gone", text: t`The word is gone from the response.` }),
      this.numbers(before, after, change.probability, text),
      this.top(after.top ?? []),
      control?.el ?? null,
    ]);
    this.control = control;
    if (this.reveal) this.bringIntoSight();
    if (!this.brief) this.ctx.say(`${text}. ${t`Response`}: ${after.response}`);
  }

  /** Show the words that are left out. */
  showWhole() {
    this.whole = true;
    this.show();
    /** @type {HTMLElement | null} */ (this.out.querySelector(".nbt-response"))?.focus();
  }

  /** Scroll the column, not the page, to what an edit has changed. */
  bringIntoSight() {
    this.reveal = false;
    const column = this.el.closest(".nbt-inspector-column");
    if (!column || column.scrollHeight <= column.clientHeight) return;
    const [own, room] = [this.el.getBoundingClientRect(), column.getBoundingClientRect()];
    if (own.bottom > room.bottom) column.scrollTop += own.bottom - room.bottom + 40;
  }

  /** A change in the unit of the trait. @param {number} value */
  changeText(value) {
    const { t } = this;
    const number = signed(value, 2, "+");
    return this.get("unit") === "logit" ? t`Δ logit ${number}` : t`Δ log p ${number} nats`;
  }

  /** @param {any} before @param {any} after @param {number} change of the probability @param {string} text */
  numbers(before, after, change, text) {
    const { t } = this;
    const title = [
      t`log-probability from ${signed(before.log_prob, 3)} to ${signed(after.log_prob, 3)} nats`,
      t`logit from ${signed(before.logit, 2)} to ${signed(after.logit, 2)}`,
    ].join(" · ");
    return h(
      "p",
      { class: "nbt-edit-numbers", title },
      h("strong", { text }),
      " · p ",
      h("span", { class: "nbt-value", text: `${chance(before.probability)} → ${chance(after.probability)}` }),
      ` (${signed(change, 2, "+")})`,
    );
  }

  /** The most probable words at the word's place. @param {[string, number][]} words */
  top(words) {
    if (!words.length) return null;
    const own = words.map(([word, p]) =>
      h("span", { class: "nbt-edit-word" }, h("span", { dir: "auto", text: word.trim() || "␣" }), ` ${chance(p)}`),
    );
    return h("p", { class: "nbt-edit-top" }, h("span", { class: "nbt-edit-title", text: this.t`now` }), " ", ...own);
  }
}
