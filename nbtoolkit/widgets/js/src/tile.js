// @ts-check
/** Thumbnails: an image with its value in the corner, and what its overlay says: loading, nowhere or somewhere. */

import { about, format, h, showThumb } from "./dom.js";
import { lay } from "./seen.js";

/** @typedef {"" | "loading" | "nowhere" | "somewhere"} TileState */

/** A number in at most four digits, with a real minus sign. @param {number} value @param {string} [plus] before positive ones */
export function compact(value, plus = "") {
  if (value === 0) return "0";
  const size = Math.abs(value);
  const sign = value < 0 ? "−" : plus;
  if (size < 0.001) return `${sign}${size.toExponential(0)}`;
  return `${sign}${size >= 10_000 ? size.toExponential(1) : format(size, size >= 100 ? 0 : size >= 1 ? 1 : size >= 0.1 ? 2 : 3)}`;
}

/**
 * The thumbnail of a sample; `lazyImages` of dom.js fills it. Without images it shows the caption.
 * @param {import("./pane.js").Pane} pane @param {number} row of the samples
 * @param {{ value?: number | null, signed?: boolean }} [of] the activation in its corner, with a sign where some are negative
 * @returns {HTMLElement}
 */
export function tile({ t, meta }, row, { value = null, signed = false } = {}) {
  const { caption } = meta.samples[row];
  const worded = meta.pictured === false;
  const el = h("span", {
    class: worded ? "nbt-thumb nbt-worded" : "nbt-thumb nbt-waiting",
    role: "img",
    "data-row": row,
    dir: "auto",
    text: worded ? caption : "",
  });
  if (value !== null) {
    const text = compact(value, signed ? "+" : "");
    const end = signed && value ? (value < 0 ? "low" : "high") : null;
    el.dataset.value = t`activation ${text}`;
    el.append(h("span", { class: "nbt-tile-value", "data-end": end, dir: "ltr", text }));
  }
  about(el, caption);
  return el;
}

/** Show what is known of a tile's overlay. @param {import("./types.js").Translator} t @param {HTMLElement} el @param {TileState} state */
export function showState(t, el, state) {
  el.querySelector(".nbt-tile-mark")?.remove();
  el.dataset.state = state;
  el.setAttribute("aria-busy", String(state === "loading"));
  if (state === "nowhere") el.append(h("span", { class: "nbt-tile-mark", text: t`nowhere` }));
}

/** Take off what an overlay has added. @param {HTMLElement} el @param {import("./types.js").Thumb} thumb */
export function bare(el, thumb) {
  el.querySelector(".nbt-whole")?.remove();
  showThumb(el, thumb);
}

/**
 * Layers over the whole image of a tile, which shows its middle square.
 * @param {HTMLElement} el @param {number} aspect width over height of the image @param {(Node | null)[]} layers
 */
export function over(el, aspect, layers) {
  const [wide, tall] = aspect > 1 ? [aspect, 1] : [1, 1 / aspect]; // of the image, in tiles
  const image = h("span", { class: "nbt-whole" }, ...layers);
  lay(image, [(1 - wide) / 2, (1 - tall) / 2, (1 + wide) / 2, (1 + tall) / 2]);
  el.querySelector(".nbt-whole")?.remove();
  el.prepend(image);
}
