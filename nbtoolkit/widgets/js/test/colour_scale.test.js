import assert from "node:assert/strict";
import test from "node:test";

import { ABOVE, BELOW, colourAt, gradient, OPACITY } from "../src/colour_scale.js";
import { compact } from "../src/tile.js";

test("zero is clear, and either end has its colour", () => {
  assert.deepEqual(colourAt(-1), [...BELOW[1], OPACITY]);
  assert.deepEqual(colourAt(1), [...ABOVE[1], OPACITY]);
  assert.equal(colourAt(0)[3], 0);
  assert.equal(colourAt(0.25)[3], OPACITY / 2);
  assert.deepEqual(colourAt(7), colourAt(1));
});

test("the legend begins below zero only where there are such values", () => {
  assert.match(gradient(true), /^linear-gradient\(90deg, rgb\(33 102 172 \/ 0.850\), .* rgb\(178 24 43 \/ 0.850\)\)$/);
  assert.match(gradient(false), /^linear-gradient\(90deg, rgb\(239 138 98 \/ 0.000\), /);
});

test("a thumbnail's number has at most four digits, and a real minus sign", () => {
  const texts = [8.6234, -4.46, 12.34, 123.4, 0.5678, 0.0123, 0, 1e-5, 123456].map((v) => compact(v));
  assert.deepEqual(texts, ["8.6", "−4.5", "12.3", "123", "0.57", "0.012", "0", "1e-5", "1.2e+5"]);
  assert.deepEqual([compact(4.46, "+"), compact(-4.46, "+"), compact(0, "+")], ["+4.5", "−4.5", "0"]);
});
