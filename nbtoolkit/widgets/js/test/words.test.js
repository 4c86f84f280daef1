import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import test from "node:test";

import { CHINESE } from "../src/chinese.js";
import { language, shortKey, translate, translator, visible } from "../src/words.js";
import { GONE, SILENT } from "../src/channel.js";
import { format, percent, signed } from "../src/dom.js";
import { STOPS } from "../src/edit_result.js";
import { HOW, PARTS, POSITIONS } from "../src/edits.js";
import { EXEMPLAR_OVERLAYS } from "../src/heatmap.js";
import { TABS } from "../src/explorer.js";
import { NO_KERNEL } from "../src/inspector/source.js";
import { NOT_IN_PAGE } from "../src/inspector/store.js";
import { ABSENT } from "../src/page_source.js";
import { NO_MODEL } from "../src/source.js";
import { MATCHES } from "../src/search.js";
import { EXAMPLES, SORTS } from "../src/state.js";
import { texts } from "./scan.js";

// labels of scores and notes on maps, which Python sends
const PYTHON = [
  "This study has no logits: it is of an earlier version. Make it again for them.",
  "Near: images of like concepts (principal components).",
  "Near: concepts of like images (scaling of correlations).",
  "Reconstruction error",
  "random words",
  "Word overlap",
  "Images per concept",
  "Naming of known factors",
  "mean and covariance of the concepts (random rotation) or the values of every coordinate (exchange); the stricter counts",
  "mean and covariance of the activations (random rotation) or the activations themselves (other samples); the stricter counts",
  "the distribution of the states; nothing is learnt",
  "random direction, same length: preserves the length of the change of the state at every position",
  "random words: preserves the number of words, the word filter and the exemplars; token alone: preserves the word that all samples share, as a list of one word, and the exemplars",
  "placebo image: preserves the model, the question, the response and the positions; the image is an unrelated one",
  "image without content: preserves the model, the question, the response, and the size of the image: its negative mixed with noise",
  "random sub-tokens: preserves the parts, the frozen norms and the kind of the quantity; the words are random",
  "other sources: preserves the number of sources that are cut, the targets and the layers; the sources are others",
  "random order: preserves the patches, their number at every step and the baseline; their order is random",
  "words of the dictionary: preserves the number of words, the vocabulary of the dictionary and the exemplars; token alone: preserves the word that all samples share, as a list of one word, and the exemplars",
];
const READING = readdirSync(new URL("../../", import.meta.url)) // how to read a page, which Python writes
  .filter((f) => f.endsWith(".py"))
  .flatMap(
    (f) =>
      readFileSync(new URL(`../../${f}`, import.meta.url), "utf8").match(/(?<=\breading = )(\([^)]*\)|".+")/g) ?? [],
  )
  .map((text) => [...text.matchAll(/"([^"]*)"/g)].map(([, part]) => part).join(""))
  .filter(Boolean);
const live = readFileSync(new URL("../../../live/inspector_instruments.py", import.meta.url), "utf8");
const INSTRUMENTS = [...live.matchAll(/Instrument\(\s+"\w+",\s+"([^"]+)",\s+"([^"]+)",/g)].flatMap(
  ([, ...texts]) => texts,
);
const sources = new URL("../src/", import.meta.url);
const files = readdirSync(sources, { recursive: true }).filter((f) => f.endsWith(".js"));
const TABLE = Object.fromEntries(Object.entries(CHINESE).map(([text, words]) => [shortKey(text), words]));
const isTranslated = (text) => text in CHINESE;

test("every text of the views has a Chinese translation", () => {
  const found = files.flatMap((f) => texts(readFileSync(new URL(f, sources), "utf8")));
  assert.ok(found.length > 100);
  assert.deepEqual(
    found.filter((text) => !isTranslated(text)),
    [],
  );
  assert.deepEqual(
    [
      EXAMPLES,
      MATCHES,
      SORTS,
      EXEMPLAR_OVERLAYS,
      HOW,
      PARTS,
      POSITIONS,
      [STOPS],
      [ABSENT, GONE, NO_KERNEL, NO_MODEL, NOT_IN_PAGE, SILENT],
      Object.values(TABS).map(([text]) => text),
    ]
      .flatMap(Object.values)
      .filter((text) => !isTranslated(text)),
    [],
  );
  assert.ok(INSTRUMENTS.length >= 24);
  assert.deepEqual(
    INSTRUMENTS.filter((text) => !isTranslated(text)),
    [],
  );
  assert.ok(
    READING.length >= 6 && READING.every((text) => isTranslated(text)),
    String(READING.filter((text) => !isTranslated(text))),
  );
});

test("values go where the language wants them, and are never read as text to translate", () => {
  const zh = translator(TABLE),
    en = translator();
  assert.equal(zh`ablate concept ${3}, ${"{0} Close"}, at layer ${4}`, "在第 4 层消融概念 3（{0} Close）");
  assert.equal(en`ablate concept ${3}, ${"snow"}, at layer ${4}`, "ablate concept 3, snow, at layer 4");
  assert.equal(en`${1} concepts`, "1 concept");
  assert.equal(en`${"1 images"} · ${11} images · ${1} concepts by ${"x"}`, "1 images · 11 images · 1 concept by x");
  assert.equal(translate(zh, "random words"), "随机词");
  assert.equal(translate(zh, "not in the list"), "not in the list");
});

test("no translation is left over", () => {
  const other = files.filter((f) => !f.startsWith("chinese"));
  const code = other.map((f) => readFileSync(new URL(f, sources), "utf8"));
  const used = new Set(code.flatMap(texts));
  const quoted = (text) =>
    code.some((source) => source.includes(`"${text}"`)) || [...PYTHON, ...READING, ...INSTRUMENTS].includes(text);
  assert.deepEqual(
    Object.keys(CHINESE).filter((text) => text && !used.has(text) && !quoted(text) && !/^[a-z]+$/.test(text)),
    [],
  );
});

test("the scanner finds nested templates and leaves others alone", () => {
  assert.deepEqual(texts("a(t`x ${f(`y ${t`z`}`)} w`); b`no`; // t`comment`\n"), ["z", "x {0} w"]);
  assert.deepEqual(texts("f(\"image/*\", t`y`); g('`', t`z`);"), ["y", "z"]);
});

test("a page in Chinese says so, whatever the region", () => {
  assert.deepEqual(["zh", "zh-CN", "ZH-tw", "en-GB", "fr"].map(language), [
    "zh-Hans",
    "zh-Hans",
    "zh-Hans",
    "en",
    "en",
  ]);
});

test("control characters and lone surrogates are shown as replacement marks", () => {
  assert.equal(visible("a\u0000\u0007\u007f\u0085\ud800b\t\n🍣\u202e"), "a\ufffd\ufffd\ufffd\ufffd\ufffdb\t\n🍣\u202e");
  assert.equal(translator()`Image ${"\u0007"}`, "Image \ufffd");
});

test("a number that is undefined is a dash", () => {
  for (const value of [null, NaN, Infinity, -Infinity])
    assert.deepEqual([format(value), signed(value), percent(value)], ["—", "—", "—"]);
  assert.deepEqual([format(1), signed(-1), percent(0), percent(0.05)], ["1.00", "−1.00", "0%", "5.0%"]);
});
