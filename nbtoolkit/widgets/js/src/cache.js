// @ts-check
/** Promises by key: each is made once, a rejected one is forgotten, and the oldest go beyond a limit. */

/** @template T */
export class Cache {
  /** @param {number} [limit] */
  constructor(limit = Infinity) {
    this.limit = limit;
    /** @type {Map<string | number, Promise<T>>} */
    this.entries = new Map();
  }

  /**
   * @param {string | number} key @param {() => Promise<T>} make @param {AbortSignal} [signal] of who waits: it is forgotten then
   * @returns {Promise<T>}
   */
  get(key, make, signal) {
    const cached = this.entries.get(key);
    if (cached) return cached;
    const promise = make();
    const forget = () => this.entries.get(key) === promise && this.entries.delete(key); // requested again next time
    signal?.addEventListener("abort", forget);
    promise.then(() => signal?.removeEventListener("abort", forget), forget);
    this.entries.set(key, promise);
    if (this.entries.size > this.limit) this.entries.delete([...this.entries.keys()][0]);
    return promise;
  }
}
