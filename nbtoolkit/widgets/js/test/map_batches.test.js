import assert from "node:assert/strict";
import { test } from "node:test";
import { Cache } from "../src/cache.js";
import { MapBatches } from "../src/map_batches.js";

/** Batches whose requests are answered by hand. */
function batches() {
  const sent = [];
  const of = new MapBatches((op, args) => {
    const request = { op, args, cancelled: false };
    request.result = new Promise((resolve, reject) => Object.assign(request, { resolve, reject }));
    sent.push(request);
    return { result: request.result, cancel: () => (request.cancelled = true) };
  });
  return { of, sent };
}

const place = (sample, concept = 0, layer = 4) => ({ sample: String(sample), layer, concept });
const answer = ({ args }) => ({
  maps: args.samples.map((id) => ({ shape: [1, 1, 2], id })),
  bytes: Uint8Array.from(args.samples.flatMap((id) => [Number(id), 9])),
});
const settled = () => new Promise((resolve) => setTimeout(resolve));

test("images of one moment are one request of at most eight; each gets its own maps", async () => {
  const { of, sent } = batches();
  const results = [0, 1, 1, 2, 3, 4, 5, 6, 7, 8].map((i) => of.get(place(i, i % 2)));
  await settled();
  assert.deepEqual(
    sent.map(({ op, args }) => [op, args]),
    [["concept_maps_of", { samples: ["0", "1", "2", "3", "4", "5", "6"], at: 4, concepts: [0, 1] }]],
  );
  sent[0].resolve(answer(sent[0]));
  await settled();
  sent[1].resolve(answer(sent[1]));
  const maps = await Promise.all(results);
  assert.deepEqual(
    maps.map(({ id, bytes }) => [id, ...bytes]),
    [0, 1, 1, 2, 3, 4, 5, 6, 7, 8].map((i) => [String(i), i, 9]),
  );
});

test("a request is cancelled when nobody waits for it, and images out of sight are not requested", async () => {
  const { of, sent } = batches();
  const [one, other] = [new AbortController(), new AbortController()];
  const first = of.get(place(1), one.signal);
  await settled();
  const later = of.get(place(2), one.signal);
  const another = of.get(place(3, 0, 5), other.signal);
  one.abort();
  assert.equal(sent[0].cancelled, true);
  sent[0].reject(new Error("Cancelled: Stopped after 0 of 1 images."));
  await assert.rejects(first, /Cancelled/);
  await assert.rejects(later, /Cancelled/);
  await settled();
  assert.deepEqual(sent[1].args, { samples: ["3"], at: 5, concepts: [0] });
  sent[1].resolve(answer(sent[1]));
  assert.equal((await another).id, "3");
});

test("what is no longer waited for is forgotten at once, what is there stays", async () => {
  const cache = new Cache();
  const [gone, late] = [new AbortController(), new AbortController()];
  const never = new Promise((_, reject) =>
    gone.signal.addEventListener("abort", () => setTimeout(() => reject("cancelled"))),
  );
  const first = cache.get("a", () => never, gone.signal);
  gone.abort();
  const second = cache.get("a", async () => "again");
  await assert.rejects(first);
  assert.equal(await cache.get("a", async () => "third"), await second);
  assert.equal(await cache.get("b", async () => "kept", late.signal), "kept");
  await settled();
  late.abort();
  assert.equal(await cache.get("b", async () => "new"), "kept");
});

test("what goes beyond the limit of a cache is dropped, the oldest first", async () => {
  const dropped = [];
  const cache = new Cache(2, (value) => dropped.push(value));
  for (const key of ["a", "b", "a", "c", "d"]) cache.get(key, () => Promise.resolve(key));
  await settled();
  assert.deepEqual([dropped, [...cache.entries.keys()]], [["a", "b"], ["c", "d"]]); // prettier-ignore
});
