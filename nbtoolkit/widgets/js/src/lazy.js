// @ts-check
/** Panes whose script comes when they are needed first: the script that every view carries is then smaller, and the first paint sooner. */

import { h } from "./dom.js";

/** Modules that both scripts use, by file name; build.js fills them in. @type {Record<string, any>} */
let shared = {};

/** @param {Record<string, any>} modules */
export const share = (modules) => {
  shared = modules;
};

/** @type {Promise<import("./types.js").Panes> | undefined} */
let panes;

/**
 * Run the script of the panes, once.
 * @param {() => Promise<string>} fetchCode
 */
export function loadPanes(fetchCode) {
  panes ??= fetchCode().then(async (code) => {
    const url = URL.createObjectURL(new Blob([code], { type: "text/javascript" }));
    const { default: make } = await import(url);
    URL.revokeObjectURL(url);
    return make(shared);
  });
  panes.catch(() => (panes = undefined)); // requested again next time
  return panes;
}

/**
 * A pane by its name in panes.js. Its element is empty until the script is there.
 * @param {string} name @param {(ctx: import("./types.js").Context) => boolean} [available] @param {boolean} [beside] whether it has a `result`
 * @returns {any}
 */
export const lazy = (name, available, beside = false) =>
  class {
    static available = available;

    /** @param {import("./types.js").Context} ctx */
    constructor(ctx) {
      /** @type {HTMLElement} */
      this.el = h("div", { "aria-busy": "true" });
      /** @type {HTMLElement | undefined} */
      this.result = beside ? h("div") : undefined;
      ctx.source.panes().then(
        (all) => {
          if (ctx.signal.aborted) return;
          const view = new all[name](ctx);
          const { el } = view;
          this.saved = () => view.saved?.();
          el.hidden = this.el.hidden;
          if (view.result) this.result?.replaceChildren(view.result);
          this.el.replaceWith(el);
          this.el = el;
        },
        (error) => ctx.say(String(error)),
      );
    }
  };
