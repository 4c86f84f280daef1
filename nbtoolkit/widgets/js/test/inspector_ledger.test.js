import assert from "node:assert/strict";
import test from "node:test";

import {
  isAt,
  isWhole,
  isWithin,
  ledgerOf,
  rangeOf,
  restOf,
  span,
  toggled,
  wholeOf,
} from "../src/inspector/ledger_parts.js";

const array = (values, dims, shape, coords = {}) => ({ dims, shape, coords, data: Float32Array.from(values) });
const result = (arrays, facts = {}, strings = []) => ({ unit: "logit", null: "", note: "", arrays, facts, strings });
const close = (a, b) => assert.ok(Math.abs(a - b) < 1e-5, `${a} is not ${b}`);

const LAYERS = { layer: [1, 2] };
const CONTRIBUTION = result(
  {
    values: array([1, -2, 0.5, 3], ["layer", "head"], [2, 2], LAYERS),
    null_low: array([-1, -1, -1, -1], ["layer", "head"], [2, 2], LAYERS),
    null_high: array([1, 1, 1, 1], ["layer", "head"], [2, 2], LAYERS),
    attention: array([-1, 3.5], ["layer"], [2], LAYERS),
    mlp: array([0.25, -0.5], ["layer"], [2], LAYERS),
  },
  { sum: 2.5, total: 4, embedding: 1, constant: 0.75 },
);

test("layers, embedding and biases sum to the logit, and the rest is what the rows lack", () => {
  const ledger = ledgerOf("layers", CONTRIBUTION);
  assert.deepEqual(
    ledger.parts.map(({ key, place }) => [key, place.layer]),
    [
      ["A2", 2],
      ["A1", 1],
      ["MLP2", 2],
      ["MLP1", 1],
    ],
  );
  close(wholeOf(ledger), 4);
  assert.ok(isWhole(ledger));
  close(restOf(ledger, 1), 0.5);
  close(restOf(ledger, 4), 1.75);
  assert.ok(!isWhole(ledgerOf("layers", { ...CONTRIBUTION, facts: { ...CONTRIBUTION.facts, total: 4.2 } })));
});

test("heads have what the MLPs add as remainder, and the band of random parts", () => {
  const ledger = ledgerOf("heads", CONTRIBUTION);
  assert.deepEqual(
    ledger.parts.map(({ key }) => key),
    ["L2.H1", "L1.H1", "L1.H0", "L2.H0"],
  );
  close(ledger.others[0][1], 1.5);
  close(restOf(ledger, 2), 3);
  assert.deepEqual(ledger.parts.map(isWithin), [false, false, true, true]);
  assert.deepEqual(rangeOf(ledger.parts.slice(0, 2)), { low: -2, high: 3 });
});

test("neurons promote words; what has no value is left out", () => {
  const neuron = { neuron: ["2.7", "1.3", "1.4"] };
  const arrays = {
    values: array([0.5, -1, NaN], ["neuron"], [3], neuron),
    words: { dims: ["neuron", "top"], shape: [3, 2], coords: neuron, data: Uint16Array.from([0, 1, 2, 0, 0, 0]) },
  };
  const ledger = ledgerOf("neurons", result(arrays, { sum: -0.5, total: 2 }, ["dog", "cat", "fur"]));
  assert.deepEqual(
    ledger.parts.map(({ key, words, place }) => [key, words.join(), place.layer]),
    [
      ["N1.3", "fur,dog", 1],
      ["N2.7", "dog,cat", 2],
    ],
  );
  close(restOf(ledger, 2), 2.5);
});

test("patches do not sum to a total; concepts have one that is not the sum", () => {
  const patches = ledgerOf(
    "patches",
    result({ values: array([1, -3], ["patch"], [2]), null: array([0.5, 0.5], ["patch"], [2]) }),
  );
  assert.deepEqual([patches.total, patches.others, patches.parts[0].key], [null, [], "P1"]);
  assert.deepEqual(patches.parts[0].band, [0, 0.5]);
  close(restOf(patches, 1), 1);
  const concepts = ledgerOf("concepts", result({ values: array([1, 2], ["concept"], [2]) }, { total: 2.5 }), {
    layer: 4,
    names: ["room", "snow"],
  });
  assert.deepEqual([concepts.parts[0].key, concepts.parts[0].text, isWhole(concepts)], ["C4.1", "snow", false]);
});

test("a bar reaches from zero to its value on either side", () => {
  assert.deepEqual(span(0, 3, { low: -1, high: 3 }), { left: 25, width: 75 });
  assert.deepEqual(span(0, -1, { low: -1, high: 3 }), { left: 0, width: 25 });
  assert.deepEqual(span(0, 0, { low: 0, high: 0 }), { left: 0, width: 0 });
});

test("a part is selected with its layer, head, concept or patch", () => {
  const part = (kind, place) => ({ kind, place });
  assert.ok(isAt(part("head", { layer: 2, head: 1 }), { layer: 2, head: 1 }));
  assert.ok(!isAt(part("head", { layer: 2, head: 1 }), { layer: 2, head: 0 }));
  assert.ok(isAt(part("mlp", { layer: 2 }), { layer: 2, head: null }));
  assert.ok(!isAt(part("mlp", { layer: 2 }), { layer: 2, head: 1 }));
  assert.ok(isAt(part("patch", { patch: 5 }), { patches: [1, 5] }));
  assert.ok(isAt(part("concept", { layer: 4, concept: 0 }), { layer: 4, concept: 0 }));
  assert.ok(!isAt(part("concept", { layer: 4, concept: 0 }), { layer: 4 }));
  assert.deepEqual([toggled([1, 2], 2), toggled([1], 2)], [[1], [1, 2]]);
});
