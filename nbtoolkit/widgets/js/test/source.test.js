import assert from "node:assert/strict";
import { test } from "node:test";
import widget from "../src/main.js";
import { GONE } from "../src/channel.js";
import { kernelSource } from "../src/source.js";

globalThis.window = globalThis;

/** A model that keeps what is sent, and tells everything that hears it what the kernel says, as ipywidgets does. */
function fakeModel() {
  const sent = [],
    heard = new Set();
  return {
    sent,
    get: () => ({ live: true }),
    on: (_, f) => heard.add(f),
    off: (_, f) => heard.delete(f),
    send: (m) => sent.push(m),
    say: (m, buffers = []) => heard.forEach((f) => f(m, buffers)),
  };
}

test("an answer reaches the view that asked, and no other view of the same widget", async () => {
  const model = fakeModel(),
    a = kernelSource(model),
    b = kernelSource(model);
  const answers = [a.layer(1), b.layer(2), a.layer(3)];
  for (const { id, args } of model.sent.toReversed()) model.say({ kind: "reply", id, data: args.layer });
  assert.deepEqual(await Promise.all(answers), [1, 2, 3]);
  assert.equal(new Set(model.sent.map(({ id }) => id)).size, 3);
  assert.ok(model.sent.every(({ id }) => Number.isSafeInteger(id)));
});

test("a kernel that is gone is told at once, an error of its own as it is", async () => {
  const model = fakeModel(),
    source = kernelSource(model);
  const refused = source.layer(9);
  model.say({ kind: "reply", id: model.sent[0].id, error: "LayerError: no layer 9" });
  await assert.rejects(refused, /LayerError: no layer 9/);
  model.send = () => {
    throw new Error("Cannot send");
  };
  await assert.rejects(source.layer(1), { message: GONE });
  source.close();
});

test("a closed widget, which JupyterLab keeps, keeps neither script nor study, and tells Python nothing of it", () => {
  const state = { _esm: "script", _css: "style", _meta: { token: "dog" }, layer: 3 },
    heard = {};
  const model = {
    on: (name, f) => {
      heard[name] = f;
    },
    set: (name, value, options) => {
      assert.deepEqual(options, { silent: true });
      state[name] = value;
    },
  };
  widget().initialize({ model });
  heard.destroy();
  assert.deepEqual(state, { _esm: "", _css: "", _meta: {}, layer: 3 });
});

test("activations come in parts, and are put together", async () => {
  const model = fakeModel(),
    source = kernelSource(model);
  const bytes = (...values) => new DataView(new Float32Array(values).buffer);
  model.send = ({ id, args }) => queueMicrotask(() => model.answer(id, args.start));
  model.answer = (id, start) =>
    model.say(
      { kind: "reply", id, data: { shape: [3, 2] } },
      start ? [bytes(5, 6), bytes(0.3)] : [bytes(1, 2, 3, 4), bytes(0.1, 0.2)],
    );
  const { nConcepts, values, rest } = await source.activations(4);
  assert.deepEqual(
    [nConcepts, [...values], [...rest]],
    [2, [1, 2, 3, 4, 5, 6], [...new Float32Array([0.1, 0.2, 0.3])]],
  );
});

test("many errors in one message reach each its sender", async () => {
  const model = fakeModel(),
    source = kernelSource(model);
  const requests = [source.layer(1), source.layer(2), source.layer(3)];
  const [first, second, third] = model.sent.map(({ id }) => id);
  model.say({
    kind: "replies",
    replies: [
      { id: third, error: "no layer 3" },
      { id: first, error: "no layer 1" },
      { id: 0, error: "x" },
    ],
  });
  await assert.rejects(requests[0], { message: "no layer 1" });
  await assert.rejects(requests[2], { message: "no layer 3" });
  model.say({ kind: "reply", id: second, data: 2 });
  assert.equal(await requests[1], 2);
});

test("the image of a sample is requested once, and released with the source", async () => {
  const [model, urls] = [fakeModel(), new Set()];
  const before = [URL.createObjectURL, URL.revokeObjectURL];
  Object.assign(URL, { createObjectURL: () => (urls.add("blob:1"), "blob:1"), revokeObjectURL: (u) => urls.delete(u) });
  try {
    const source = kernelSource(model);
    const replies = [source.sample(3), source.sample(3)];
    const [{ id }] = model.sent;
    model.say({ kind: "reply", id, data: { id: "c" } }, [new DataView(new ArrayBuffer(2))]);
    const [one, other] = await Promise.all(replies);
    assert.deepEqual([one, model.sent.length], [{ facts: { id: "c" }, url: "blob:1" }, 1]);
    assert.equal(other, one);
    source.close();
    await new Promise((resolve) => setTimeout(resolve));
    assert.equal(urls.size, 0);
  } finally {
    [URL.createObjectURL, URL.revokeObjectURL] = before;
  }
});
