// @ts-check
/** What a model saw of an image. Places are [x0, y0, x1, y1], as shares of the image's sides. */

import { h } from "./dom.js";

const ALL = 0.995; // of the image: as good as all of it
const CENTRED = 0.02; // of a side: how far the middle may be off

const percent = (/** @type {number} */ v) => `${100 * v}%`;

/** A layer over an image that dims what the model did not see. */
export const shade = () => h("div", { class: "nbt-unseen", hidden: true });

/** Lay an element over a place of the image. @param {HTMLElement} element @param {number[]} place */
export function lay(element, [x0, y0, x1, y1]) {
  const size = { width: percent(x1 - x0), height: percent(y1 - y0) };
  Object.assign(element.style, { left: percent(x0), top: percent(y0), ...size });
}

/** Share of the image that was seen. @param {number[]} seen */
const share = ([x0, y0, x1, y1]) => (x1 - x0) * (y1 - y0);

/** Whether a part was not seen. @param {number[]} seen */
export const isCropped = (seen) => share(seen) < ALL;

/** Dim what lies outside. @param {HTMLElement} layer @param {number[]} seen */
export function dim(layer, seen) {
  const [x0, y0, x1, y1] = seen.map(percent);
  const hole = [x0, y0, x1, y0, x1, y1, x0, y1, x0, y0].map((v, i) => v + (i % 2 ? "," : " ")).join("");
  layer.hidden = !isCropped(seen);
  layer.style.clipPath = `polygon(evenodd, ${hole} 0 0, 100% 0, 100% 100%, 0 100%, 0 0)`;
}

/** What was not seen, as a sentence. @param {import("./types.js").Translator} t @param {number[]} seen */
export function sentence(t, seen) {
  const [x0, y0, x1, y1] = seen;
  const n = (100 * share(seen)).toFixed(0);
  if (!isCropped(seen)) return "";
  return Math.max(Math.abs(x0 + x1 - 1), Math.abs(y0 + y1 - 1)) > 2 * CENTRED
    ? t`The model saw ${n} % of the image; the dimmed part was cropped.`
    : t`The model saw the middle ${n} % of the image; the dimmed part was cropped.`;
}
