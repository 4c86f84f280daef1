import assert from "node:assert/strict";
import test from "node:test";

import { readAddress, writeAddress } from "../src/address.js";
import { readLabels } from "../src/labels_file.js";

const RULES = {
  layer: { kind: "choice", values: [1, 2, 5] },
  concept: { kind: "int", min: 0, max: 19, none: true },
  sample: { kind: "choice", values: ["a&b=c#d", "<b>x</b>"], none: true },
  page: { kind: "bool" },
  strength: { kind: "float", min: -3, max: 3 },
  query: { kind: "text", max: 5 },
};

test("an address gives back the state that it was made of", () => {
  const start = { layer: 5, concept: 0, sample: null, page: false, strength: 0, query: "" };
  const state = { layer: 2, concept: null, sample: "a&b=c#d", page: true, strength: -1.5, query: "犬 %" };
  const address = writeAddress((name) => state[name], start, RULES);
  assert.deepEqual({ ...start, ...readAddress(`#${address}`, RULES) }, state);
  assert.equal(
    writeAddress((name) => start[name], start, RULES),
    "",
  );
  assert.equal(
    writeAddress((name) => ({ ...start, concept: 2 })[name], start, RULES),
    "layer=5&concept=2", // one is nothing without the other
  );
  assert.equal(
    writeAddress((name) => ({ ...start, query: "x" })[name], start, RULES),
    "query=x",
  );
});

test("an address from anywhere sets only what its rules allow", () => {
  const hostile = [
    "layer=3&concept=20&sample=zzz&page=yes&strength=1e9&query=longer",
    "layer=__proto__&__proto__=1&constructor=1&hasOwnProperty=2&_kind=x&_meta=y&steps=z",
    "concept=1.5&strength=NaN&page=1&layer=&query",
    "concept=-1&strength=Infinity&layer=[1]",
    "%E0%A4%A&&&===&#&concept=%00",
    `concept=${"9".repeat(1000)}`,
  ];
  for (const hash of hostile)
    assert.deepEqual(
      Object.keys(readAddress(hash, RULES)).filter((n) => n !== "query"),
      [],
    );
  assert.deepEqual(readAddress("#layer=1&layer=2&sample=<b>x</b>&concept=", RULES), {
    layer: 1,
    sample: "<b>x</b>", // a text, as any other
    concept: null,
  });
});

test("a file of names is names by concept, or nothing", () => {
  assert.deepEqual(readLabels('{"4:5": "<b>mine</b>"}'), { "4:5": "<b>mine</b>" });
  for (const text of [
    null,
    "",
    "[",
    "3",
    "null",
    '"text"',
    '{"4:5": 3}',
    '{"a b": "x"}',
    `{"4:5": "${"x".repeat(201)}"}`,
  ])
    assert.equal(readLabels(text), null, String(text));
});
