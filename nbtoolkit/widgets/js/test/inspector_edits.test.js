import assert from "node:assert/strict";
import test from "node:test";

import { changeOf, differenceOf, parseKey, piecesOf, rangeOfDraws, targetRow } from "../src/inspector/differences.js";
import { cellOf } from "../src/inspector/dragging.js";
import {
  ablations,
  brief,
  editText,
  knockOut,
  mask,
  parseTicked,
  patchFrom,
  patchOfCell,
  placesOf,
  takesMean,
  withEdits,
} from "../src/inspector/edits.js";
import { translator } from "../src/words.js";

const t = translator();
const NONE = { layer: null, head: null, token: null, concept: null, patches: [] };
const ablation = (layers, part, how = "zero", heads = null) => ({ op: "ablate", layers, part, how, heads });

test("a knockout is of what is selected: layer and head, patches, else all", () => {
  const all = { op: "knock_out", layers: null, heads: null, sources: "image", targets: "word" };
  assert.deepEqual(knockOut(NONE), all);
  assert.deepEqual(knockOut({ ...NONE, layer: 0, head: 2 }), all); // the embedding has no attention
  assert.deepEqual(knockOut({ ...NONE, layer: 4, head: 0, patches: [9, 3] }), {
    ...all,
    layers: [4],
    heads: [0],
    sources: { patches: [3, 9] },
  });
});

test("ticked parts become as few edits as can be; what is no part is left out", () => {
  const ticked = [
    "L4.H1",
    "MLP4",
    "A2",
    "L4.H0",
    "N4.123",
    "P36",
    "C4.7",
    "MLP2",
    "N4.7",
    "L3.H2",
    "P3",
    "x",
    "L4",
    "P1.2",
  ];
  assert.equal(parseTicked(ticked).length, 11);
  assert.deepEqual(ablations(ticked, { ...NONE, layer: 1 }, "mean"), [
    ablation([2], "attention", "mean"),
    ablation([2, 4], "mlp", "mean"),
    ablation([4], "attention", "zero", [0, 1]),
    ablation([3], "attention", "zero", [2]),
    { op: "ablate", layer: 4, neurons: [7, 123] },
    { op: "ablate", layer: 4, concept: 7 },
    { op: "mask", patches: [3, 36] },
  ]);
});

test("without ticked parts the selected head or layer is ablated; the mean is of whole parts", () => {
  assert.deepEqual(ablations([], NONE, "zero"), []);
  assert.deepEqual(ablations([], { ...NONE, layer: 0 }, "zero"), []);
  assert.deepEqual(ablations([], { ...NONE, layer: 3 }, "mean"), [ablation([3], "block", "mean")]);
  assert.deepEqual(ablations([], { ...NONE, layer: 3, head: 0 }, "mean"), [ablation([3], "attention", "zero", [0])]);
  assert.ok(takesMean([], { ...NONE, layer: 3 }) && takesMean(["A1", "L1.H0"], NONE));
  assert.ok(!takesMean([], { ...NONE, layer: 3, head: 1 }) && !takesMean(["L1.H0"], { ...NONE, layer: 3 }));
});

test("a patch is of the selected patches or position, or of a cell of the other side", () => {
  assert.deepEqual([placesOf(NONE), placesOf({ ...NONE, token: 0 })], ["image", [0]]);
  assert.deepEqual(placesOf({ ...NONE, token: 5, patches: [7, 2] }), { patches: [2, 7] });
  const limits = { layers: 5, positions: 80, patches: 64 };
  const cell = (more) => patchOfCell({ side: "b", layer: 3, ...more }, limits, "other");
  assert.deepEqual(cell({ position: 9 }), patchFrom(3, [9], "other"));
  assert.deepEqual(cell({ patch: 63 }), patchFrom(3, { patches: [63] }, "other"));
  assert.deepEqual(cell({ patches: [5, 2], side: "a" }), patchFrom(3, { patches: [2, 5] }, "other"));
  const wrong = [
    {},
    { side: "c", position: 1 },
    { layer: 6, position: 1 },
    { layer: null, patch: 1 },
    { patch: 64 },
    { patches: [1, 64] },
    { position: "1" },
    { position: 80 },
  ];
  for (const more of wrong) assert.equal(cell(more), null);
  assert.deepEqual([patchOfCell(null, limits, "blank"), patchOfCell("b", limits, "blank")], [null, null]);
  assert.deepEqual([cellOf("{"), cellOf("[1]")], [null, [1]]);
});

test("an edit that is there already is not there twice", () => {
  assert.deepEqual(withEdits([mask([1])], [mask([1]), mask([2])]), [mask([1]), mask([2])]);
});

test("edits are read as they would be said", () => {
  const say = (edit) => editText(t, edit, (layer, k) => `concept ${layer}:${k}`);
  const said = [
    [knockOut(NONE), "knock out the image → the word, all layers"],
    [knockOut({ ...NONE, layer: 4, head: 1, patches: [3] }), "knock out patches 3 → the word, L4.H1"],
    [ablation([4], "attention", "zero", [0, 1]), "ablate L4.H0,1"],
    [ablation([2, 3], "mlp", "mean"), "ablate MLP, layers 2, 3 (mean ablation)"],
    [ablation([2], "block"), "ablate layer 2"],
    [{ op: "ablate", layer: 4, concept: 2 }, "ablate “concept 4:2”, layer 4"],
    [{ op: "ablate", layer: 4, neurons: [5] }, "ablate neurons 5, layer 4"],
    [mask([1, 2, 3, 4, 5, 6, 9]), "mask patches 1, 2, 3 … 9 (7)"],
    [patchFrom(3, [7], "other"), "patch positions 7 from the other image, layer 3"],
    [patchFrom(0, "image", "blank"), "patch the image from a blank image, layer 0"],
    [
      { op: "steer", layer: 2, word: "snow", strength: -1.5, positions: "image" },
      "steer “snow” −1.50, layer 2, at the image",
    ],
  ];
  for (const [edit, text] of said) assert.equal(say(edit), text);
  assert.equal(brief([1, 2, 3, 4, 5, 6]), "1, 2, 3, 4, 5, 6");
});

test("the target is marked where it is, by its number; a response far from changes is shortened", () => {
  assert.deepEqual(
    [parseKey("dog#2"), parseKey("c#")],
    [
      ["dog", 2],
      ["c#", 1],
    ],
  );
  const difference = differenceOf("a dog and a Dog, then x x x x x y", "a dog and a bear then x x x x x y");
  assert.equal(targetRow(difference, "dog#2"), 4);
  assert.deepEqual([targetRow(difference, "dog#3"), targetRow(difference, "bear")], [-1, -1]);
  const tags = (own, around) =>
    piecesOf(difference, own, "dog#2", around).map(({ text, tag, target }) => [text, tag, target]);
  assert.deepEqual(tags("removed"), [
    ["a dog and a", "same", false],
    ["Dog,", "removed", true],
    ["then x ×5 y", "same", false],
  ]);
  assert.deepEqual(tags("added", 1), [
    ["…", "", false],
    ["a", "same", false],
    ["bear", "added", false],
    ["then", "same", false],
    ["…", "", false],
  ]);
  assert.deepEqual(differenceOf("", "a"), [["a", "added"]]);
  const runs = [
    ["a white", "same"],
    ["in", "added"],
    ["train full", "same"],
  ]; // as Python tells them
  const marked = piecesOf(runs, "added", "train").map(({ text, tag, target }) => [text, tag, target]);
  assert.deepEqual(marked[2], ["train", "same", true]);
});

test("a change is in the unit, random edits have a mean and a range", () => {
  const reading = (probability, log_prob, logit) => ({ probability, log_prob, logit });
  const before = reading(0.5, -1, 10);
  assert.deepEqual(changeOf(before, reading(0.25, -3, 4), "logit"), { probability: -0.25, value: -6 });
  assert.equal(changeOf(before, reading(0.25, -3, 4), "log_prob").value, -2);
  const draws = [reading(0.5, -1.5, 9), reading(0.5, -0.5, 12)];
  assert.deepEqual(rangeOfDraws(before, draws, "logit"), { mean: 0.5, low: -1, high: 2 });
});
