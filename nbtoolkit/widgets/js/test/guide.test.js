import assert from "node:assert/strict";
import { test } from "node:test";
import { hintFor, holds, isWrong } from "../src/guide.js";

const step = {
  say: "Go.",
  set: { layer: 1 },
  check: { layer: [4, 5], query: "hat" },
  hint: { 3: "Go on.", "": "Type.", else: "Not this." },
};

test("a step holds when every trait has its value, or one of its values", () => {
  const of = (state) => holds(step.check, (name) => state[name]);
  assert.deepEqual(
    [of({ layer: 5, query: "hat" }), of({ layer: 5, query: "" }), of({ layer: 3, query: "hat" })],
    [true, false, false],
  );
  assert.equal(
    holds({}, () => 1),
    false,
  );
});

test("a choice is wrong where it is checked and neither asked for nor set by the step", () => {
  assert.deepEqual(
    [1, 3, 4, 5, null].map((layer) => isWrong(step, "layer", layer)),
    [false, true, false, false, false],
  );
  assert.equal(isWrong(step, "concept", 3), false);
  const brush = { say: "Brush.", set: {}, check: { patches: [8, 9] } };
  assert.deepEqual(
    [[], [8], [8, 9]].map((patches) => isWrong(brush, "patches", patches)),
    [false, true, false],
  );
  assert.equal(isWrong(undefined, "layer", 3), false);
});

test("a wrong value has its own hint, that of all others, or none", () => {
  assert.deepEqual(
    [3, 2, "", "dog"].map((value) => hintFor(step, value)),
    ["Go on.", "Not this.", "Type.", "Not this."],
  );
  assert.equal(hintFor({ say: "", set: {}, check: {} }, 3), "");
});
