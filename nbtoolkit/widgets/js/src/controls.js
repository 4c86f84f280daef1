// @ts-check
/** What every pane has: its context, its traits, and controls that show and set one trait each. */

import { commit, h, onChange } from "./dom.js";
import { translate } from "./words.js";

/** @typedef {{ model: import("./types.js").Model, meta: any, t: import("./types.js").Translator, signal: AbortSignal, arrive?(callback: () => void): void }} Least what a context has */

/** @template {Least} C the context of a view */
export class Controls {
  /** @param {C} ctx */
  constructor(ctx) {
    this.ctx = ctx;
    this.model = ctx.model;
    /** @type {C["meta"]} */
    this.meta = ctx.meta;
    this.t = ctx.t;
  }

  /** @param {string} trait @returns {any} */
  get(trait) {
    return this.model.get(trait);
  }

  /** Set traits; those that this view does not have are left out. @param {Record<string, any>} values */
  commit(values) {
    const own = Object.entries(values).filter(([trait]) => this.get(trait) !== undefined);
    commit(this.model, Object.fromEntries(own));
  }

  /** @param {string[]} traits @param {() => void} callback */
  on(traits, callback) {
    onChange(this.ctx, traits, callback);
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
