// @ts-check
/**
 * Results of the instruments, kept per side, target, foil, name and what they are about. The newest target wins: another
 * one cancels what runs for the last; what had been on its way is kept for when it is selected again.
 */

import { GONE, SILENT } from "../channel.js";
import { Kept, resultOf } from "./results.js";

/** @typedef {import("./types.js").Result} Result @typedef {import("./types.js").Which} Which */
/** @typedef {{ cancel(): void, done: number, total: number }} Running */

export const NOT_IN_PAGE = "This page was saved without it.";
/** The message of an error, without its type. @param {unknown} error */
const messageOf = (error) => String(error).replace(/^Error: (\w+: )?/, "");

/** @param {unknown} error */
const isCancelled = (error) => /Cancelled/.test(String(error).slice(0, 40));

/** @param {unknown} error */
const isGone = (error) => [GONE, SILENT].some((text) => String(error).endsWith(text));

export class Store {
  /**
   * @param {{ model: import("../types.js").Model, meta: import("./types.js").InspectorMeta, signal: AbortSignal,
   *   source: import("./types.js").InspectorSource, say(text: string): void }} ctx
   * @param {(f: () => void) => void} [schedule] once per frame
   */
  constructor({ model, meta, signal, source, say }, schedule = (f) => requestAnimationFrame(f)) {
    this.pending = this.following = false;
    this.model = model;
    this.meta = meta;
    this.source = source;
    this.say = say;
    this.schedule = schedule;
    this.signal = signal;
    this.results = new Kept();
    /** @type {Map<string, Running>} */
    this.running = new Map();
    /** @type {Map<string, string>} reasons by key */
    this.refusals = new Map();
    /** @type {Set<() => void>} */
    this.listeners = new Set();
    const follow = () => this.follow();
    for (const name of ["target", "foil", "edits"]) {
      model.on(`change:${name}`, follow);
      signal.addEventListener("abort", () => model.off(`change:${name}`, follow));
    }
    signal.addEventListener("abort", () => this.close());
    this.begin();
  }

  /** What was asked about one image: that of the subject also under edits. @param {string} [name] @returns {import("./types.js").Side} */
  side(name = "a") {
    return (name === "b" && this.meta.sides.b) || this.meta.sides.a;
  }

  /** Names of the sides that there are. @returns {string[]} */
  sides() {
    const edited = this.model.get("edits")?.length ? ["edited"] : [];
    return [...Object.keys(this.meta.sides), ...edited];
  }

  /** The word of the response that is explained. @param {string} [side] */
  word(side = "a") {
    return this.side(side).words.find(({ key }) => key === this.model.get("target"));
  }

  /** The key of the present target's result. @param {string} name @param {Which} [which] */
  key(name, { side = "a", of = "" } = {}) {
    const parts = [side, this.model.get("target"), this.model.get("foil"), name, of];
    return [...parts, ...(side === "edited" ? [JSON.stringify(this.model.get("edits"))] : [])].join("|");
  }

  /** @param {string} name @returns {import("./types.js").Instrument | undefined} */
  instrument(name) {
    return this.meta.instruments.find((one) => one.name === name);
  }

  /** The result for the present target and foil, where it is there. @param {string} name @param {Which} [which] @returns {Result | undefined} */
  get(name, which) {
    return this.results.get(this.key(name, which));
  }

  /** @param {string} name @param {Which} [which] @returns {import("./types.js").Status} */
  status(name, which) {
    const key = this.key(name, which);
    const { seconds = NaN, refused = "" } = this.instrument(name) ?? {};
    const run = this.running.get(key);
    const status = { done: run?.done ?? 0, total: run?.total ?? 0, reason: "", seconds };
    if (this.results.has(key)) return { ...status, state: "done" };
    if (run) return { ...status, state: "running" };
    const reason = refused || this.refusals.get(key) || (this.absent(key) ? NOT_IN_PAGE : "");
    return { ...status, reason, state: reason ? "refused" : "absent" };
  }

  /** Whether there is no kernel that could compute what the page lacks. @param {string} key */
  absent(key) {
    return this.source.alone && !this.source.keys.includes(key);
  }

  /** Compute a result for the present target; nothing where it is there, on its way, or refused. @param {string} name @param {Which} [which] */
  compute(name, which = {}) {
    if (this.status(name, which).state !== "absent") return;
    const { side = "a", of = "" } = which;
    const key = this.key(name, which);
    const [target, foil, edits] = ["target", "foil", "edits"].map((trait) => this.model.get(trait));
    const args = { name, side, target, foil, of, ...(side === "edited" ? { edits } : {}) };
    const job = this.source.measure(name, key, args, (done, total) => {
      if (this.running.get(key) !== run) return;
      Object.assign(run, { done, total });
      this.notify();
    });
    const run = { cancel: () => job.cancel(), done: 0, total: 0 };
    this.running.set(key, run);
    this.notify();
    job.result.then(
      ({ data, buffers }) => this.settle(key, run, () => this.results.set(key, resultOf(data, buffers))),
      (error) => this.settle(key, run, () => this.refuse(key, error)),
    );
  }

  /** @param {string} key @param {Running} run @param {() => void} then */
  settle(key, run, then) {
    const wanted = this.running.get(key) === run;
    if (wanted) this.running.delete(key);
    if (this.signal.aborted) return;
    try {
      then();
    } catch (error) {
      this.refuse(key, error); // arrays that do not fit
    }
    this.notify();
  }

  /** @param {string} key @param {unknown} error */
  refuse(key, error) {
    if (isCancelled(error)) return;
    if (!isGone(error)) this.refusals.set(key, messageOf(error)); // after a restart it can be tried again
    this.say(`Error: ${messageOf(error)}`);
  }

  /** @param {string} name @param {Which} [which] */
  cancel(name, which) {
    this.stop(this.key(name, which));
    this.notify();
  }

  /** @param {string} key */
  stop(key) {
    this.running.get(key)?.cancel();
    this.running.delete(key);
  }

  /** Try what failed again. @param {string} name @param {Which} [which] */
  retry(name, which) {
    this.refusals.delete(this.key(name, which));
    this.compute(name, which);
  }

  /**
   * A live operation, such as "edit".
   * @param {string} op @param {Record<string, any>} args @param {(done: number, total: number) => void} [progress]
   * @returns {import("../types.js").Job}
   */
  job(op, args, progress) {
    return this.source.job(op, args, progress);
  }

  /** Call back after results or states have changed, once per frame. @param {() => void} callback @returns {() => void} stops it */
  on(callback) {
    this.listeners.add(callback);
    return () => this.listeners.delete(callback);
  }

  notify() {
    if (this.pending || this.signal.aborted) return;
    this.pending = true;
    this.schedule(() => {
      this.pending = false;
      if (!this.signal.aborted) for (const f of this.listeners) f();
    });
  }

  /** Target, foil and edits may change together: what follows is done once. */
  follow() {
    if (this.following) return;
    this.following = true;
    queueMicrotask(() => {
      this.following = false;
      if (this.signal.aborted) return;
      const [target, foil] = [this.model.get("target"), this.model.get("foil")];
      const edits = JSON.stringify(this.model.get("edits"));
      for (const key of [...this.running.keys()]) {
        const [side, ...rest] = key.split("|");
        const mine = rest.join("|").startsWith(`${target}|${foil}|`);
        if (!mine || (side === "edited" && !key.endsWith(`|${edits}`))) this.stop(key);
      }
      this.begin();
      this.notify();
    });
  }

  /** Keys of what the session had when the view was made, and of what Python has computed since. @returns {Set<string>} */
  get computed() {
    return new Set([...(this.meta.computed ?? []), ...(this.model.get("_computed") ?? [])]);
  }

  /** Compute what is asked for every target, and fetch what the session has. */
  begin() {
    if (!this.word() || this.word()?.refused) return;
    for (const name of this.meta.compute ?? []) this.compute(name);
    for (const key of this.source.alone ? this.source.keys : this.computed) {
      for (const side of Object.keys(this.meta.sides)) {
        const start = this.key("", { side }).slice(0, -1); // side, target and foil
        const [name, of] = key.startsWith(start) ? key.slice(start.length).split("|") : [];
        if (name) this.compute(name, { side, of });
      }
    }
  }

  /** The kernel has gone: what runs no longer does. */
  lost() {
    this.running.clear();
    this.notify();
  }

  close() {
    for (const key of [...this.running.keys()]) this.stop(key);
    this.results.clear();
    this.listeners.clear();
  }
}
