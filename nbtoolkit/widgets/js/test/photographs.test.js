import assert from "node:assert/strict";
import test from "node:test";

import { photoSource, withPhotos } from "../src/photo_source.js";

const photo = (id, given = false) => ({ id, name: `${id}.png`, given });

/** A study of two samples with one layer, and what is requested of it. */
function study() {
  const requests = [];
  const request =
    (op, answer) =>
    async (...args) => {
      requests.push([op, ...args]);
      return answer(...args);
    };
  const source = {
    thumbs: request("thumbs", (rows) => new Map(rows.map((row) => [row, { url: `study ${row}` }]))),
    sample: request("sample", (row) => ({ facts: { id: row }, url: "study" })),
    activations: request("activations", () => "all"),
    photo: request("photo", (id) => ({ url: id, aspect: 2 })),
    described: request("described", (id) => ({
      caption: `of ${id}`,
      pieces: ["a ", "dog", ""],
      position: id === "photo:b" ? null : 1,
      unexplained: 0.25,
      bytes: new Uint8Array(new Float32Array([1, 2]).buffer),
    })),
  };
  const meta = { samples: [{ id: "x" }, { id: "y" }], n_samples: 2 };
  return { meta, requests, source: photoSource(source, meta) };
}

test("photographs follow the samples of the study, and keep what is known of them", () => {
  const { meta } = study();
  withPhotos(meta, [photo("photo:a"), photo("photo:b", true)]);
  assert.deepEqual(
    meta.samples.map(({ id, own = false, given = false }) => [id, own, given]),
    [
      ["x", false, false],
      ["y", false, false],
      ["photo:a", true, false],
      ["photo:b", true, true],
    ],
  );
  const [, , , kept] = meta.samples;
  withPhotos(meta, [photo("photo:b", true)]);
  assert.equal(meta.samples[2], kept);
  withPhotos(meta, []);
  assert.equal(meta.samples.length, 2);
});

test("rows of the study are the study's, and those after them are requested by id, once per layer", async () => {
  const { meta, requests, source } = study();
  withPhotos(meta, [photo("photo:a"), photo("photo:b")]);
  assert.deepEqual(await source.ofRow(1, 4), { activations: "all", at: 1 });
  const { activations, at, facts } = await source.ofRow(2, 4);
  assert.deepEqual([[...activations.values], [...activations.rest], activations.nConcepts, at], [[1, 2], [0.25], 2, 0]);
  assert.deepEqual([facts.caption, facts.position, facts.aspect], ["of photo:a", 1, 2]);
  assert.equal(meta.samples[2].caption, "of photo:a");
  await source.ofRow(2, 4);
  await source.ofRow(2, 5);
  assert.equal(requests.filter(([op]) => op === "described").length, 2);
  assert.equal((await source.ofRow(3, 4)).facts.position, -1, "no token in the response");
  const thumbs = await source.thumbs([0, 3]);
  assert.deepEqual([thumbs.get(0).url, thumbs.get(3).url, thumbs.get(3).count], ["study 0", "photo:b", 1]);
  assert.deepEqual((await source.sample(3)).facts.id, "photo:b");
  assert.deepEqual(await source.sample(0), { facts: { id: 0 }, url: "study" });
});
