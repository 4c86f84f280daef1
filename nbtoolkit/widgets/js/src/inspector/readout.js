// @ts-check
/** What is at a patch, in one line: its place, its value, and what its state reads as at the selected layer. */

import { percent, signed } from "../dom.js";
import { legend } from "../heatmap.js";
import { translate, visible } from "../words.js";
import { readAt, wordsAt } from "./image_map.js";
import { patchName } from "./patches.js";

const TINY = 0.0005; // a share that is shown as less than that

/** A value with its unit. @param {import("../types.js").Translator} t @param {number} value @param {string} unit */
export function withUnit(t, value, unit) {
  if (unit === "share") return value > 0 && value < TINY ? "<0.1%" : percent(value);
  const size = Math.abs(value);
  const digits = size >= 100 ? 0 : size >= 0.095 || !size ? 2 : size >= 0.0095 ? 3 : 4;
  return `${signed(value, digits)} ${translate(t, unit)}`.trim();
}

/** Words with their probabilities: "dog .41 · fur .12". @param {{ word: string, p: number }[]} words */
export const listed = (words) =>
  words.map(({ word, p }) => `${visible(word.trim() || "␣")}${Number.isNaN(p) ? "" : ` ${share(p)}`}`).join(" · ");

/** A share in little room: ".41". @param {number} p */
export const share = (p) => (p >= 0.995 ? "1.0" : p < 0.005 ? "<.01" : p.toFixed(2).replace(/^0/, ""));

/** A number of the order of one, below 0 and above 1 too: ".41", "1.84", "−.26". @param {number} v */
export const ratio = (v) => v.toFixed(2).replace(/^-?0\.00$/, "0").replace(/^(-?)0\./, "$1.").replace("-", "−"); // prettier-ignore

/**
 * @param {import("../types.js").Translator} t @param {import("./types.js").Geometry} geometry @param {number} patch
 * @param {{ map: import("./image_map.js").ImageMap | null, lens: import("./types.js").Result | undefined, selection: import("./image_map.js").Selection }} about
 */
export function describePatch(t, geometry, patch, { map, lens, selection }) {
  const layer = readAt(selection);
  const words = listed(wordsAt(lens, layer, geometry.positions[patch]));
  const value = map && patch < map.values.length ? withUnit(t, map.values[patch], map.unit) : "";
  return [patchName(t, geometry, patch), value, words && t`layer ${layer}: ${words}`].filter(Boolean).join(" · ");
}

/** A scale with its ends, and zero where signs matter. @param {import("../types.js").Translator} t @param {import("./image_map.js").Scale} scale @param {string} unit */
export function scaleParts(t, { low, high, signed: both }, unit) {
  const parts = legend(t, "heat map", {
    top: withUnit(t, high, unit),
    bottom: both ? withUnit(t, low, "") : undefined,
  });
  return !both && low ? [withUnit(t, low, ""), ...parts.slice(1)] : parts;
}
