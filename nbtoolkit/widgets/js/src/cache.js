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
   * @param {string | number} key @param {() => Promise<T>} make
   * @returns {Promise<T>}
   */
  get(key, make) {
    const cached = this.entries.get(key);
    if (cached) return cached;
    const promise = make();
    promise.catch(() => this.entries.delete(key)); // requested again next time
    this.entries.set(key, promise);
    if (this.entries.size > this.limit) this.entries.delete([...this.entries.keys()][0]);
    return promise;
  }
}
