// @ts-check
/** Bulk data of an exported page: everything is in it. */

import { NO_MODEL } from "./source.js";
import * as PANES from "./panes.js";
import { completed, place } from "./state.js";

export const ABSENT = "This page has it only for exemplars.";
export const NEIGHBOURS = "This page has only matches of neighbouring layers.";

/** @typedef {{ activations: Record<string, any>, images: Record<string, string>, facts: any[], photos: Record<string, any>, bulk?: Record<string, Record<number, any>>, matches?: Record<string, any>, results?: Record<string, Record<string, any>>, texts: Record<string, string> }} PageData */

/** @param {string} text */
function bytes(text) {
  const raw = atob(text);
  const out = new Uint8Array(raw.length);
  for (let i = 0; i < raw.length; i++) out[i] = raw.charCodeAt(i); // several times as fast as Uint8Array.from
  return out;
}

/** Object URLs of images, made when they are shown. */
class Images {
  /** @param {Record<string, string>} images by row or id, as base64 */
  constructor(images) {
    this.images = images;
    /** @type {Map<number | string, string>} */
    this.urls = new Map();
  }

  /** @param {number | string} row @returns {string | null} */
  url(row) {
    const text = this.images[row];
    if (!this.urls.has(row) && text !== undefined) {
      this.urls.set(row, URL.createObjectURL(new Blob([bytes(text)], { type: "image/jpeg" })));
    }
    return this.urls.get(row) ?? null;
  }

  close() {
    for (const url of this.urls.values()) URL.revokeObjectURL(url);
  }
}

/** @param {PageData} data @returns {NonNullable<import("./types.js").Source["ask"]>} */
function asker(data) {
  return async (op, { row, sample, layer, concept }) => {
    const own = sample in data.photos;
    const result = data.results?.[op]?.[`${layer}:${own ? sample : row}`];
    if (!result) throw new Error(ABSENT);
    const whole = completed(result);
    if (concept !== undefined && whole.slots && !whole.slots.has(concept)) throw new Error(ABSENT);
    return typeof whole.bytes === "string" ? { ...whole, bytes: bytes(whole.bytes) } : whole;
  };
}

/**
 * The data of a page without a kernel.
 * @param {PageData} data
 * @returns {import("./types.js").StudySource & { url(row: number): string | null }} `url` of an image
 */
export function pageSource(data) {
  const images = new Images(data.images);
  const photos = new Images(
    Object.fromEntries(Object.entries(data.photos ?? {}).map(([id, { image }]) => [id, image])),
  );
  const thumb = (/** @type {number} */ row, /** @type {string} */ url) => {
    const facts = data.facts[row];
    return { url, index: 0, count: 1, caption: facts?.caption ?? "", aspect: facts?.aspect ?? 1 };
  };
  return {
    alone: true,
    url: (row) => images.url(row),
    job: null,
    ask: data.results ? asker(data) : null,
    holds: (op) => Boolean(data.results?.[op]),
    async thumbs(rows) {
      const pairs = rows.map((row) => /** @type {[number, string | null]} */ ([row, images.url(row)]));
      return new Map(pairs.flatMap(([row, url]) => (url ? [[row, thumb(row, url)]] : [])));
    },
    ids: () => Promise.resolve([]), // they are in the page's meta data
    threads: () => Promise.reject(new Error("no threads")), // they are in the page's meta data
    async matches(layer, other) {
      const result = data.matches?.[`${layer}:${other}`];
      if (!result) throw new Error(NEIGHBOURS);
      return result;
    },
    panes: () => Promise.resolve(PANES),
    texts: () => Promise.resolve(data.texts),
    layer: (layer) => Promise.reject(new Error(`Layer ${layer} is not in this page.`)),
    photo: (id) => Promise.resolve({ url: photos.url(id) ?? "", aspect: data.photos[id].aspect }),
    async described(id, layer) {
      const result = data.photos[id].layers[layer];
      if (!result) throw new Error(NO_MODEL);
      return { ...result, bytes: bytes(result.bytes) };
    },
    async sample(row) {
      return { facts: data.facts[row], url: images.url(row) };
    },
    async bulk(op, { layer = 0 }) {
      const reply = data.bulk?.[op]?.[layer];
      if (!reply) throw new Error(`Layer ${layer} is not in this page.`);
      return { data: reply, buffers: reply.buffers.map(bytes) };
    },
    async activations(layer) {
      const { shape, buffers } = data.activations[layer];
      const [n, k] = shape;
      const all = { nConcepts: k, values: new Float32Array(n * k), rest: new Float32Array(n) };
      place(all, 0, buffers.map(bytes));
      return all;
    },
    close: () => [images, photos].forEach((some) => some.close()),
  };
}
