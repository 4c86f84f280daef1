// @ts-check
/** What every pane of a study has: concepts with names and colours, threads, the selected image. */

import { Controls } from "./controls.js";
import { conceptName } from "./state.js";
import { COLOURS, followed, keysOf, memberOf, threadOf } from "./threads.js";
import { visible } from "./words.js";

/** @extends {Controls<import("./types.js").Context>} */
export class Pane extends Controls {
  /** @param {import("./types.js").Context} ctx */
  constructor(ctx) {
    super(ctx);
    this.source = ctx.source;
  }

  /**
   * Set traits, and what follows from them: another layer selects the concept of the same thread.
   * @param {Record<string, any>} values
   */
  commit(values) {
    super.commit(followed(this.meta.threads, (trait) => this.get(trait), values));
  }

  /** Concepts of the selected layer. */
  get concepts() {
    return this.meta.concepts[String(this.get("layer"))];
  }

  /** Row of the selected sample. */
  get row() {
    const row = this.meta.samples.findIndex((s) => s.id === this.get("sample"));
    return Math.max(0, row);
  }

  /** What the selected image is called. */
  get imageName() {
    const { t, meta, row } = this;
    const { own, name } = meta.samples[row];
    return own ? t`Your image: ${visible(name ?? "")}` : t`Image ${row + 1} of ${meta.n_samples}`;
  }

  /** Key of a concept of the selected layer in `labels` and `pinned`. @param {number} k */
  key(k) {
    return `${this.get("layer")}:${k}`;
  }

  /** Thread of a concept; null without one. @param {number | null} k @param {number} [layer] the selected one if left out */
  threadOf(k, layer = this.get("layer")) {
    return threadOf(this.meta.threads, k, layer);
  }

  /** Concept of a thread; null without one. @param {number | null} thread @param {number} [layer] the selected one if left out */
  memberOf(thread, layer = this.get("layer")) {
    return memberOf(this.meta.threads, thread, layer);
  }

  /** The thread of the selection: it stays selected where a layer has no concept of it. @returns {number | null} */
  get thread() {
    return this.threadOf(this.get("concept")) ?? (this.get("concept") === null ? (this.get("thread") ?? null) : null);
  }

  /** Keys of a concept and of its thread in other layers, the nearest first. @param {number} k @param {number} [layer] */
  keys(k, layer = this.get("layer")) {
    return keysOf(this.meta.threads, k, layer);
  }

  /** Whether a concept, or its thread in another layer, is pinned. @param {number} k @param {number} [layer] */
  isPinned(k, layer = this.get("layer")) {
    const pinned = this.get("pinned");
    return pinned.length > 0 && this.keys(k, layer).some((key) => pinned.includes(key));
  }

  /** Colour of a concept: that of its thread. @param {number} k @param {number} [layer] the selected one if left out */
  colour(k, layer = this.get("layer")) {
    const thread = this.threadOf(k, layer) ?? -1;
    return COLOURS[this.meta.threads?.colours?.[thread] ?? k % COLOURS.length];
  }

  /** The given name of a concept, or of its thread in the nearest layer, or "". @param {number} k @param {number} [layer] */
  label(k, layer = this.get("layer")) {
    const labels = this.get("labels") ?? {};
    if (!Object.keys(labels).length) return ""; // threads of many layers take a while
    const key = this.keys(k, layer).find((at) => at in labels);
    return key === undefined ? "" : labels[key];
  }

  /** What a concept is called. @param {number} k @param {number} [layer] the selected one if left out */
  name(k, layer = this.get("layer")) {
    const concept = this.meta.concepts[String(layer)]?.[k];
    return visible(this.label(k, layer) || conceptName(concept, k));
  }
}
