// @ts-check
/** Bulk data of a view with a kernel: thumbnails, layers and activations by request, results of live operations. */

import { Cache } from "./cache.js";
import { Channel } from "./channel.js";
import { loadPanes } from "./lazy.js";
import { MapBatches } from "./map_batches.js";
import { completed, place } from "./state.js";

const STRIPS = 150; // strips in memory, eight tiles each, 60 MB when decoded; those shown longest ago go first
const ROWS = 64; // of one strip
export const NO_MODEL = "The response to an image of yours needs the model: nbt.explore(study, model).";
const SAMPLES = 64; // images of one sample, in memory
const BULK = 64; // replies with arrays, such as maps, in memory
const RESULTS = 600; // of each live operation

/**
 * Wait until the browser has decoded an image: a card below the fold then shows it in its first frame, not a grey box.
 * @param {string} url
 */
async function decoded(url) {
  const image = new Image();
  image.src = url;
  await image.decode().catch(() => {}); // an image that cannot be decoded stays a grey box
}

/** Thumbnails by row, in strips; the strips that were shown longest ago are released. */
class Thumbnails {
  /** @param {Channel} channel @param {(raw: DataView) => string} register @param {Set<string>} urls of all strips, oldest first */
  constructor(channel, register, urls) {
    this.channel = channel;
    this.register = register;
    this.urls = urls;
    /** @type {Map<number, import("./types.js").Thumb>} */
    this.byRow = new Map();
  }

  /** @param {number[]} rows @returns {Promise<Map<number, import("./types.js").Thumb>>} */
  async get(rows) {
    // while a strip is on its way, others may be released
    for (let missing; (missing = rows.filter((r) => !this.byRow.has(r))).length; ) {
      await this.fetch(missing.slice(0, ROWS));
      this.touch(rows); // before the oldest are chosen
      this.release();
    }
    this.touch(rows);
    return new Map(rows.map((r) => [r, /** @type {import("./types.js").Thumb} */ (this.byRow.get(r))]));
  }

  /** @param {number[]} rows */
  async fetch(rows) {
    const { data, buffers } = await this.channel.request("thumbs", { rows });
    const url = this.register(buffers[0]);
    await decoded(url);
    rows.forEach((row, index) => {
      const [caption, aspect] = [data.captions[index], data.aspects[index]];
      this.byRow.set(row, { url, index, count: rows.length, caption, aspect });
    });
  }

  /** @param {number[]} rows */
  touch(rows) {
    for (const url of new Set(rows.map((r) => this.byRow.get(r)?.url))) {
      if (url && this.urls.delete(url)) this.urls.add(url);
    }
  }

  release() {
    while (this.urls.size > STRIPS) {
      const [oldest] = this.urls;
      URL.revokeObjectURL(oldest);
      this.urls.delete(oldest);
      for (const [row, thumb] of this.byRow) if (thumb.url === oldest) this.byRow.delete(row);
    }
  }
}

/**
 * Activations of a layer, which come in parts.
 * @param {Channel} channel @param {number} layer
 * @returns {Promise<import("./types.js").Activations>}
 */
async function activationsOf(channel, layer) {
  /** @type {import("./types.js").Activations | null} */
  let all = null;
  let at = 0;
  do {
    const { data, buffers } = await channel.request("activations", { layer, start: at });
    const [n, k] = data.shape;
    all ??= { nConcepts: k, values: new Float32Array(n * k), rest: new Float32Array(n) };
    at = place(all, at, buffers);
  } while (at < all.rest.length);
  return all;
}

/** Matches of the concepts of two layers. @param {Channel} channel @param {number} layer @param {number} other */
const matchesOf = (channel, layer, other) => channel.request("matches", { layer, other }).then(({ data }) => data);

/**
 * Results of live operations on one image, each computed once.
 * @param {Channel} channel
 * @returns {NonNullable<import("./types.js").Source["ask"]>}
 */
function asker(channel) {
  /** @type {Map<string, Cache<any>>} */
  const results = new Map();
  const batches = new MapBatches((...question) => channel.job(...question));
  return async (op, { sample, layer, concept, many }, signal) => {
    if (!results.has(op)) results.set(op, new Cache(RESULTS));
    if (many && concept !== undefined) {
      const key = many === "part" ? `${layer}:${sample}:${concept}` : `${layer}:${sample}`;
      const of = { sample, layer, concept };
      return /** @type {Cache<any>} */ (results.get(op)).get(key, () => batches.get(of, signal), signal);
    }
    const get = (/** @type {string} */ key, /** @type {object} */ which) =>
      /** @type {Cache<any>} */ (results.get(op)).get(
        key,
        () => {
          const { result, cancel } = channel.job(op, { sample, at: layer, ...which });
          signal?.addEventListener("abort", cancel);
          return result.then(completed);
        },
        signal,
      );
    const result = await get(`${layer}:${sample}`, {});
    const absent = concept !== undefined && result.slots && !result.slots.has(concept); // of a large dictionary
    return absent ? get(`${layer}:${sample}:${concept}`, { concept }) : result;
  };
}

/**
 * The data of a view whose kernel answers.
 * @param {import("./types.js").Model} model
 * @returns {import("./types.js").StudySource}
 */
export function kernelSource(model) {
  const channel = new Channel(model);
  const live = Boolean(model.get("_meta").live);
  /** @type {Set<string>} */
  const urls = new Set();
  const jpeg = (/** @type {DataView} */ raw) =>
    URL.createObjectURL(new Blob([/** @type {any} */ (raw)], { type: "image/jpeg" }));
  const register = (/** @type {DataView} */ raw) => {
    const url = jpeg(raw);
    urls.add(url);
    return url;
  };
  const thumbnails = new Thumbnails(channel, register, urls);
  const layers = new Cache();
  /** @type {string[]} */
  const photos = [];
  const described = (/** @type {string} */ sample, /** @type {number} */ at) =>
    channel.job("photograph", { sample, at }).result;
  /** @type {Cache<{ facts: any, url: string | null }>} */
  const samples = new Cache(SAMPLES, ({ url }) => url && URL.revokeObjectURL(url));
  const bulk = new Cache(BULK);
  const matches = new Cache();
  return {
    described: live ? described : () => Promise.reject(new Error(NO_MODEL)),
    async photo(sample) {
      const { data, buffers } = await channel.request("photo", { sample });
      photos.push(jpeg(buffers[0]));
      return { url: photos[photos.length - 1], aspect: data.aspect };
    },
    ask: live ? asker(channel) : null,
    job: live ? (...question) => channel.job(...question) : null,
    thumbs: (rows) => thumbnails.get(rows),
    ids: () => channel.request("ids", {}).then(({ data }) => data.ids),
    threads: () => channel.request("threads", {}).then(({ data }) => data),
    matches: (layer, other) => matches.get(`${layer}:${other}`, () => matchesOf(channel, layer, other)),
    panes: () => loadPanes(() => channel.request("panes", {}).then(({ data }) => data.code)),
    texts: () => channel.request("texts", {}).then(({ data }) => data),
    layer: (layer, op = "layer", which = {}) => channel.request(op, { layer, ...which }).then(({ data }) => data),
    bulk: (op, args) => bulk.get(`${op} ${Object.values(args)}`, () => channel.request(op, args)),
    activations: (layer) => layers.get(layer, () => activationsOf(channel, layer)),
    sample: (row) =>
      samples.get(row, async () => {
        const { data, buffers } = await channel.request("sample", { row });
        return { facts: data, url: buffers[0]?.byteLength ? jpeg(buffers[0]) : null };
      }),
    close() {
      channel.close();
      for (const sample of samples.entries.values()) sample.then(samples.drop, () => {});
      for (const url of [...urls, ...photos]) URL.revokeObjectURL(url);
    },
  };
}
