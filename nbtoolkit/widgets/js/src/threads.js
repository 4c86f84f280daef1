// @ts-check
/** Threads: concepts that are followed through the layers (nbtoolkit/metrics/across_layers.py); their names and colours. */

/** Of Okabe and Ito, then Tol: distinct for all kinds of colour vision. */
export const COLOURS = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#aa4499", "#999933"];

/**
 * @typedef {object} Threads
 * @property {Record<string, number[]>} of per layer, the thread of each concept; -1 without one
 * @property {Record<string, (number | null)[]>} similarity with the same thread in the layer before; null where it begins
 * @property {Record<string, number | null>} nulls of the matching with the layer before
 * @property {number[]} [colours] of each thread, as numbers of the palette
 * @property {string | null} reason why there are none
 */

/**
 * Thread of a concept. @param {Threads | undefined} threads @param {number | null} k @param {number} layer
 * @returns {number | null} null without one
 */
export function threadOf(threads, k, layer) {
  const thread = k === null ? undefined : threads?.of[layer]?.[k];
  return thread === undefined || thread < 0 ? null : thread;
}

/**
 * Concept of a thread in a layer. @param {Threads | undefined} threads @param {number | null} thread @param {number} layer
 * @returns {number | null} null without one
 */
export function memberOf(threads, thread, layer) {
  const k = thread === null ? -1 : (threads?.of[layer]?.indexOf(thread) ?? -1);
  return k < 0 ? null : k;
}

/**
 * Keys of the concepts of a thread, `layer:concept`: of the given layer first, then the nearest.
 * @param {Threads | undefined} threads @param {number} k @param {number} layer
 * @returns {string[]} at least that of the concept itself
 */
export function keysOf(threads, k, layer) {
  const thread = threadOf(threads, k, layer);
  if (thread === null || !threads) return [`${layer}:${k}`];
  const layers = Object.keys(threads.of).map(Number);
  return layers
    .sort((a, b) => Math.abs(a - layer) - Math.abs(b - layer) || a - b)
    .flatMap((at) => {
      const member = memberOf(threads, thread, at);
      return member === null ? [] : [`${at}:${member}`];
    });
}

/**
 * Traits that are set, and what follows: the member of the thread in another layer, the thread of another concept.
 * @param {Threads | undefined} threads @param {(trait: string) => any} get @param {Record<string, any>} values
 * @returns {Record<string, any>}
 */
export function followed(threads, get, values) {
  if (!threads || threads.reason) return values;
  const { layer = get("layer"), concept, thread } = values;
  if (concept !== undefined)
    return concept === null ? values : { ...values, thread: threadOf(threads, concept, layer) };
  if (thread === undefined && layer === get("layer")) return values;
  const now = thread ?? get("thread") ?? threadOf(threads, get("concept"), get("layer"));
  return { ...values, thread: now, concept: memberOf(threads, now, layer) };
}
