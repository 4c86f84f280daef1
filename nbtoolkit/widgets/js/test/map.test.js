import assert from "node:assert/strict";
import test from "node:test";

import { correlations, density, extremes, fifths, uses } from "../src/concept_facts.js";
import {
  best,
  bounds,
  cost,
  fit,
  grouped,
  inside,
  points,
  spaced,
  strongestConcepts,
  windowOf,
  zoomed,
} from "../src/points.js";

const close = (a, b) => a.forEach((v, i) => assert.ok(Math.abs(v - b[i]) < 1e-5, `${a} is not ${b}`));
// four samples, three concepts
const ACTS = {
  values: new Float32Array([1, 0, 2, 3, 0, -4, 0, 0, 0, 2, 0, 0]),
  nConcepts: 3,
  rest: new Float32Array(4),
};

test("all points are in the window, at one scale, and what is visible is the window again", () => {
  const { xs, ys } = points(new Float32Array([0, 0, 10, 0, 5, 2]));
  assert.deepEqual([...xs], [0, 10, 5]);
  const [x0, y0, x1, y1] = bounds({ xs, ys });
  assert.ok(x0 < 0 && x1 > 10 && y0 < 0 && y1 > 2);
  const frame = fit([x0, y0, x1, y1], 200, 200);
  const again = windowOf(frame, 200, 200);
  close([again[2] - again[0], (again[0] + again[2]) / 2], [x1 - x0, (x0 + x1) / 2]);
  const { scale, left, top } = zoomed(frame, 2, 50, 70);
  close([left + (scale * (50 - frame.left)) / frame.scale, top - (scale * (frame.top - 70)) / frame.scale], [50, 70]);
});

test("one point, or none, has a window too", () => {
  for (const pairs of [[], [3, 3], [3, 3, 3, 3]]) {
    const [x0, y0, x1, y1] = bounds(points(new Float32Array(pairs)));
    assert.ok(x0 < x1 && y0 < y1);
  }
});

test("an arrow leads to what is ahead, and only visible points count", () => {
  const xs = [0, 1, 5, 1];
  const ys = [0, 3, 0.1, -0.2];
  const to = (visible, arrow) => best(visible, (i) => cost(xs[i], ys[i], arrow));
  assert.equal(to([0, 1, 1, 1], [1, 0]), 3);
  assert.equal(to([0, 1, 1, 0], [1, 0]), 2);
  assert.equal(to([0, 1, 1, 1], [0, 1]), 1);
  assert.equal(to([0, 1, 1, 1], [-1, 0]), -1);
});

test("a lasso that crosses itself encloses what an odd number of its turns does", () => {
  const square = [[0, 0], [4, 0], [4, 4], [0, 4]]; // prettier-ignore
  assert.deepEqual([inside(square, 2, 2), inside(square, 5, 2), inside(square, 2, -1)], [true, false, false]);
  assert.equal(inside([...square, ...square], 2, 2), false);
});

test("images on the map are apart from each other and from the edge", () => {
  const at = (x, y, i) => ({ x, y, i });
  const places = [at(50, 50, 0), at(60, 50, 1), at(50, 90, 2), at(5, 50, 3), at(150, 50, 4)];
  assert.deepEqual(
    spaced(places, 30, 9, 200, 200).map(({ i }) => i),
    [0, 2, 4],
  );
  assert.equal(spaced(places, 30, 1, 200, 200).length, 1);
});

test("the eight most frequent values have a category, the others share one", () => {
  const values = Array.from({ length: 12 }, (_, k) => Array(13 - k).fill(k)).flat();
  const { categories, groups } = grouped(values);
  assert.equal(groups.length, 9);
  assert.deepEqual(groups[8], { value: null, count: 5 + 4 + 3 + 2 });
  assert.deepEqual([categories[0], categories[values.length - 1]], [0, 8]);
  assert.deepEqual(grouped([]).groups, []);
});

test("the strongest concept is so by its absolute activation; a sample may have none", () => {
  assert.deepEqual([...strongestConcepts(ACTS)], [2, 2, -1, 0]);
});

test("samples that use a concept are cut into fifths with both ends", () => {
  assert.deepEqual(uses(ACTS, 2), [
    { row: 1, value: -4 },
    { row: 0, value: 2 },
  ]);
  const used = Array.from({ length: 100 }, (_, row) => ({ row, value: 100 - row }));
  const parts = fifths(used, 8);
  assert.deepEqual(
    parts.map(({ all, some }) => [all.length, some.length, some[0].value, some[7].value]),
    [0, 1, 2, 3, 4].map((i) => [20, 8, 100 - 20 * i, 81 - 20 * i]),
  );
  assert.deepEqual(
    fifths(used.slice(0, 3), 8).map(({ some }) => some.length),
    [1, 1, 1],
  );
  assert.deepEqual(fifths([], 8), []);
});

test("the density counts every use once, negative ones too", () => {
  const { low, step, counts } = density(uses(ACTS, 2), 6);
  assert.deepEqual([low, step], [-4, 1]);
  assert.deepEqual(counts, [1, 0, 0, 0, 0, 1]);
  assert.equal(density([{ row: 0, value: 2 }], 4).counts[3], 1);
});

test("correlations are Pearson's; constant concepts are left out", () => {
  const [pair, ...others] = correlations(ACTS, 0);
  assert.deepEqual([pair.k, others.length], [2, 0]);
  const [a, b] = [[1, 3, 0, 2], [2, -4, 0, 0]]; // prettier-ignore
  const mean = (values) => values.reduce((x, y) => x + y) / 4;
  const dot = (x, y) => mean(x.map((v, i) => (v - mean(x)) * (y[i] - mean(y))));
  close([pair.r], [dot(a, b) / Math.sqrt(dot(a, a) * dot(b, b))]);
});

test("concepts that are active together correlate above zero, opposite ones below it", () => {
  const pairs = [0.9, 0.2, 0, -0.1, -0.6].map((r, k) => ({ k, r }));
  const numbers = (near, far) => extremes(pairs, near, far).map((some) => some.map(({ k }) => k));
  assert.deepEqual(numbers(5, 3), [
    [0, 1],
    [4, 3],
  ]);
  assert.deepEqual(numbers(1, 1), [[0], [4]]);
  assert.deepEqual(extremes(pairs.slice(0, 2), 5, 3)[1], []);
});
