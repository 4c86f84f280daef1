// @ts-check
/** Groups of samples, each with a colour that is safe for the colour-blind; beyond eight they share grey. */

import { h, percent } from "./dom.js";
import { grouped } from "./points.js";
import { COLOURS as PALETTE } from "./threads.js";
import { translate } from "./words.js";

const SHARES = ["#00204d", "#414d6b", "#7c7b78", "#bcae6c", "#e8d44d"]; // cividis
const OTHERS = "#909090";
export const LACKS = "caption lacks the word";

/** @typedef {{ text: string, count: number, colour: string }} Group */

/**
 * Groups by any value, the largest first.
 * @template T @param {ArrayLike<T>} values by sample @param {(value: T) => string} name @param {string} others
 * @param {(value: T) => string} [own] colour, where no larger group has it
 * @returns {{ categories: Uint8Array, groups: Group[] }}
 */
function byValue(values, name, others, own = () => OTHERS) {
  const free = new Set(PALETTE);
  const take = (/** @type {string} */ colour) => {
    const [next = OTHERS] = free.has(colour) ? [colour] : free;
    free.delete(next);
    return next;
  };
  const { categories, groups } = grouped(values);
  const named = groups.map(({ value, count }) => ({
    text: value === null ? others : name(value),
    colour: value === null ? OTHERS : take(own(value)),
    count,
  }));
  return { categories, groups: named };
}

/** Groups by a share, in five equal steps up to the largest. @param {Float32Array} shares @returns {{ categories: Uint8Array, groups: Group[] }} */
function byShare(shares) {
  const step = shares.reduce((most, v) => (v > most ? v : most), 1e-9) / SHARES.length;
  const categories = Uint8Array.from(shares, (v) => Math.min(SHARES.length - 1, Math.floor(v / step) || 0));
  const groups = SHARES.map((colour, i) => ({
    text: `${percent(step * i)}–${percent(step * (i + 1))}`,
    colour,
    count: categories.filter((c) => c === i).length,
  }));
  return { categories, groups };
}

/** Groups of the samples by the colour that is set. @param {import("./concept_map.js").ConceptMap} map */
export function groupsOf(map) {
  const { t, activations, lacking, factors, strongest } = map;
  const colour = map.get("map_colour");
  const others = t`others`;
  if (colour === "unexplained" && activations) return byShare(activations.rest);
  if (colour === "lacking" && lacking)
    return byValue(lacking, (flag) => (flag ? translate(t, LACKS) : t`caption has the word`), others);
  const texts = factors[colour.slice(7)];
  if (texts) return byValue(texts, (text) => text || t`none`, others);
  return byValue(
    strongest,
    (k) => (k < 0 ? t`none` : map.name(k)),
    others,
    (k) => map.colour(k),
  );
}

/** A group of the legend. @param {Group} group @param {() => void} onclick */
export function legendEntry({ text, count, colour }, onclick) {
  const swatch = h("span", { class: "nbt-swatch", style: { background: colour } });
  const number = h("span", { class: "nbt-count", text: count });
  const name = h("span", { class: "nbt-map-text", title: text, text });
  return h("button", { type: "button", class: "nbt-map-group", onclick }, swatch, name, number);
}
