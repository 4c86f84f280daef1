import assert from "node:assert/strict";
import test from "node:test";

import { aboutNow, mapName } from "../src/inspector/instruments.js";
import { duration } from "../src/inspector/offer.js";
import { runsOf, short, sign } from "../src/inspector/ribbon.js";

test("the sequence is cut into runs of one role", () => {
  const tokens = [
    ["<s>", "system"],
    ["", "image"],
    ["", "image"],
    [" What", "question"],
    ["\n", "system"],
  ];
  assert.deepEqual(runsOf(tokens), [
    { role: "system", from: 0, texts: ["<s>"] },
    { role: "image", from: 1, texts: ["", ""] },
    { role: "question", from: 3, texts: [" What"] },
    { role: "system", from: 4, texts: ["\n"] },
  ]);
  assert.deepEqual(runsOf([]), []);
});

test("tokens that are only space have a sign, control characters a mark", () => {
  assert.deepEqual([" dog", "\n", "  ", "", "a\u0000"].map(sign), ["dog", "↵", "␣␣", "∅", "a\ufffd"]);
});

test("probabilities and times are short", () => {
  assert.deepEqual([0.973, 1, 0.996, 0, null].map(short), [".97", "1.0", "1.0", "<.01", ""]);
  assert.deepEqual([0.01, 0.94, 12.4, 180, null, NaN].map(duration), ["0.1 s", "0.9 s", "12 s", "3 min", "", ""]);
});

test("an instrument is about what is selected, and not offered without it", () => {
  const state = { layer: 4, head: null, concept: null, metric: "lens" };
  const get = (name) => state[name];
  assert.deepEqual(
    ["target", "layer", "layer:concept", "map"].map((of) => aboutNow(of, get)),
    [{}, { of: "4" }, null, { of: "lens:4" }],
  );
  const maps = {
    head: [{ head: 1 }, "head:4.1"],
    concept: [{ concept: 7 }, "concept:4:7"],
    occlusion: [{}, "occlusion"],
  };
  for (const [metric, [more, name]] of Object.entries(maps)) {
    assert.equal(
      mapName((trait) => ({ ...state, metric, ...more })[trait]),
      name,
    );
  }
  assert.deepEqual([mapName((trait) => ({ ...state, metric: "head" })[trait]), mapName(() => null)], [null, null]);
});
