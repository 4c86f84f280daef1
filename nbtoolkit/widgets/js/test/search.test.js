import assert from "node:assert/strict";
import test from "node:test";

import { cut, evenly, ordered, search, sourceOf, termsOf } from "../src/search.js";

const samples = [{ caption: "a dog on grass" }, { caption: "a dog at night in snow" }, { caption: "rain" }];
const concepts = [
  { name: "grass", words: ["grass", "lawn"], exemplars: [0], share: 0.2, active: 0.9, clip_score: 1 },
  { name: "night", words: ["night", "snowy"], exemplars: [1], share: 0.7, active: 0.1, clip_score: null },
  { name: "snow · ball", words: ["snow"], exemplars: [], share: 0, active: 0, clip_score: 2 },
  { name: "moon", words: ["moon"], exemplars: [1, 2], share: 0.1, active: 0.5, clip_score: 2 },
];
const own = concepts.map((concept) => concept.name);
const list = (/** @type {string} */ query, order = "importance", pinned = [], names = own) => {
  const pins = names.map((_, k) => pinned.includes(k));
  return ordered(search(concepts, query, samples, names), concepts, order, names, pins);
};

test("concepts are sorted by what is chosen, and stay in their order where they are equal", () => {
  assert.deepEqual(list(""), [1, 0, 3, 2]);
  assert.deepEqual(list("", "index"), [0, 1, 2, 3]);
  assert.deepEqual(list("", "clip_score"), [2, 3, 0, 1]);
  assert.deepEqual(list("", "rarity"), [1, 3, 0, 2]);
  assert.deepEqual(list("", "name"), [0, 3, 1, 2]);
  assert.deepEqual(list("", "importance", [2]), [2, 1, 0, 3]);
});

test("names come before words, and words before captions", () => {
  const ranks = search(concepts, "Snow", samples, own);
  assert.deepEqual(list("Snow"), [2, 1, 3]);
  assert.deepEqual(
    [...ranks].map(([k, rank]) => [k, sourceOf(rank)]),
    [
      [1, "word"],
      [2, "name"],
      [3, "caption"],
    ],
  );
  assert.deepEqual(list("snow", "importance", [3]), [2, 1, 3]); // a pin does not make a match better
});

test("the beginning of a word comes before its middle, and every term counts", () => {
  assert.deepEqual(list("all"), [2]);
  assert.deepEqual(list("awn"), [0]);
  assert.deepEqual(list("moon rain"), [3]);
  assert.deepEqual(list("moon grass"), []);
  assert.deepEqual(list("zebra"), []);
  const call = ["a sun", "sunny", "x sunny", "unsunned"];
  assert.deepEqual(list("sun", "index", [], call), [0, 1, 2, 3]);
  assert.deepEqual(list("un", "index", [], call), [3, 0, 1, 2]);
});

test("given names are searched", () => {
  assert.deepEqual(list("my na", "index", [], [...own.slice(0, 3), "My name"]), [3]);
});

test("texts are cut at the matches, whatever the query", () => {
  assert.deepEqual(cut("Snow in snow", termsOf("SNOW")), ["", "Snow", " in ", "snow", ""]);
  assert.deepEqual(cut("a (b) c.d", termsOf("(b) .")), ["a ", "(b)", " c", ".", "d"]);
  assert.deepEqual(cut("snowy", termsOf("snow snowy")), ["", "snowy", ""]);
  assert.deepEqual(cut("x", []), ["x"]);
  for (const query of ["[", "\\", "a|b", "$^*+?{}/", "🍣"]) assert.equal(cut(`<${query}>`, termsOf(query)).length, 3);
});

test("a strip shows both ends at any width", () => {
  const strip = (/** @type {number} */ n, /** @type {number} */ room) => [...evenly(n, room)];
  assert.deepEqual(strip(8, 8), [0, 1, 2, 3, 4, 5, 6, 7]);
  assert.deepEqual(strip(8, 5), [0, 2, 4, 5, 7]);
  for (let n = 1; n <= 8; n++) {
    for (let room = 2; room <= 9; room++) {
      const places = strip(n, room);
      assert.equal(places.length, Math.min(n, room));
      assert.ok(places.includes(0) && places.includes(n - 1), `${n} ${room}`);
    }
  }
});
