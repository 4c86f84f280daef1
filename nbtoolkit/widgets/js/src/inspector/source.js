// @ts-check
/** Where results come from: a kernel that answers, or a page that has them. */

import { Channel } from "../channel.js";
import { loadPanes } from "../lazy.js";
import { NOT_IN_PAGE } from "./store.js";

/** @typedef {import("./types.js").InspectorSource} InspectorSource */
/** @typedef {{ results?: Record<string, any>, edits?: Record<string, any>, texts: Record<string, string> }} PageData */

export const NO_KERNEL = "This page has no kernel.";

/** @param {import("../types.js").Model} model @returns {InspectorSource} */
export function kernelSource(model) {
  const channel = new Channel(model);
  return {
    alone: false,
    keys: [],
    measure: (_name, _key, args, progress) => channel.work("measure", args, progress),
    job: (op, args, progress) => channel.job(op, args, progress),
    panes: () => loadPanes(() => channel.request("panes", {}).then(({ data }) => data.code)),
    texts: () => channel.request("texts", {}).then(({ data }) => data),
    fail: (text) => channel.fail(text),
    close: () => channel.close(),
  };
}

/** @param {string} text base64 */
const bytes = (text) => Uint8Array.from(atob(text), (c) => c.charCodeAt(0));

const done = (/** @type {Promise<any>} */ result) => ({ result, cancel: () => {} });

/**
 * @param {PageData} data @param {() => Promise<any>} panes @returns {InspectorSource}
 */
export function pageSource(data, panes) {
  const { results = {}, edits = {} } = data;
  const has = (/** @type {string} */ key) => Object.hasOwn(results, key);
  /** @param {string} op @param {any} args */
  const reply = async (op, args) => {
    const key = [args.target, args.foil, JSON.stringify(args.edits)].join("|");
    if (op !== "edit" || !Object.hasOwn(edits, key)) throw new Error(op === "edit" ? NOT_IN_PAGE : NO_KERNEL);
    return edits[key];
  };
  return {
    alone: true,
    keys: Object.keys(results),
    edits: Object.keys(edits),
    measure: (_name, key) =>
      done(
        has(key)
          ? Promise.resolve({ data: results[key], buffers: results[key].buffers.map(bytes) })
          : Promise.reject(new Error(NOT_IN_PAGE)),
      ),
    job: (op, args) => done(reply(op, args)),
    panes,
    texts: () => Promise.resolve(data.texts),
    fail: () => {},
    close: () => {},
  };
}
