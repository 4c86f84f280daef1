// @ts-check
import assert from "node:assert/strict";
import { test } from "node:test";
import { meet, shortened } from "../src/river_drawing.js";
import { inkOn, layOut, membersByLayer, middle, next, ribbon, taper } from "../src/river_layout.js";

const FRAME = { width: 300, height: 130, top: 10, bottom: 20, side: 10, node: 40 };
const THREADS = {
  of: { 1: [0, 1, -1], 2: [2, 1, 0], 4: [2, 3] },
  similarity: { 1: [null, null, null], 2: [null, 0.9, 0.8], 4: [0.7, null] },
  nulls: { 1: null, 2: 0.5, 4: 0.6 },
  reason: null,
};
const share = (/** @type {number[]} */ ...shares) => shares.map((s) => ({ share: s }));
const CONCEPTS = { 1: share(0.5, 0.25, 0), 2: share(0.2, 0.3, 0.5), 4: share(0.5, 0.5) };

const columns = membersByLayer(THREADS, CONCEPTS, [1, 2, 4]);
const strips = layOut(columns, FRAME);

test("all layers have the threads in one order, so that no two ribbons cross", () => {
  const orders = strips.map((column) => column.map((s) => s.thread));
  assert.deepEqual(orders, [
    [0, 1],
    [0, 2, 1],
    [2, 3],
  ]);
  const rank = new Map([...new Set(orders.flat())].map((thread) => [thread, 0]));
  for (const column of orders) column.forEach((t, i) => rank.set(t, Math.max(rank.get(t) ?? 0, i)));
  assert.equal(columns[0].length, 2); // a concept that no sample uses has no strip
});

test("strips are as high as their share, and fill the height of the layer", () => {
  for (const column of strips) {
    const [first, last] = [column[0], column[column.length - 1]];
    assert.equal(first.y, 10);
    assert.ok(Math.abs(last.y + last.height - 110) < 1e-9);
  }
  const [a, b] = strips[0];
  assert.ok(Math.abs(a.height / b.height - 2) < 1e-9);
  assert.deepEqual(
    [0, 1, 2].map((at) => middle(FRAME, 3, at)),
    [30, 150, 270],
  );
  assert.equal(middle(FRAME, 1, 0), 150);
});

test("threads begin and end, save at the first and the last layer", () => {
  const ends = strips.map((column) => column.map((s) => [s.thread, s.first, s.last]));
  assert.deepEqual(ends[0], [
    [0, false, false],
    [1, false, false],
  ]);
  assert.deepEqual(ends[1], [
    [0, false, true],
    [2, true, false],
    [1, false, true],
  ]);
  assert.deepEqual(ends[2], [
    [2, false, false],
    [3, true, false],
  ]);
  assert.match(ribbon(strips[0][0], strips[1][0]), /^M50\.0 10\.0C90\.0 10\.0 90\.0 10\.0 130\.0 10\.0V[\d.]+C.*Z$/);
  assert.match(taper(strips[1][1], -15), /^M130\.0 .*Q125\.0 .* 115\.0 .*Z$/);
});

test("keys lead along a thread, or to the nearest strip, and never off the river", () => {
  const [a, b] = strips[0];
  assert.equal(next(strips, 0, a, "ArrowRight"), strips[1][0]);
  assert.equal(next(strips, 0, b, "ArrowRight"), strips[1][2]);
  assert.equal(next(strips, 2, strips[2][1], "ArrowLeft")?.thread, 1);
  assert.equal(next(strips, 0, a, "ArrowDown"), b);
  assert.equal(next(strips, 0, a, "ArrowUp"), undefined);
  assert.equal(next(strips, 0, a, "ArrowLeft"), undefined);
  assert.equal(next(strips, 1, strips[1][1], "End"), strips[2][0]);
  assert.equal(next(strips, 0, a, "x"), undefined);
});

test("words are readable on every colour, and cut between words", () => {
  assert.deepEqual(["#0072b2", "#e69f00", "#aa4499", "#56b4e9"].map(inkOn), ["#fff", "#000", "#fff", "#000"]);
  assert.equal(shortened("sitting · snow · dog", 30), "sitting · snow · dog");
  assert.equal(shortened("sitting · snow · dog", 16), "sitting · snow");
  assert.equal(shortened("sitting", 5), "sitt…");
});

test("words from both sides of a room do not meet", () => {
  const word = (/** @type {number} */ y, /** @type {number} */ length) => ({ y, length });
  assert.ok(meet(word(10, 30), word(14, 30), 60));
  assert.ok(!meet(word(10, 30), word(18, 30), 60)); // below each other
  assert.ok(!meet(word(10, 20), word(10, 30), 60)); // room for both
});
