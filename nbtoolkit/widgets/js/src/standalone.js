// @ts-check
/** The exported page: the same views on a model that lives in the page. */

import { show } from "./host.js";
import { pageSource } from "./page_source.js";

/**
 * What a view needs of a model, without a kernel.
 * @param {Record<string, any>} state @returns {import("./types.js").Model}
 */
function pageModel(state) {
  /** @type {Map<string, Set<(...args: any[]) => void>>} */
  const listeners = new Map();
  return {
    get: (name) => state[name],
    set(name, value) {
      if (state[name] === value) return;
      state[name] = value;
      for (const f of listeners.get(`change:${name}`) ?? []) f();
    },
    save_changes() {},
    on(event, f) {
      if (!listeners.has(event)) listeners.set(event, new Set());
      listeners.get(event)?.add(f);
    },
    off: (event, f) => listeners.get(event)?.delete(f),
    send() {},
  };
}

const { state, data } = JSON.parse(document.getElementById("data")?.textContent ?? "{}");
const model = pageModel(state);
show(model, /** @type {HTMLElement} */ (document.getElementById("view")), pageSource(data));
Object.assign(window, { nbtoolkit: model });
