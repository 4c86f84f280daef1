import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import test from "node:test";

import { isTranslated, translate, translator } from "../src/words.js";
import { MODES, ORDERS } from "../src/state.js";
import { ABSENT, GONE, SILENT } from "../src/source.js";
import { OVERLAYS } from "../src/overlay.js";
import { texts } from "./scan.js";

const sources = new URL("../src/", import.meta.url);

test("every text of the views has a Chinese translation", () => {
  const found = readdirSync(sources).filter((f) => f.endsWith(".js")).flatMap((f) => texts(readFileSync(new URL(f, sources), "utf8")));
  assert.ok(found.length > 100);
  assert.deepEqual(found.filter((text) => !isTranslated(text)), []);
  assert.deepEqual([MODES, ORDERS, OVERLAYS, [ABSENT, GONE, SILENT]].flatMap(Object.values).filter((text) => !isTranslated(text)), []);
});

test("values go where the language wants them, and are never read as text to translate", () => {
  const zh = translator("zh-CN"), en = translator("en-GB");
  assert.equal(zh`take concept ${3}, ${"{0} Close"}, out of layer ${4}`, "从第 4 层移除概念 3（{0} Close）");
  assert.equal(en`take concept ${3}, ${"snow"}, out of layer ${4}`, "take concept 3, snow, out of layer 4");
  assert.equal(en`${1} concepts`, "1 concept");
  assert.equal(en`${"1 pictures"} · ${11} pictures · ${1} concepts by ${"x"}`, "1 pictures · 11 pictures · 1 concept by x");
  assert.equal(translate(zh, "random words"), "随机词");
  assert.equal(translate(zh, "not in the list"), "not in the list");
});

test("the scanner finds nested templates and leaves others alone", () => {
  assert.deepEqual(texts("a(t`x ${f(`y ${t`z`}`)} w`); b`no`; // t`comment`\n"), ["z", "x {0} w"]);
});
