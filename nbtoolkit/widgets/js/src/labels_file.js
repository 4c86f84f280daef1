// @ts-check
/** Names of concepts that outlive a page: in the browser's storage, and in a file that `view.labels` takes. */

import { h } from "./dom.js";
import { download } from "./saving.js";

const MAX = { key: 40, name: 200, names: 20_000 };

/**
 * Names as a file or the storage holds them; null where they are none.
 * @param {string | null} text @returns {Record<string, string> | null}
 */
export function readLabels(text) {
  try {
    const value = JSON.parse(text ?? "");
    if (value?.constructor !== Object) return null;
    const entries = Object.entries(value);
    const fits = (/** @type {[string, any]} */ [key, name]) =>
      /^[\w:.-]+$/.test(key) && key.length <= MAX.key && typeof name === "string" && name.length <= MAX.name;
    return entries.length <= MAX.names && entries.every(fits) ? Object.fromEntries(entries) : null;
  } catch {
    return null;
  }
}

/** Keep the labels of a page in the browser, where it has a storage. @param {import("./types.js").Model} model @param {string} key */
export function storeLabels(model, key) {
  const place = `nbtoolkit labels ${key}`;
  try {
    const labels = readLabels(localStorage.getItem(place));
    if (labels) model.set("labels", labels);
    model.on("change:labels", () => {
      try {
        localStorage.setItem(place, JSON.stringify(model.get("labels")));
      } catch {
        // full: the file remains
      }
    });
  } catch {
    // no storage: the file remains
  }
}

/** @param {import("./types.js").Model} model @param {string} name of the file */
export function saveLabels(model, name) {
  const text = JSON.stringify(model.get("labels"), null, 1);
  download(URL.createObjectURL(new Blob([text], { type: "application/json" })), name);
}

/** Let the reader choose a file of labels; gives whether it was one. @param {import("./types.js").Model} model @returns {Promise<boolean>} */
export const loadLabels = (model) =>
  new Promise((resolve) => {
    const input = h("input", { type: "file", accept: ".json,application/json" });
    input.addEventListener("change", async () => {
      const labels = readLabels((await input.files?.[0]?.text()) ?? null);
      if (labels) model.set("labels", { ...model.get("labels"), ...labels });
      resolve(Boolean(labels));
    });
    input.click();
  });
