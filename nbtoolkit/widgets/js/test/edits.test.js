import assert from "node:assert/strict";
import { test } from "node:test";

import { hasConcept, isActive, layersEdit, parseHeads, toggleConcept, toggleLayer, withLayers } from "../src/edits.js";

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
