// @ts-check
/** Maps of many images, requested together: a few at a time, so that the first come soon and few are in vain. */

import { completed } from "./state.js";

const SIZE = 8; // images per request

/**
 * @typedef {{ sample: string, layer: number, concept: number }} Place
 * @typedef {Place & { signal?: AbortSignal, resolve(maps: any): void, reject(error: unknown): void }} Waiting
 */

export class MapBatches {
  /** @param {(op: string, args: any) => import("./types.js").Job} job */
  constructor(job) {
    this.job = job;
    /** @type {Waiting[]} */
    this.queue = [];
    this.busy = false;
  }

  /** Maps over an image. @param {Place} place @param {AbortSignal} [signal] @returns {Promise<any>} */
  get(place, signal) {
    return new Promise((resolve, reject) => {
      this.queue.push({ ...place, signal, resolve, reject });
      if (!this.busy) this.work();
    });
  }

  async work() {
    this.busy = true;
    await null; // what is requested in the same moment comes in the same batch
    for (let batch; (batch = this.take()).length; ) await this.send(batch);
    this.busy = false;
  }

  /** The next images, all of one layer; those that nobody waits for any more are dropped. */
  take() {
    const here = this.queue.filter(({ signal, reject }) => {
      if (signal?.aborted) reject(new Error("Cancelled before it started."));
      return !signal?.aborted;
    });
    const batch = here.filter(({ layer }) => layer === here[0].layer).slice(0, SIZE);
    this.queue = here.filter((one) => !batch.includes(one));
    return batch;
  }

  /** @param {Waiting[]} batch */
  async send(batch) {
    const samples = [...new Set(batch.map(({ sample }) => sample))];
    const concepts = [...new Set(batch.map(({ concept }) => concept))];
    const { result, cancel } = this.job("concept_maps_of", { samples, at: batch[0].layer, concepts });
    const stop = () => batch.every(({ signal }) => signal?.aborted) && cancel();
    for (const { signal } of batch) signal?.addEventListener("abort", stop, { once: true });
    try {
      const parts = split(await result);
      for (const { sample, resolve } of batch) resolve(parts[samples.indexOf(sample)]);
    } catch (error) {
      for (const { reject } of batch) reject(error);
    }
  }
}

/** @param {{ maps: any[], bytes: Uint8Array }} result @returns {any[]} the maps of each image, with their own bytes */
function split({ maps, bytes }) {
  let end = 0;
  return maps.map((one) => {
    const begin = end;
    end += one.shape[0] * one.shape[1] * one.shape[2];
    return completed({ ...one, bytes: bytes.subarray(begin, end) });
  });
}
