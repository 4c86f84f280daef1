// @ts-check
/** One question at a time: while a reply is on its way, only the newest question waits; a slider never queues. */

import { SILENT } from "./channel.js";

const PATIENCE = 5000; // milliseconds until a newer question no longer waits for a reply
const SILENCE = 60_000; // until a reply no longer comes

/** @template Q */
export class Newest {
  /**
   * @param {(question: Q) => import("./types.js").Job} send
   * @param {(question: Q, reply: any, error: unknown) => void} settle called with the reply to a question, or its error
   */
  constructor(send, settle) {
    this.send = send;
    this.settle = settle;
    /** @type {import("./types.js").Job | null} */
    this.job = null;
    /** @type {{ question: Q } | null} */
    this.next = null;
    this.began = 0;
  }

  /** @param {Q} question */
  ask(question) {
    const wait = this.job ? this.began + PATIENCE - Date.now() : 0;
    if (wait <= 0) this.start(question);
    else {
      if (!this.next) this.timer = setTimeout(() => this.next && this.ask(this.next.question), wait + 1);
      this.next = { question };
    }
  }

  /** Drop what waits, and the reply that is on its way. */
  cancel() {
    clearTimeout(this.timer);
    this.job?.cancel();
    this.job = this.next = null;
  }

  /** @param {Q} question */
  async start(question) {
    this.cancel();
    const job = this.send(question);
    [this.job, this.began] = [job, Date.now()];
    /** @type {any} */
    let silence;
    const silent = new Promise((_, fail) => (silence = setTimeout(() => fail(new Error(SILENT)), SILENCE)));
    const [reply, error] = await Promise.race([job.result, silent]).then(
      (value) => [value, null],
      (flaw) => [null, flaw],
    );
    clearTimeout(silence);
    if (this.job !== job) return; // a newer one was sent
    clearTimeout(this.timer);
    const { next } = this;
    this.job = this.next = null;
    this.settle(question, reply, error);
    if (next) this.ask(next.question);
  }
}
