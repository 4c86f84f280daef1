import assert from "node:assert/strict";
import test from "node:test";

import { comparable, differenceGrid } from "../src/inspector/sides.js";

const array = (values, dims, shape, coords = {}) => ({ dims, shape, coords, data: Float32Array.from(values) });
const result = (values) => ({ arrays: { values } });

test("a difference is of the layers and heads that both sides have", () => {
  const a = result(array([1, 2, 3, 4], ["layer", "head"], [2, 2], { layer: [1, 2] }));
  const b = result(array([5, 5, 5, 9, 9, 9], ["layer", "head"], [2, 3], { layer: [2, 3] }));
  const grid = differenceGrid(a, b, []);
  assert.deepEqual([grid.layers, grid.heads, [...grid.values], grid.top], [[2], [0, 1], [2, 1], 2]);
});

test("attention is that to the selected patches, or to all", () => {
  const side = (values) => result(array(values, ["layer", "head", "patch"], [1, 2, 2], { layer: [1] }));
  const [a, b] = [side([0, 1, 0, 2]), side([1, 1, 5, 0])];
  assert.deepEqual([...differenceGrid(a, b, []).values], [1, 3]);
  assert.deepEqual([...differenceGrid(a, b, [1]).values], [0, -2]);
});

test("under edits only attention is compared", () => {
  assert.deepEqual(
    ["contribution", "writers"].map((grid) => [comparable(grid, "b"), comparable(grid, "edited")]),
    [
      ["contribution", "attention"],
      ["attention", "attention"],
    ],
  );
});
