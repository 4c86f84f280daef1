// @ts-check
/** Promises by key: each is made once, a rejected one is forgotten, and the oldest go beyond a limit. */

/** @template T */
export class Cache {
  /** @param {number} [limit] @param {(value: T) => void} [drop] called with what goes beyond it */
  constructor(limit = Infinity, drop = () => {}) {
    this.limit = limit;
    this.drop = drop;
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
    if (this.entries.size > this.limit) {
      const [[oldest, value]] = this.entries;
      this.entries.delete(oldest);
      value.then(this.drop, () => {});
    }
    return promise;
  }
}
