// @ts-check
/** Where bulk data comes from: a kernel, by request id; or the page itself, when it was exported. */

import { floats } from "./state.js";

export const GONE = "The kernel that this view belongs to is gone: it no longer hears of what you do here. Run the cell again.";
export const ABSENT = "The page does not have this for this picture and layer, only for exemplars.";
export const SILENT = "The kernel did not answer. Is it running?";
const TIMEOUT = 60_000;
const ANSWERS = 64; // about words, of pictures and layers
const KEEP = 150; // strips kept before those that were shown longest ago are let go: eight tiles each, 60 MB when decoded
const MAPS = 600; // pictures of which the maps are kept
let last = Math.floor(Math.random() * 2 ** 48); // the last request's id: every view of a widget hears all answers, in every window

/**
 * Wait until the browser has decoded a picture: a card below the fold then shows it in its first frame, not a grey box.
 * @param {string} url
 */
async function decoded(url) {
  const image = new Image();
  image.src = url;
  await image.decode().catch(() => {}); // a picture that cannot be decoded stays a grey box
}

/**
 * Ask Python; every request has an id of its own, so late answers find their asker.
 * @param {import("./types.js").Model} model @returns {import("./types.js").Source}
 */
export function kernelSource(model) {
  /** @type {Map<number, { resolve(v: any): void, reject(e: Error): void, timer?: number, progress?(done: number, total: number): void }>} */
  const waiting = new Map();
  /** @type {Map<number, import("./types.js").Thumb>} */
  const thumbs = new Map();
  /** @type {Map<number, Promise<any>>} */
  const layers = new Map();
  /** @type {Set<string>} */
  const urls = new Set();

  /** Who asked; it waits no longer. @param {number} id */
  const asker = (id) => {
    const found = waiting.get(id);
    waiting.delete(id);
    clearTimeout(found?.timer);
    return found;
  };
  const receive = (/** @type {any} */ message, /** @type {DataView[]} */ buffers) => {
    if (message?.kind === "progress") waiting.get(message.id)?.progress?.(message.done, message.total);
    if (message?.kind !== "reply") return;
    if (message.error) asker(message.id)?.reject(new Error(message.error));
    else asker(message.id)?.resolve({ data: message.data, buffers: buffers ?? [] });
  };
  model.on("msg:custom", receive);

  /** @param {number} id @param {any} message @param {ArrayBuffer[]} [buffers] */
  function send(id, message, buffers) {
    try {
      model.send(message, undefined, buffers);
    } catch {
      asker(id)?.reject(new Error(GONE));
    }
  }

  /** @param {string} op @param {Record<string, any>} args @returns {Promise<{ data: any, buffers: DataView[] }>} */
  const request = (op, args) =>
    new Promise((resolve, reject) => {
      const id = ++last;
      const timer = window.setTimeout(() => waiting.delete(id) && reject(new Error(SILENT)), TIMEOUT);
      waiting.set(id, { resolve, reject, timer });
      send(id, { kind: "request", id, op, args });
    });
  /** @type {NonNullable<import("./types.js").Source["job"]>} */
  const job = (op, args, progress, buffers) => {
    const id = ++last;
    const answer = new Promise((resolve, reject) => {
      waiting.set(id, { resolve: ({ data, buffers }) => resolve(buffers.length ? { ...data, bytes: pixels(buffers[0]) } : data), reject, progress });
      send(id, { kind: "request", id, op, args }, buffers);
    });
    return { answer, cancel: () => send(id, { kind: "cancel", id }) };
  };
  const blob = (/** @type {DataView} */ raw) => {
    const url = URL.createObjectURL(new Blob([/** @type {any} */ (raw)], { type: "image/jpeg" }));
    urls.add(url);
    return url;
  };

  /** @type {Map<string, Promise<any>>} */
  const maps = new Map();
  const live = Boolean(model.get("_meta").live);

  /** @type {Map<string, Promise<any>>} */
  const answers = new Map();

  /** The activations of a layer come in parts. @param {number} layer @returns {Promise<import("./types.js").Activations>} */
  async function whole(layer) {
    let found = null, at = 0;
    do {
      const { data: { shape: [n, k] }, buffers } = await request("activations", { layer, start: at });
      found ??= { nConcepts: k, values: new Float32Array(n * k), rest: new Float32Array(n) };
      found.values.set(floats(buffers[0]), at * k);
      found.rest.set(floats(buffers[1]), at);
      at += floats(buffers[1]).length;
    } while (at < found.rest.length);
    return found;
  }

  return {
    job: live ? job : null,
    asked: live ? (op, row, layer, sample) => {
      const key = `${op} ${layer}:${row}`;
      if (!answers.has(key)) {
        const { answer } = job(op, { sample, at: layer });
        answer.catch(() => answers.delete(key));
        answers.set(key, answer);
        if (answers.size > ANSWERS) answers.delete([...answers.keys()][0]);
      }
      return /** @type {Promise<any>} */ (answers.get(key));
    } : null,
    maps: live ? (row, layer, signal) => {
      const key = `${layer}:${row}`;
      if (!maps.has(key)) {
        const { answer, cancel } = job("maps", { row, at: layer });
        signal?.addEventListener("abort", cancel);
        answer.catch(() => maps.delete(key));
        maps.set(key, answer);
        if (maps.size > MAPS) maps.delete([...maps.keys()][0]);
      }
      return /** @type {Promise<any>} */ (maps.get(key));
    } : null,
    async thumbs(rows) {
      const touch = () => { for (const url of new Set(rows.map((r) => thumbs.get(r)?.url))) if (url && urls.delete(url)) urls.add(url); };
      for (let missing; (missing = rows.filter((r) => !thumbs.has(r))).length;) { // others may be let go meanwhile
        const { data, buffers } = await request("thumbs", { rows: missing });
        const url = blob(buffers[0]);
        await decoded(url);
        const count = missing.length;
        missing.forEach((row, index) => thumbs.set(row, { url, index, count, caption: data.captions[index], aspect: data.aspects[index] }));
        touch(); // before the oldest are chosen
        while (urls.size > KEEP) {
          const [oldest] = urls;
          URL.revokeObjectURL(oldest);
          urls.delete(oldest);
          for (const [row, t] of thumbs) if (t.url === oldest) thumbs.delete(row);
        }
      }
      touch();
      return new Map(rows.map((r) => [r, /** @type {import("./types.js").Thumb} */ (thumbs.get(r))]));
    },
    ids: () => request("ids", {}).then(({ data }) => data.ids),
    layer: (layer) => request("layer", { layer }).then(({ data }) => data),
    async sample(row) {
      const { data, buffers } = await request("sample", { row });
      return { facts: data, url: buffers[0]?.byteLength ? blob(buffers[0]) : null };
    },
    activations(layer) {
      if (!layers.has(layer)) {
        const coming = whole(layer);
        coming.catch(() => layers.delete(layer)); // asked for again next time
        layers.set(layer, coming);
      }
      return /** @type {Promise<any>} */ (layers.get(layer));
    },
    close() {
      model.off("msg:custom", receive);
      for (const url of urls) URL.revokeObjectURL(url);
      for (const { timer } of waiting.values()) clearTimeout(timer);
      waiting.clear();
    },
  };
}

/** @param {DataView} raw */
const pixels = (raw) => new Uint8Array(raw.buffer, raw.byteOffset, raw.byteLength);

/** @param {string} text */
const bytes = (text) => Uint8Array.from(atob(text), (c) => c.charCodeAt(0));

/**
 * Read what the exported page carries.
 * @param {{ activations: Record<string, any>, images: Record<string, string>, facts: any[], told?: Record<string, Record<string, any>> }} data
 * @returns {import("./types.js").Source}
 */
export function pageSource(data) {
  /** @type {Map<number, string>} */
  const urls = new Map();
  const url = (/** @type {number} */ row) => {
    const text = data.images[row];
    if (!urls.has(row) && text !== undefined) urls.set(row, URL.createObjectURL(new Blob([bytes(text)], { type: "image/jpeg" })));
    return urls.get(row) ?? null;
  };
  const told = (/** @type {string} */ op, /** @type {number} */ row, /** @type {number} */ layer) => {
    const found = data.told?.[op][`${layer}:${row}`];
    if (!found) throw new Error(ABSENT);
    return found;
  };
  return {
    alone: true,
    job: null,
    maps: data.told ? async (row, layer) => {
      const found = told("maps", row, layer);
      return { ...found, bytes: bytes(found.bytes) };
    } : null,
    asked: data.told ? async (op, row, layer) => told(op, row, layer) : null,
    async thumbs(rows) {
      return new Map(rows.flatMap((row) => {
        const picture = url(row);
        return picture ? [[row, { url: picture, index: 0, count: 1, caption: data.facts[row]?.caption ?? "", aspect: data.facts[row]?.aspect ?? 1 }]] : [];
      }));
    },
    ids: () => Promise.resolve([]), // they are in the page's meta data
    layer: (layer) => Promise.reject(new Error(`Layer ${layer} is not in this page.`)),
    async sample(row) {
      return { facts: data.facts[row], url: url(row) };
    },
    async activations(layer) {
      const { shape, buffers } = data.activations[layer];
      return { nConcepts: shape[1], values: floats(bytes(buffers[0])), rest: floats(bytes(buffers[1])) };
    },
    close() {
      for (const u of urls.values()) URL.revokeObjectURL(u);
    },
  };
}
