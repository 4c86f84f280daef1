// @ts-check
import assert from "node:assert/strict";
import { test } from "node:test";
import { followed, keysOf, memberOf, threadOf } from "../src/threads.js";

const THREADS = { of: { 1: [0, 1, -1], 2: [1, 2, 0], 4: [2, 3, 1] }, similarity: {}, nulls: {}, reason: null };

test("a concept has a thread, and a thread a concept, or none", () => {
  assert.equal(threadOf(THREADS, 0, 2), 1);
  assert.equal(threadOf(THREADS, 2, 1), null);
  assert.equal(threadOf(THREADS, 9, 1), null);
  assert.equal(threadOf(THREADS, null, 1), null);
  assert.equal(threadOf(undefined, 0, 1), null);
  assert.equal(memberOf(THREADS, 1, 4), 2);
  assert.equal(memberOf(THREADS, 0, 4), null);
  assert.equal(memberOf(THREADS, null, 4), null);
  assert.equal(memberOf(THREADS, 0, 3), null);
});

test("names are looked up in the own layer, then in the nearest", () => {
  assert.deepEqual(keysOf(THREADS, 1, 1), ["1:1", "2:0", "4:2"]);
  assert.deepEqual(keysOf(THREADS, 2, 4), ["4:2", "2:0", "1:1"]);
  assert.deepEqual(keysOf(THREADS, 2, 1), ["1:2"]);
  assert.deepEqual(keysOf(undefined, 5, 3), ["3:5"]);
});

test("another layer selects the concept of the thread, which is remembered where it has none", () => {
  /** @type {Record<string, any>} */
  const state = { layer: 1, concept: 0, thread: null };
  const get = (/** @type {string} */ trait) => state[trait];
  const set = (/** @type {Record<string, any>} */ values) => Object.assign(state, followed(THREADS, get, values));
  assert.deepEqual(set({ layer: 2 }), { layer: 2, concept: 2, thread: 0 });
  assert.deepEqual(set({ layer: 4 }), { layer: 4, concept: null, thread: 0 });
  assert.deepEqual(set({ layer: 2 }), { layer: 2, concept: 2, thread: 0 });
  assert.deepEqual(set({ concept: 0 }), { layer: 2, concept: 0, thread: 1 });
  assert.deepEqual(set({ layer: 4, concept: 0 }), { layer: 4, concept: 0, thread: 2 });
  assert.deepEqual(set({ thread: 1 }), { layer: 4, concept: 2, thread: 1 });
  assert.deepEqual(followed(THREADS, get, { layer: 4 }), { layer: 4 });
  assert.deepEqual(followed({ ...THREADS, of: {}, reason: "too large" }, get, { layer: 2 }), { layer: 2 });
  assert.deepEqual(followed(undefined, get, { layer: 2 }), { layer: 2 });
});
