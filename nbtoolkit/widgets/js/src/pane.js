// @ts-check
/** What every pane has: its context, its traits, and controls that show and set one trait each. */

import { commit, h, onChange } from "./dom.js";
import { conceptName } from "./state.js";
import { COLOURS, followed, keysOf, memberOf, threadOf } from "./threads.js";
import { translate, visible } from "./words.js";

export class Pane {
  /** @param {import("./types.js").Context} ctx */
  constructor(ctx) {
    this.ctx = ctx;
    this.model = ctx.model;
    this.meta = ctx.meta;
    this.source = ctx.source;
    this.t = ctx.t;
  }

  /** @param {string} trait @returns {any} */
  get(trait) {
    return this.model.get(trait);
  }

  /**
   * Set traits, and what follows from them: another layer selects the concept of the same thread. Those that this view does
   * not have are left out. @param {Record<string, any>} values
   */
  commit(values) {
    const all = followed(this.meta.threads, (trait) => this.get(trait), values);
    const own = Object.entries(all).filter(([trait]) => this.get(trait) !== undefined);
    commit(this.model, Object.fromEntries(own));
  }

  /** @param {string[]} traits @param {() => void} callback */
  on(traits, callback) {
    onChange(this.ctx, traits, callback);
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

  /**
   * A select that shows and sets a trait.
   * @param {string} trait @param {string} label @param {Record<string, string>} options value to text, not yet translated
   * @param {(text: string) => string} [decorate]
   */
  choice(trait, label, options, decorate = (text) => text) {
    const select = h(
      "select",
      {
        class: "nbt-select",
        "aria-label": label,
        "data-at": trait,
        onchange: () => this.commit({ [trait]: select.value }),
      },
      ...Object.entries(options).map(([value, text]) =>
        h("option", { value, text: decorate(translate(this.t, text)) }),
      ),
    );
    const sync = () => {
      select.value = this.get(trait);
    };
    this.on([trait], sync);
    sync();
    return select;
  }

  /**
   * A button that shows and switches a Boolean trait.
   * @param {string} trait @param {string} text @param {string} title @param {() => Record<string, any>} [also] other traits that the click sets
   */
  toggle(trait, text, title, also = () => ({})) {
    const button = h("button", {
      type: "button",
      class: "nbt-button",
      "data-at": trait,
      text,
      title,
      onclick: () => this.commit({ ...also(), [trait]: !this.get(trait) }),
    });
    const sync = () => button.setAttribute("aria-pressed", String(Boolean(this.get(trait))));
    this.on([trait], sync);
    sync();
    return button;
  }

  /** @param {string} text @param {() => void} onclick @param {Record<string, any>} [props] */
  button(text, onclick, props = {}) {
    return h("button", { type: "button", class: "nbt-button", text, onclick, ...props });
  }

  /** A small square button. @param {string} label @param {string} sign @param {() => void} onclick */
  stepper(label, sign, onclick) {
    return h("button", { type: "button", class: "nbt-step", "aria-label": label, text: sign, onclick });
  }
}
