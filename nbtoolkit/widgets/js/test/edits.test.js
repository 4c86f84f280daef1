import assert from "node:assert/strict";
import { test } from "node:test";

import {
  aim,
  condensed,
  hasConcept,
  isActive,
  isOneMovement,
  layersEdit,
  parseHeads,
  probability,
  steering,
  toggleConcept,
  toggleLayer,
  withLayers,
  withStrength,
} from "../src/edits.js";

const mlp = { op: "ablate", layers: [2], part: "mlp", how: "mean", heads: null };
const concept = { op: "ablate", layer: 4, concept: 3 };

test("layers are ablated and no longer, in ascending order, and the last one leaves nothing behind", () => {
  const two = toggleLayer(toggleLayer([], 3), 1);
  assert.deepEqual(two, [{ op: "ablate", layers: [1, 3], part: "block", how: "zero", heads: null }]);
  assert.deepEqual(toggleLayer(toggleLayer(two, 1), 3), []);
  assert.deepEqual(toggleLayer([mlp, concept], 2), [{ ...mlp, layers: [] }, concept]); // the part stays selected
});

test("heads are kept where they have a meaning only", () => {
  const heads = withLayers([], { layers: [1], part: "attention", heads: [0, 2] });
  assert.deepEqual(layersEdit(heads).heads, [0, 2]);
  assert.equal(layersEdit(withLayers(heads, { how: "mean" })).heads, null);
  assert.equal(layersEdit(withLayers(heads, { part: "mlp" })).heads, null);
});

test("concepts are ablated and no longer", () => {
  const edits = toggleConcept([mlp], 4, 3);
  assert.deepEqual(edits, [mlp, concept]);
  assert.ok(hasConcept(edits, 4, 3) && !hasConcept(edits, 5, 3));
  assert.deepEqual(toggleConcept(edits, 4, 3), [mlp]);
});

test("an edit without layers has no effect", () => {
  assert.deepEqual([mlp, concept, { ...mlp, layers: [] }].map(isActive), [true, true, false]);
});

test("heads are read from a text, which may be wrong", () => {
  assert.deepEqual(parseHeads("2, 0 2", 4), [0, 2]);
  assert.equal(parseHeads("  ", 4), null);
  for (const text of ["abc", "4", "-1", "1.5"]) assert.equal(parseHeads(text, 4), undefined);
});

test("what a slider steers: the selected concept, a word, a direction", () => {
  assert.deepEqual(aim("", 4, 3), { layer: 4, concept: 3 });
  assert.deepEqual(aim("word:a: b", 4, 3), { layer: 4, word: "a: b" });
  assert.deepEqual(aim("direction:rain", 2, null), { layer: 2, direction: "rain" });
  for (const [by, concept] of [["", null], ["word:", 3], ["other:x", 3]]) assert.equal(aim(by, 4, concept), null); // prettier-ignore
});

test("a strength is set, changed in its place, and 0 removes the edit; others stay", () => {
  const at = { layer: 4, concept: 3 };
  const one = withStrength([concept], at, -1.5, "all");
  assert.deepEqual(one, [concept, { op: "steer", layer: 4, concept: 3, strength: -1.5, positions: "all" }]);
  const two = withStrength([...one, mlp], at, 2, "image");
  assert.deepEqual([two[1].strength, two[1].positions, two[2]], [2, "image", mlp]);
  assert.equal(steering(two, at).strength, 2);
  assert.equal(steering(two, { layer: 4, word: "snow" }), undefined);
  assert.deepEqual(withStrength(two, at, 0, "all"), [concept, mlp]);
  assert.ok(hasConcept(two, 4, 3) && !hasConcept(one.slice(1), 4, 3)); // steering is no ablation
  assert.deepEqual(toggleConcept(two, 4, 3).length, 2);
  assert.ok(isActive(two[1]) && !isActive({ ...two[1], strength: 0 }));
  assert.ok(isOneMovement(one, withStrength(one, at, 3, "all")) && !isOneMovement(one, two));
});

test("probabilities keep what distinguishes them from 0 and 1", () => {
  assert.deepEqual([-0.06, -1e-5, -20].map(probability), [".942", "> .999", "< .001"]);
});

test("a word without end is written once", () => {
  assert.equal(condensed("a white white white white white dog"), "a white ×5 dog");
  assert.equal(condensed("so so so good"), "so so so good");
  assert.equal(condensed("dog dogs dogs dogs dogs"), "dog dogs ×4");
});
