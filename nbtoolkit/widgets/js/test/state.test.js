import assert from "node:assert/strict";
import test from "node:test";

import {
  barHeights,
  completed,
  conceptName,
  examples,
  floats,
  longest,
  niceMax,
  place,
  pythonCall,
  strongest,
} from "../src/state.js";
import { gridOf, scoreAt } from "../src/heatmap.js";
import { search } from "../src/search.js";
import { spread } from "../src/study.js";

const samples = [{ caption: "a dog on grass" }, { caption: "a dog at night" }];
const concepts = [
  { words: ["grass", "lawn"], exemplars: [0], share: 0.2, histogram: [], active: 0.9, clip_score: 1, twin: null },
  { words: ["night"], exemplars: [1], share: 0.7, histogram: [], active: 0.1, clip_score: null },
  { words: [], exemplars: [], share: 0, histogram: [], active: 0, clip_score: 2 },
];

test("activations come whole, or without their zeros", () => {
  const bytes = (/** @type {any} */ array) => new Uint8Array(array.buffer);
  const empty = () => ({ nConcepts: 3, values: new Float32Array(9), rest: new Float32Array(3) });
  const whole = empty();
  assert.equal(place(whole, 0, [new Float32Array([1, 0, 2]), new Float32Array([0.5])].map(bytes)), 1);
  assert.deepEqual([...whole.values], [1, 0, 2, 0, 0, 0, 0, 0, 0]);
  const some = empty();
  const parts = [
    new Float32Array([4, 5, 6]),
    new Float32Array([0.1, 0.2]),
    new Int32Array([2, 0, 1]),
    new Int32Array([1, 2]),
  ];
  assert.equal(place(some, 1, parts.map(bytes)), 3);
  assert.deepEqual([...some.values], [0, 0, 0, 0, 0, 4, 5, 6, 0]);
  assert.deepEqual(
    [...some.rest].map((x) => x.toFixed(1)),
    ["0.0", "0.1", "0.2"],
  );
});

test("concepts that were not sent are absent, and not listed", () => {
  const all = spread([{ ...concepts[0], k: 2, n: 4 }]);
  assert.deepEqual(
    all.map((c) => Boolean(c.absent)),
    [true, true, false, true],
  );
  assert.deepEqual([...search(all, "", samples, []).keys()], [2]);
  assert.equal(spread([{ ...concepts[1], k: 0, n: 4 }], all), all);
  assert.deepEqual([...search(all, "", samples, []).keys()], [0, 2]);
  assert.equal(spread(concepts), concepts);
  assert.equal(spread([], all), all);
});

test("examples are exemplars, spread over the range, or the same random ones each time", () => {
  const acts = {
    values: new Float32Array([5, 0, 4, 0, 3, 1, 2, 0, 1, 0, 0, 0]),
    nConcepts: 2,
    rest: new Float32Array(6),
  };
  assert.deepEqual(examples(acts, 0, "strongest", [0, 1], 3), [0, 1]);
  assert.deepEqual(examples(acts, 0, "range", [], 3), [0, 2, 4]);
  assert.deepEqual(examples(acts, 1, "range", [], 3), [2]);
  const signed = { values: new Float32Array([1, -4, 0, 3]), nConcepts: 1, rest: new Float32Array(4) };
  assert.deepEqual(examples(signed, 0, "range", [], 2), [3, 1]); // both ends
  const some = examples(acts, 0, "random", [], 3);
  assert.equal(new Set(some).size, 3);
  assert.ok(!some.includes(5)); // it does not use the concept
  assert.deepEqual(examples(acts, 0, "random", [], 3), some);
});

test("strongest ranks by absolute value and leaves out zeros", () => {
  const acts = { values: new Float32Array([0, -3, 2, 1, 0, 0]), nConcepts: 3, rest: new Float32Array(2) };
  assert.deepEqual(strongest(acts, 0), [
    { concept: 1, value: -3 },
    { concept: 2, value: 2 },
  ]);
  assert.deepEqual(strongest(acts, 1, 1), [{ concept: 0, value: 1 }]);
});

test("axes end at round numbers at or above the data", () => {
  for (const top of [0.013, 0.1, 0.37, 1, 1.3, 7, 99, 1234]) {
    const max = niceMax(top);
    assert.ok(max >= top * 0.999999 && max <= 2 * top, `${top} -> ${max}`);
  }
  assert.equal(niceMax(0), 1);
  assert.equal(niceMax(NaN), 1);
});

test("bars are between 0 and 1, and an empty histogram is flat", () => {
  assert.deepEqual(barHeights([0, 1, 4]), [0, 0.5, 1]);
  assert.deepEqual(barHeights([0, 0]), [0, 0]);
});

test("a concept has the name that came with it, or a number", () => {
  assert.equal(conceptName(undefined, 2), "concept 2");
  assert.equal(conceptName({ name: "grass · wet" }, 0), "grass · wet");
});

test("floats survive an unaligned view", () => {
  const raw = new Uint8Array(9);
  raw.set(new Uint8Array(new Float32Array([1.5, -2]).buffer), 1);
  assert.deepEqual([...floats(new DataView(raw.buffer, 1))], [1.5, -2]);
});

test("a view as a line of Python", () => {
  const options = { layer: 4, concept: null, all_tokens: true, edits: [{ op: "ablate", layers: [1, 2], heads: null }] };
  assert.equal(
    pythonCall(["study"], options),
    'nbt.explore(study, layer=4, concept=None, all_tokens=True, edits=[{"op": "ablate", "layers": [1, 2], "heads": None}])',
  );
});

test("results about some concepts of a large dictionary are spread over all of them", () => {
  const tokens = completed({ concepts: [1, 3], n_concepts: 5, activations: [[2, 7]], pieces: ["dog"] });
  assert.deepEqual(tokens.activations, [[0, 2, 0, 7, 0]]);
  assert.deepEqual(completed({ concepts: [2], n_concepts: 3, ablation: [5], total: 1 }).ablation, [0, 0, 5]);
  const shape = [2, 1, 2];
  const maps = completed({ concepts: [1, 3], shape, low: [0, -1], high: [1, 1], bytes: Uint8Array.of(0, 255, 0, 255) });
  assert.deepEqual([scoreAt(maps, 3, 0), scoreAt(maps, 1, 1), scoreAt(maps, 2, 1)], [-1, 1, 0]);
  assert.deepEqual([...gridOf(maps, 3).values], [0, 255]);
  const whole = { shape: [1, 1, 1] };
  assert.equal(completed(whole), whole);
});

test("the longest text that fits is looked for by bisection", () => {
  for (const limit of [0, 1, 7, 10_000]) {
    for (const room of [0, 1, 3, 6, 7, 9_999, 10_000]) {
      let steps = 0;
      assert.equal(
        longest(limit, (n) => ++steps && n <= room),
        Math.min(limit, room),
      );
      assert.ok(steps <= 16);
    }
  }
});
