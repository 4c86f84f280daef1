import assert from "node:assert/strict";
import test from "node:test";

import { cssOf, mapOf, needOf, paintPixels, scaleOf, shareOf, slotOf, wordsAt } from "../src/inspector/image_map.js";
import {
  boxOf,
  boxesOf,
  cellOf,
  flipped,
  isTiled,
  neighbour,
  otherAt,
  patchAt,
  patchesBetween,
  patchName,
  together,
} from "../src/inspector/patches.js";
import { listed, ratio, share, withUnit } from "../src/inspector/readout.js";
import { translator } from "../src/words.js";

const t = translator();
const grid = (rows, columns) => ({
  positions: Array.from({ length: rows * columns }, (_, i) => 10 + i),
  boxes: Array.from({ length: rows * columns }, (_, i) => {
    const [row, column] = [Math.floor(i / columns), i % columns];
    return [column / columns, row / rows, (column + 1) / columns, (row + 1) / rows];
  }).flat(),
  cells: Array.from({ length: rows * columns }, (_, i) => [0, Math.floor(i / columns), i % columns]).flat(),
});
const GRID = grid(3, 4);
const BOXES = boxesOf(GRID);
// a tile of the whole image, two smaller ones on it, and a patch without a place
const TILES = {
  positions: [5, 6, 7, 8],
  boxes: [0, 0, 1, 1, 0, 0, 0.5, 1, 0.5, 0, 1, 1, null, null, null, null],
  cells: [0, 0, 0, 1, 0, 0, 1, 0, 1, 1, 9, 9],
};
const STATE = { layer: 2, head: 1, concept: 3, studied: 4, n_layers: 2 };
const array = (dims, shape, data, coords = {}) => ({ dims, shape, coords, data: Float32Array.from(data) });

test("a place in the image is that of the smallest patch; outside there is none", () => {
  assert.equal(patchAt(BOXES, 0.3, 0.4), 5);
  assert.deepEqual([patchAt(BOXES, 0, 0), patchAt(BOXES, 0.999, 0.999), patchAt(BOXES, 1, 0.5)], [0, 11, null]);
  assert.deepEqual([patchAt(boxesOf(TILES), 0.2, 0.5), patchAt(boxesOf(TILES), 0.7, 0.5)], [1, 2]);
  assert.deepEqual([boxOf(TILES, 3), patchAt([null], 0.5, 0.5)], [null, null]);
});

test("a rectangle takes the patches that it touches, drawn from any corner, but none that it only borders", () => {
  const four = [0, 1, 4, 5];
  for (const [from, to] of [
    [
      [0.2, 0.2],
      [0.3, 0.5],
    ],
    [
      [0.3, 0.5],
      [0.2, 0.2],
    ],
    [
      [0.3, 0.2],
      [0.2, 0.5],
    ],
  ]) {
    assert.deepEqual(patchesBetween(BOXES, from, to), four);
  }
  assert.deepEqual(patchesBetween(BOXES, [0.01, 0.01], [0.25, 0.2]), [0]);
  assert.deepEqual(patchesBetween(boxesOf(TILES), [0.6, 0], [0.9, 1]), [0, 2]);
});

test("arrows go to the next patch by geometry, and stay at the edge", () => {
  const go = (i, dx, dy) => neighbour(BOXES, i, dx, dy);
  assert.deepEqual([go(5, 1, 0), go(5, -1, 0), go(5, 0, 1), go(5, 0, -1)], [6, 4, 9, 1]);
  assert.deepEqual([go(3, 1, 0), go(8, -1, 0), go(11, 0, 1), go(0, 0, -1)], [3, 8, 11, 0]);
  assert.equal(neighbour(boxesOf(TILES), 1, 1, 0), 2); // not the large tile, whose middle is nearer
  assert.equal(neighbour(boxesOf(TILES), 3, 1, 0), 0); // from a patch without a place
  assert.deepEqual([otherAt(boxesOf(TILES), 2), otherAt(boxesOf(TILES), 3), otherAt(BOXES, 4)], [0, 3, 4]);
});

test("patches are added and taken away, in their order, without changing the selection in place", () => {
  const before = [9, 2];
  assert.deepEqual(
    [flipped(before, 5), flipped([2, 5, 9], 5), before],
    [
      [2, 5, 9],
      [2, 9],
      [9, 2],
    ],
  );
  assert.deepEqual(together([3, 1], [2, 3]), [1, 2, 3]);
});

test("patches are called by row and column, and by tile where there are several", () => {
  assert.equal(patchName(t, GRID, 6), "row 2, column 3");
  assert.equal(patchName(t, TILES, 2), "tile 2, row 1, column 2");
  assert.equal(patchName(t, { ...TILES, cells: [] }, 2), "patch 2");
  assert.deepEqual([isTiled(GRID), isTiled(TILES), cellOf(GRID, 6)], [false, true, { tile: 0, row: 1, column: 2 }]);
});

test("a map needs a result, by the name that faithfulness knows; else there is a reason", () => {
  assert.deepEqual(needOf("lens", STATE), { name: "lens", of: "", map: "lens:2" });
  assert.equal(needOf("lens", { ...STATE, layer: null }).map, "lens:2"); // the last layer
  assert.equal(needOf("lens", { ...STATE, layer: 0 }).map, "lens:0");
  assert.deepEqual(needOf("head", STATE), { name: "attention", of: "", map: "head:2.1" });
  assert.deepEqual(needOf("head", { ...STATE, head: 0 }).map, "head:2.0");
  assert.deepEqual(needOf("concept", STATE), { name: "concept", of: "4:3", map: "concept:4:3" });
  assert.deepEqual(needOf("occlusion", STATE), { name: "occlusion", of: "", map: "occlusion" });
  assert.equal(needOf("", STATE), null);
  for (const gone of ["layer", "head"]) assert.match(needOf("head", { ...STATE, [gone]: null }).reason, /head/);
  for (const gone of ["concept", "studied"]) assert.ok(needOf("concept", { ...STATE, [gone]: null }).reason);
});

test("a map has a value for every patch: of the lens those at image positions, of attention the mean of all heads", () => {
  const lens = {
    arrays: { values: array(["layer", "position"], [3, 4], [-9, -8, -7, -6, -5, -4, -3, -2, -1, -2, -3, -4]) },
    unit: "nats",
  };
  const map = mapOf(lens, "lens", { ...STATE, layer: 1 }, [1, 3]);
  assert.deepEqual([[...map.values], map.scale], [[-4, -2], { low: -4, high: -2, signed: false }]);
  assert.equal(mapOf(lens, "lens", { ...STATE, layer: 7 }, [1, 3]), null);
  const values = array(["layer", "head", "patch"], [2, 2, 2], [1, 2, 3, 4, 5, 6, 7, 8], { layer: [1, 2] });
  const attention = { arrays: { values }, unit: "share" };
  assert.deepEqual([...mapOf(attention, "attention", STATE, [1, 3]).values], [4, 5]);
  assert.deepEqual([...mapOf(attention, "head", STATE, [1, 3]).values], [7, 8]);
  assert.equal(mapOf(attention, "head", { ...STATE, layer: 3 }, [1, 3]), null);
});

test("a scale goes from zero, to both sides where signs matter; what has no value is clear", () => {
  assert.deepEqual(scaleOf({ data: [1, 4] }), { low: 0, high: 4, signed: false });
  const both = scaleOf({ data: [-3, 2, NaN] });
  assert.deepEqual(both, { low: -3, high: 3, signed: true });
  assert.deepEqual([shareOf(both, -3), shareOf(both, 0), shareOf(both, 3)], [-1, 0, 1]);
  const log = scaleOf({ data: [-8, -2] }, true);
  assert.deepEqual([shareOf(log, -8), shareOf(log, -5), shareOf(log, -2)], [0, 0.5, 1]);
  assert.deepEqual([shareOf(scaleOf({ data: [0, 0] }), 0), shareOf(scaleOf({ data: [] }), 1)], [0, 0]);
  assert.deepEqual([cssOf(NaN), slotOf(-9), slotOf(9)], ["transparent", 0, 1024]);
  assert.match(cssOf(1), /^rgba\(178, 24, 43, 0\.85/);
  assert.match(cssOf(-1), /^rgba\(33, 102, 172, 0\.85/);
  assert.match(cssOf(0), /, 0\.000\)$/);
});

test("pixels: a value within its null is faint, no value is clear", () => {
  const image = { data: new Uint8ClampedArray(16) };
  const values = Float32Array.of(4, 4, NaN, 0);
  paintPixels(image, values, { low: 0, high: 4, signed: false }, [0, 1, 0, 0]);
  const [full, faint, none, zero] = [3, 7, 11, 15].map((i) => image.data[i]);
  assert.ok(full > 200 && faint > 0 && faint < full / 2, `${full} ${faint}`);
  assert.deepEqual([none, zero, image.data[0]], [0, 0, 178]);
});

test("the words of the lens at a position", () => {
  const words = { ...array(["layer", "position", "top"], [1, 2, 2], [0, 1, 1, 0], { layer: [3] }) };
  const log_probs = array(["layer", "position", "top"], [1, 2, 2], [0, -1, Math.log(0.4), -2], { layer: [3] });
  const lens = { arrays: { words, log_probs }, strings: [" dog", "cat"] };
  assert.equal(listed(wordsAt(lens, 3, 1)), "cat .40 · dog .14");
  assert.deepEqual([wordsAt(lens, 2, 1), wordsAt(undefined, 3, 1), wordsAt(lens, 3, 9)], [[], [], []]);
});

test("values have their unit, a share is a percentage", () => {
  const all = [-0.12, 0.012, 0, -1234.5].map((v) => withUnit(t, v, "nats"));
  assert.deepEqual(all, ["−0.12 nats", "0.012 nats", "0.00 nats", "−1,235 nats"]);
  assert.deepEqual([0.41, 0.004, 0.0001, 0].map((v) => withUnit(t, v, "share")), ["41%", "0.4%", "<0.1%", "0%"]); // prettier-ignore
  assert.deepEqual([0.41, 0.999, 0.001].map(share), [".41", "1.0", "<.01"]);
  assert.deepEqual([0.41, 1.844, 1, -0.26, -0.001].map(ratio), [".41", "1.84", "1.00", "−.26", "0"]); // areas are no shares
});
