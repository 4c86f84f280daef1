import assert from "node:assert/strict";
import test from "node:test";

import {
  columnNames,
  columnsOf,
  groupContent,
  headContent,
  lensContent,
  sumOver,
  withinNull,
} from "../src/inspector/grid_sheets.js";
import { conceptLayer } from "../src/inspector/selection.js";

const array = (dims, shape, data, coords = {}) => ({ dims, shape, coords, data: Float32Array.from(data) });
const ATTENTION = array(["layer", "head", "patch"], [2, 2, 3], [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12], {
  layer: [1, 2],
});
const result = (arrays, more = {}) => ({ arrays, unit: "", strings: [], ...more });
const SIDE = {
  tokens: [
    ["<s>", "system"],
    ["be", "system"],
    ...Array(4).fill(["", "image"]),
    [" what", "question"],
    [" dog", "response"],
  ],
  geometry: { positions: [2, 3, 4, 5], cells: [0, 0, 0, 0, 0, 1, 0, 1, 0, 0, 1, 1], boxes: [], grid: [2, 2] },
};

test("attention is summed over the selected patches, all of them where none is selected", () => {
  assert.deepEqual([...sumOver(ATTENTION, [])], [6, 15, 24, 33]);
  assert.deepEqual([...sumOver(ATTENTION, [0, 2])], [4, 10, 16, 22]);
  assert.deepEqual([...sumOver(ATTENTION, [1, 99])], [2, 5, 8, 11]); // one that this image lacks
});

test("layers and heads have a row and a column each, by coordinate", () => {
  const content = headContent(result({ values: ATTENTION }), [1]);
  assert.deepEqual([content.rows, content.heads, content.n], [["1", "2"], [0, 1], 2]);
  assert.deepEqual([[...content.values], content.scale.high, content.faint], [[2, 5, 8, 11], 11, null]);
  assert.equal(headContent(result({ values: ATTENTION }), [0]).names, content.names); // nothing to name anew
  const whole = headContent(result({ values: ATTENTION, null: ATTENTION }), []);
  assert.deepEqual([...whole.faint], [1, 1, 1, 1]); // as much as on another image
});

test("values within the band of random ones are faint; of one null those that are no larger", () => {
  const values = Float32Array.of(-1, 0, 1, 2);
  const [low, high] = [Float32Array.of(-1, -1, -1, -1), Float32Array.of(1, 1, 0.5, 1)];
  assert.deepEqual([...withinNull({ low, high }, values, true)], [1, 1, 0, 0]);
  assert.deepEqual([...withinNull({ one: [-2, -1, -1, 1] }, values, true)], [1, 1, 1, 0]);
  assert.deepEqual([...withinNull({ one: [-2, 0, 2, 1] }, values, false)], [0, 1, 1, 0]);
  assert.equal(withinNull({}, values, true), null);
});

test("columns: the system's text as one, the image by rows of its grid, patch by patch, or as one without a grid", () => {
  const roles = (columns) => columns.map(({ role, positions }) => [role, positions]);
  const rows = columnsOf(SIDE, false);
  const ends = [["question", [6]], ["response", [7]]]; // prettier-ignore
  assert.deepEqual(roles(rows), [["system", [0, 1]], ["image", [2, 3]], ["image", [4, 5]], ...ends]); // prettier-ignore
  assert.deepEqual(rows.map(({ patches }) => patches), [[], [0, 1], [2, 3], [], []]); // prettier-ignore
  assert.equal(columnsOf(SIDE, true).length, 7);
  const none = columnsOf({ ...SIDE, geometry: null }, false);
  assert.deepEqual(roles(none), [["system", [0, 1]], ["image", [2, 3, 4, 5]], ...ends]);
  const fewer = columnsOf({ ...SIDE, geometry: { ...SIDE.geometry, positions: [2, 3, 4] } }, false);
  assert.deepEqual(fewer[2].positions, [4]); // a separator between tiles is no patch
});

test("names stand over each column, or over all of a role", () => {
  const columns = columnsOf(SIDE, false);
  const text = (role) => role.toUpperCase();
  const spans = columnNames(columns, false, text, 6).map(({ from, to, text: own }) => [from, to, own]);
  assert.deepEqual(spans, [[0, 1, "SYSTEM"], [1, 3, "IMAGE"], [3, 4, "QUESTION"], [4, 5, "RESPONSE"]]); // prettier-ignore
  const each = columnNames(columns, true, text, 6);
  assert.deepEqual(each.map((name) => name.text), ["SYSTEM", "IMAGE 1", "IMAGE 2", "what", "dog"]); // prettier-ignore
  assert.deepEqual(each.map((name) => name.strong), [false, false, false, true, false]); // prettier-ignore
});

test("a cell of several positions shows the one where the word is most probable, and what that reads as", () => {
  const values = array(["layer", "position"], [2, 8], [-9, -8, -5, -2, -7, -1, -3, -4, -1, -2, -3, -4, -5, -6, -7, -8]);
  const words = array(
    ["layer", "position", "top"],
    [2, 8, 1],
    Array.from({ length: 16 }, (_, i) => i % 8),
  );
  const strings = ["a", "b", "c", " d", "e", "f", "g", "h"];
  const lens = result({ values, words, null: values }, { strings, unit: "nats" });
  const columns = columnsOf(SIDE, false);
  const content = lensContent(lens, columns, []);
  assert.deepEqual([...content.values.subarray(0, 5)], [-8, -2, -1, -3, -4]);
  assert.deepEqual([...content.best], [1, 3, 5, 6, 7, 0, 2, 4, 6, 7]);
  assert.deepEqual(content.texts.slice(0, 5), ["b", "d", "f", "g", "h"]);
  assert.deepEqual(
    [content.rows, content.scale, content.faint[0]],
    [["0", "1"], { low: -8, high: -1, signed: false }, 1],
  );
});

test("groups of positions, with signs where some are negative", () => {
  const coords = { layer: [1, 2], group: ["image", "last"] };
  const content = groupContent(
    result({ values: array(["layer", "group"], [2, 2], [0.5, 1, -0.2, 0], coords) }),
    (x) => x,
  );
  assert.deepEqual(
    content.names.map(({ text }) => text),
    ["image", "last"],
  );
  assert.deepEqual(content.scale, { low: -1, high: 1, signed: true });
});

test("concepts are those of the selected layer where it has some, else of the last one of the study", () => {
  const meta = { study: { layers: [2, 4] } };
  assert.deepEqual([conceptLayer(meta, 2), conceptLayer(meta, 3), conceptLayer(meta, null)], [2, 4, 4]);
  assert.equal(conceptLayer({ study: null }, 2), null);
});
