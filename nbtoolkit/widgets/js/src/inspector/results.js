// @ts-check
/** Results in memory: decoded replies, of which those that were read longest ago go first. */

import { decode } from "./arrays.js";

/** @typedef {import("./types.js").Result} Result */

const ROOM = 96_000_000; // bytes of arrays

/** @param {any} reply @param {(DataView | Uint8Array)[]} buffers @returns {Result} */
export const resultOf = (reply, buffers) => ({
  unit: "",
  check: "",
  null: "",
  note: "",
  facts: {},
  strings: [],
  ...reply,
  arrays: decode(reply.arrays ?? {}, buffers),
});

/** @param {Result} result */
const bytesOf = ({ arrays }) => Object.values(arrays).reduce((sum, { data }) => sum + data.byteLength, 0);

export class Kept {
  constructor(room = ROOM) {
    this.room = room;
    this.size = 0;
    /** @type {Map<string, Result>} */
    this.map = new Map();
  }

  /** @param {string} key */
  has(key) {
    return this.map.has(key);
  }

  /** @param {string} key @returns {Result | undefined} */
  get(key) {
    const result = this.map.get(key);
    if (!result) return undefined;
    this.map.delete(key);
    this.map.set(key, result); // the last one that was read
    return result;
  }

  /** @param {string} key @param {Result} result */
  set(key, result) {
    this.drop(key);
    this.map.set(key, result);
    this.size += bytesOf(result);
    for (const old of this.map.keys()) {
      if (this.size <= this.room || old === key) return;
      this.drop(old);
    }
  }

  /** @param {string} key */
  drop(key) {
    const old = this.map.get(key);
    if (old) this.size -= bytesOf(old);
    this.map.delete(key);
  }

  clear() {
    this.map.clear();
    this.size = 0;
  }
}
