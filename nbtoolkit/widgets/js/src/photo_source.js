// @ts-check
/** The source of a view's panes: that of the study, and after its rows the photographs of the reader. */

import { Cache } from "./cache.js";
import { floats } from "./state.js";

const RESULTS = 200; // photographs at layers that are held

/** @typedef {{ caption: string, pieces: string[], position: number | null, unexplained: number | null, bytes?: Uint8Array }} Described the response to a photograph, and its activations at one layer */
/** @typedef {{ id: string, name: string, given: boolean }} Photo an entry of the trait `photos` */

/**
 * The samples with the photographs after those of the study.
 * @param {any} meta @param {Photo[]} photos
 */
export function withPhotos(meta, photos) {
  const own = new Map(meta.samples.slice(meta.n_samples).map((/** @type {any} */ s) => [s.id, s]));
  const entries = photos.map(({ id, name, given }) => own.get(id) ?? { id, caption: "", own: true, name, given });
  meta.samples.splice(meta.n_samples, Infinity, ...entries);
}

/**
 * A source that knows photographs, too.
 * @param {import("./types.js").StudySource} source @param {any} meta
 * @returns {import("./types.js").Source}
 */
export function photoSource(source, meta) {
  /** @type {Cache<{ url: string, aspect: number }>} */
  const images = new Cache();
  /** @type {Cache<Described>} */
  const results = new Cache(RESULTS);
  const photo = (/** @type {number} */ row) => (row < meta.n_samples ? undefined : meta.samples[row]);
  const image = (/** @type {string} */ id) => images.get(id, () => source.photo(id));
  return {
    ...source,
    async thumbs(rows) {
      const thumbs = await source.thumbs(rows.filter((row) => !photo(row)));
      for (const row of rows.filter(photo)) {
        thumbs.set(row, { ...(await image(photo(row).id)), index: 0, count: 1, caption: photo(row).name });
      }
      return thumbs;
    },
    async sample(row) {
      const own = photo(row);
      if (!own) return source.sample(row);
      const { url, aspect } = await image(own.id);
      return { facts: factsOf(own, aspect), url };
    },
    async ofRow(row, layer) {
      const own = photo(row);
      if (!own) return { activations: await source.activations(layer), at: row };
      const result = await results.get(`${layer}:${own.id}`, () => source.described(own.id, layer));
      const { pieces, position, unexplained, caption } = result;
      own.caption = caption;
      const values = floats(result.bytes ?? new Uint8Array());
      const rest = new Float32Array([unexplained ?? NaN]);
      const facts = { ...factsOf(own, (await image(own.id)).aspect), pieces, position: position ?? -1 };
      return { activations: { nConcepts: values.length, values, rest }, at: 0, facts };
    },
  };
}

/** @param {any} own @param {number} aspect @returns {import("./types.js").Facts} */
const factsOf = ({ id, caption, name, given }, aspect) => ({
  id,
  caption: caption || name,
  captions: [],
  pieces: [],
  position: -1,
  pictured: true,
  aspect,
  given,
});
