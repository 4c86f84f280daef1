// @ts-check
/** The data of a study as the panes read it: what the opening message lacks is requested, layer by layer. */

import { photoSource, withPhotos } from "./photo_source.js";
import { onChange } from "./dom.js";

const EAGER = 6; // concepts of a layer whose images are there before it is selected

export class StudyData {
  /**
   * @param {import("./types.js").Model} model @param {import("./types.js").StudySource} source @param {AbortSignal} signal
   */
  constructor(model, source, signal) {
    this.model = model;
    this.signal = signal;
    /** @type {any} */
    this.meta = complete(model.get("_meta"));
    this.source = photoSource(source, this.meta);
    this.photograph();
    onChange({ model, signal }, ["photos", "sample"], () => this.photograph()); // before the panes
    /** @type {Map<number, Promise<void>>} */
    this.requests = new Map();
    /** @type {Promise<void> | undefined} */
    this.idsRequest = undefined;
  }

  /** Whether the concepts of a layer are there. @param {number} layer */
  has(layer) {
    const { concepts, samples } = this.meta;
    return concepts === undefined || Boolean(samples && String(layer) in concepts);
  }

  /** @param {number} layer @returns {Promise<void>} */
  fetch(layer) {
    const pending = this.requests.get(layer);
    if (pending) return pending;
    const request = Promise.all([this.samples(), this.source.layer(layer)])
      .then(([, content]) => this.add(layer, content))
      .catch((error) => {
        this.requests.delete(layer);
        throw error;
      });
    this.requests.set(layer, request);
    return request;
  }

  /** Ids of the samples; their captions come with the layers. */
  samples() {
    if (this.meta.samples) return Promise.resolve();
    this.idsRequest ??= this.source.ids().then((ids) => {
      this.meta.samples = ids.map((id) => ({ id, caption: "" }));
      this.photograph();
    });
    return this.idsRequest;
  }

  /** Have the reader's photographs among the samples. */
  photograph() {
    const { meta } = this;
    if (!meta.samples) return;
    meta.n_samples ??= meta.samples.length;
    withPhotos(meta, this.model.get("photos") ?? []);
  }

  /** @param {number} layer @param {{ concepts: import("./types.js").Concept[], captions: Record<string, string> }} content */
  add(layer, content) {
    const { concepts } = this.meta;
    concepts[String(layer)] = spread(content.concepts, concepts[String(layer)]);
    for (const [row, caption] of Object.entries(content.captions)) this.meta.samples[Number(row)].caption = caption;
  }

  /**
   * Fetch concepts of a large dictionary that are not there: some of the selected layer, or those that match a search.
   * @param {number[] | string} which @returns {Promise<boolean>} whether any came
   */
  async more(which) {
    const layer = this.model.get("layer");
    /** @type {import("./types.js").Concept[]} */
    const all = this.meta.concepts[String(layer)];
    const search = typeof which === "string";
    const numbers = search ? [] : which.filter((k) => all[k]?.absent);
    if (this.source.alone || (search ? !which || !all.some((c) => c.absent) : !numbers.length)) return false;
    const content = await (search
      ? this.source.layer(layer, "search", { query: which })
      : this.source.layer(layer, "concepts", { numbers }));
    this.add(layer, content);
    return true;
  }

  /** Fetch the threads. @returns {Promise<boolean>} whether they came now */
  async follow() {
    if (this.meta.threads || this.meta.concepts === undefined) return false;
    this.meta.threads = await this.source.threads();
    return true;
  }

  /** Fetch all layers. @returns {Promise<any>} */
  every() {
    const layers = /** @type {number[]} */ (this.meta.layers);
    return Promise.all(layers.filter((layer) => !this.has(layer)).map((layer) => this.fetch(layer)));
  }

  /** Fetch the other layers, the nearest first, one at a time: the slider then has their words at once, and the next layers their images. */
  async prefetch() {
    const distance = (/** @type {number} */ layer) => Math.abs(layer - this.model.get("layer"));
    const missing = (this.meta.layers ?? []).filter((/** @type {number} */ layer) => !this.has(layer));
    while (missing.length && !this.signal.aborted) {
      missing.sort((/** @type {number} */ a, /** @type {number} */ b) => distance(b) - distance(a));
      try {
        await this.fetch(missing.pop());
      } catch {
        return; // it is requested again when it is selected, and reported then
      }
    }
  }

  /** Fetch the images of the first concepts of the layers beside the selected one: a step of the slider then shows no grey boxes. */
  async ahead() {
    const { concepts, layers, pictured } = this.meta;
    if (this.source.alone || !pictured || !layers) return;
    const at = layers.indexOf(this.model.get("layer"));
    for (const layer of [layers[at + 1], layers[at - 1]]) {
      for (const { exemplars } of concepts[String(layer)]?.slice(0, EAGER) ?? []) {
        if (this.signal.aborted || layers[at] !== this.model.get("layer")) return;
        if (exemplars.length) await this.source.thumbs([...new Set(/** @type {number[]} */ (exemplars))]);
      }
    }
  }
}

/** In place of a concept that was not sent. */
const ABSENT = {
  words: [],
  exemplars: [],
  values: [],
  share: 0,
  histogram: [],
  active: 0,
  clip_score: null,
  clip_null: null,
  twin: null,
  absent: true,
};

/**
 * Concepts by their number, where only some were sent.
 * @param {import("./types.js").Concept[]} some @param {import("./types.js").Concept[]} [before] those that are there
 * @returns {import("./types.js").Concept[]}
 */
export function spread(some, before) {
  if (some[0]?.n === undefined) return before ?? some;
  const all = before ?? Array(some[0].n).fill(ABSENT);
  for (const concept of some) all[Number(concept.k)] = concept;
  return all;
}

/** @param {any} meta @returns {any} */
function complete(meta) {
  // of a comparison
  const sides = meta.sides?.map((/** @type {any} */ side) => ({ ...side, concepts: spread(side.concepts) }));
  if (sides) return { ...meta, sides };
  const samples = meta.ids?.map((/** @type {string} */ id, /** @type {number} */ i) => ({
    id,
    caption: meta.captions[i] ?? "",
  }));
  const layers = Object.entries(meta.concepts).map(([layer, some]) => [layer, spread(some)]);
  return { ...meta, concepts: Object.fromEntries(layers), samples };
}
