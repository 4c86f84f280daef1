// @ts-check
/** The model of an exported page, which lives in the page. */

/**
 * What a view needs of a model, without a kernel.
 * @param {Record<string, any>} state @returns {import("./types.js").Model}
 */
export function pageModel(state) {
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
