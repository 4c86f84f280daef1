import assert from "node:assert/strict";
import test from "node:test";

import { at, coordsOf, decode, extent, indexOf, max, mean, pick, sum } from "../src/inspector/arrays.js";

const bytes = (array) => new DataView(array.buffer);
const grid = {
  dims: ["layer", "head", "patch"],
  shape: [2, 2, 3],
  coords: { layer: [1, 2] },
  data: Float32Array.from({ length: 12 }, (_, i) => i),
};

test("float16 is decoded: normal, subnormal, signed zero, infinite, NaN, largest", () => {
  const bits = Uint16Array.of(0x3c00, 0xc000, 0x3555, 0x0001, 0x03ff, 0x8000, 0x7c00, 0xfc00, 0x7e00, 0x7bff);
  const { x } = decode({ x: { dims: ["i"], shape: [10], dtype: "float16", buffer: 0 } }, [bytes(bits)]);
  const [one, minusTwo, third, tiny, subnormal, zero, up, down, nan, top] = x.data;
  assert.deepEqual([one, minusTwo, tiny, up, down, top], [1, -2, 2 ** -24, Infinity, -Infinity, 65504]);
  assert.ok(Math.abs(third - 1 / 3) < 2e-4 && Math.abs(subnormal - 1023 * 2 ** -24) < 1e-12);
  assert.ok(Object.is(zero, -0) && Number.isNaN(nan));
});

test("arrays are read from buffers that are not aligned, and a wrong length is refused", () => {
  const raw = new Uint8Array(1 + 8);
  new DataView(raw.buffer).setFloat32(1, 1.5, true);
  new DataView(raw.buffer).setInt32(5, -7, true);
  const one = (dtype, start, shape = [1]) =>
    decode({ a: { dims: ["i"], shape, dtype, buffer: 0 } }, [new DataView(raw.buffer, start, 4)]).a.data;
  assert.deepEqual([one("float32", 1)[0], one("int32", 5)[0]], [1.5, -7]);
  assert.deepEqual([...one("uint16", 5, [2])], [65529, 65535]);
  assert.throws(() => one("float32", 1, [2]), /a has 1 values/);
});

test("parts are selected by coordinate, not by place", () => {
  assert.equal(at(grid, { layer: 2, head: 1, patch: 0 }), 9);
  const row = at(grid, { layer: 2, head: 0 });
  assert.deepEqual([row.dims, row.shape, [...row.data]], [["patch"], [3], [6, 7, 8]]);
  assert.equal(row.data.buffer, grid.data.buffer); // no copy
  const heads = at(grid, { patch: 2 });
  assert.deepEqual(
    [heads.dims, [...heads.data]],
    [
      ["layer", "head"],
      [2, 5, 8, 11],
    ],
  );
  assert.deepEqual([...at(grid, { layer: 1, patch: 1 }).data], [1, 4]);
  assert.equal(at(heads, { layer: 2, head: 1 }), 11);
  assert.deepEqual([at(grid, { layer: 0 }), at(grid, { head: 2 }), at(grid, { patch: -1 })], Array(3).fill(undefined));
  assert.deepEqual(
    [coordsOf(grid, "layer"), coordsOf(grid, "patch")],
    [
      [1, 2],
      [0, 1, 2],
    ],
  );
  assert.deepEqual([indexOf(grid, "layer", 2), indexOf(grid, "head", 1), indexOf(grid, "head", "1")], [1, 1, -1]);
});

test("some coordinates are picked in their order, and keep their names", () => {
  const some = pick(grid, { patch: [2, 0, 9], layer: [2] });
  assert.deepEqual(
    [some.shape, [...some.data]],
    [
      [1, 2, 2],
      [8, 6, 11, 9],
    ],
  );
  assert.equal(at(some, { layer: 2, head: 1, patch: 0 }), 9);
  assert.deepEqual([...sum(pick(grid, { patch: [] }), "patch").data], [NaN, NaN, NaN, NaN]);
});

test("axes are reduced, and NaN is left out", () => {
  assert.deepEqual([...sum(grid, "patch").data], [3, 12, 21, 30]);
  assert.deepEqual([...mean(grid, ["layer", "patch"]).data], [4, 7]);
  assert.deepEqual([...max(grid, "layer").data], [6, 7, 8, 9, 10, 11]);
  assert.equal(sum(grid, ["layer", "head", "patch"]), 66);
  const holes = { dims: ["a", "b"], shape: [2, 2], coords: {}, data: Float32Array.of(1, NaN, NaN, NaN) };
  assert.deepEqual([...mean(holes, "b").data], [1, NaN]);
  assert.deepEqual([...max(holes, "a").data], [1, NaN]);
  assert.deepEqual(extent({ data: [-3, NaN, 2] }), { low: -3, high: 2, top: 3 });
  assert.deepEqual(extent({ data: [NaN] }), { low: 0, high: 0, top: 0 });
});
