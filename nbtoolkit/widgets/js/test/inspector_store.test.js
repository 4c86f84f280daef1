import assert from "node:assert/strict";
import test from "node:test";

import { pageSource } from "../src/inspector/source.js";
import { Kept, resultOf } from "../src/inspector/results.js";
import { NOT_IN_PAGE, Store } from "../src/inspector/store.js";
import { pageModel } from "../src/page_model.js";

const instrument = (name, more = {}) => ({ name, title: name, seconds: 0.1, refused: "", of: "target", ...more });
const META = {
  compute: ["lens"],
  sides: { a: { words: ["dog", "grey"].map((key) => ({ key, text: key, refused: "" })) } },
  instruments: [
    instrument("lens"),
    instrument("attention", { seconds: 60 }),
    instrument("occlusion"),
    instrument("head", { refused: "no heads" }),
  ],
};
const REPLY = {
  data: { name: "x", arrays: { values: { dims: ["i"], shape: [1], dtype: "float32", buffer: 0 } } },
  buffers: [new DataView(Float32Array.of(2).buffer)],
};
const settled = () => new Promise((resolve) => setTimeout(resolve));

/** A store whose measurements are settled by hand. */
function open(meta = META, source = null) {
  const model = pageModel({ target: "dog", foil: "", edits: [] });
  const [asked, spoken, ending] = [[], [], new AbortController()];
  const measure = (name, key, args, progress) => {
    const job = { name, key, args, progress, cancelled: false };
    job.result = new Promise((resolve, reject) => Object.assign(job, { resolve, reject }));
    job.cancel = () => (job.cancelled = true);
    asked.push(job);
    return job;
  };
  const own = source ?? { alone: false, keys: [], measure };
  const frames = [];
  const say = (text) => spoken.push(text);
  const ctx = { model, meta, signal: ending.signal, source: own, say };
  const store = new Store(ctx, (f) => frames.push(f));
  const paint = () => frames.splice(0).forEach((f) => f());
  return { store, model, asked, spoken, ending, paint };
}

test("what is computed for every target is, what is not waits", async () => {
  const { store, asked } = open();
  assert.deepEqual(
    asked.map(({ name, key }) => [name, key]),
    [["lens", "a|dog||lens|"]],
  );
  assert.equal(store.status("lens").state, "running");
  assert.deepEqual([store.status("attention").state, store.status("attention").seconds], ["absent", 60]);
  assert.deepEqual([store.status("head").state, store.status("head").reason], ["refused", "no heads"]);
  asked[0].resolve(REPLY);
  await settled();
  assert.equal(store.get("lens").arrays.values.data[0], 2);
  store.compute("lens");
  store.compute("head");
  assert.equal(asked.length, 1); // there, and refused
});

test("the newest target wins: what runs for the last is cancelled, and kept where it comes nevertheless", async () => {
  const { store, model, asked } = open();
  store.compute("occlusion");
  model.set("target", "grey");
  model.set("foil", "black");
  await settled();
  assert.deepEqual(
    asked.map(({ key, cancelled }) => [key, cancelled]),
    [
      ["a|dog||lens|", true],
      ["a|dog||occlusion|", true],
      ["a|grey|black|lens|", false],
    ],
  );
  asked[1].resolve(REPLY);
  asked[0].reject(new Error("Cancelled: by you"));
  await settled();
  assert.equal(store.get("occlusion"), undefined);
  model.set("foil", "");
  model.set("target", "dog");
  await settled();
  assert.equal(store.get("occlusion").name, "x");
  assert.equal(store.status("lens").state, "running"); // again
});

test("listeners hear once per frame; progress is a state, an error a reason that can be tried again", async () => {
  const { store, asked, spoken, paint } = open();
  let heard = 0;
  const stop = store.on(() => heard++);
  store.compute("occlusion");
  asked[1].progress(1, 4);
  asked[1].progress(2, 4);
  paint();
  assert.equal(heard, 1);
  const { state, done, total } = store.status("occlusion");
  assert.deepEqual([state, done, total], ["running", 2, 4]);
  asked[1].reject(new Error("ModelError: no patches"));
  await settled();
  paint();
  assert.deepEqual([heard, store.status("occlusion").reason, spoken], [2, "no patches", ["Error: no patches"]]);
  store.retry("occlusion");
  assert.equal(store.status("occlusion").state, "running");
  store.cancel("occlusion");
  assert.deepEqual([asked[2].cancelled, store.status("occlusion").state], [true, "absent"]);
  stop();
  paint();
  assert.equal(heard, 2);
});

test("results of a side under edits are those of these edits", async () => {
  const { store, model, asked } = open();
  const edits = [{ op: "mask", patches: [3] }];
  model.set("edits", edits);
  store.compute("lens", { side: "edited" });
  const { args, key, resolve } = asked.at(-1);
  assert.deepEqual(
    [args.side, args.edits, key],
    ["edited", edits, `a|dog||lens|`.replace("a", "edited") + `|${JSON.stringify(edits)}`],
  );
  resolve(REPLY);
  await settled();
  assert.ok(store.get("lens", { side: "edited" }));
  model.set("edits", []);
  assert.equal(store.get("lens", { side: "edited" }), undefined);
  assert.deepEqual(store.sides(), ["a"]);
});

test("a closed view cancels what runs, and takes nothing more", async () => {
  const { store, asked, ending, model } = open();
  ending.abort();
  assert.ok(asked[0].cancelled);
  asked[0].resolve(REPLY);
  model.set("target", "grey");
  await settled();
  assert.equal(asked.length, 1);
  assert.equal(store.results.map.size, 0);
});

test("a page has what was computed, and says what it lacks", async () => {
  const buffer = Buffer.from(Float32Array.of(5).buffer).toString("base64");
  const results = { "a|dog||occlusion|": { ...REPLY.data, buffers: [buffer] } };
  const edits = { 'dog||[{"op":"mask","patches":[3]}]': { seconds: 1 } };
  const source = pageSource({ results, edits, texts: {} }, async () => ({}));
  const { store } = open(META, source);
  await settled();
  assert.equal(store.get("occlusion").arrays.values.data[0], 5);
  assert.deepEqual([store.status("lens").state, store.status("lens").reason], ["refused", NOT_IN_PAGE]);
  const ask = (patches) => store.job("edit", { edits: [{ op: "mask", patches }], target: "dog", foil: "" }).result;
  assert.deepEqual(await ask([3]), { seconds: 1 });
  await assert.rejects(ask([4]), { message: NOT_IN_PAGE });
});

test("of the results in memory those that were read longest ago go first", () => {
  const kept = new Kept(10);
  const one = () => resultOf(REPLY.data, REPLY.buffers);
  kept.set("a", one());
  kept.set("b", one());
  kept.get("a");
  kept.set("c", one());
  assert.deepEqual(
    ["a", "b", "c"].map((key) => kept.has(key)),
    [true, false, true],
  );
  assert.equal(kept.size, 8);
});
