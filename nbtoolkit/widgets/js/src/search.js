// @ts-check
/** Search in names, words and captions: which concepts match, where, in which order; and the marks in a text. */

/** Where a match is from, the best first. */
export const MATCHES = { name: "in its name", word: "in its words", caption: "in a caption" };
const SOURCES = /** @type {(keyof typeof MATCHES)[]} */ (Object.keys(MATCHES));

const COLLATOR = new Intl.Collator("en", { numeric: true });

/** @typedef {import("./types.js").Concept} Concept */

/** @param {string} query */
export const termsOf = (query) => query.toLowerCase().split(/\s+/).filter(Boolean);

/**
 * Place of a term in a text: 0 where a word begins with it, 1 elsewhere, null where it is not.
 * @param {string} text in lower case, after a space @param {string} term
 */
const placeIn = (text, term) => (text.includes(` ${term}`) ? 0 : text.includes(term) ? 1 : null);

/**
 * The concepts that have every term in their name, words or captions of exemplars, with a rank: 0 and 1 by name, 2 and 3 by
 * words, 4 and 5 by a caption; even where a word begins with it. The last of the terms counts.
 * @param {Concept[]} concepts @param {string} query @param {{ caption: string }[]} samples @param {string[]} names
 * @returns {Map<number, number>} of all concepts where there is no query
 */
export function search(concepts, query, samples, names) {
  const terms = termsOf(query);
  /** @type {Map<number, number>} */
  const ranks = new Map();
  concepts.forEach((concept, k) => {
    if (concept.absent) return;
    const texts = [() => [names[k]], () => concept.words, () => concept.exemplars.map((row) => samples[row].caption)];
    /** @type {string[]} */
    const lower = []; // as far as they are needed
    const rankOf = (/** @type {string} */ term) => {
      for (let i = 0; i < texts.length; i++) {
        lower[i] ??= ` ${texts[i]().join(" ")}`.toLowerCase();
        const place = placeIn(lower[i], term);
        if (place !== null) return 2 * i + place;
      }
      return Infinity;
    };
    const rank = Math.max(0, ...terms.map(rankOf));
    if (rank < Infinity) ranks.set(k, rank);
  });
  return ranks;
}

/** Where a match of a rank is from. @param {number} rank */
export const sourceOf = (rank) => SOURCES[rank >> 1];

/**
 * Matches in order: by source, then pinned ones, then by the chosen order, then by number.
 * @param {Map<number, number>} ranks @param {Concept[]} concepts @param {string} order
 * @param {string[]} names @param {boolean[]} pins
 * @returns {number[]} rows of the dictionary
 */
export function ordered(ranks, concepts, order, names, pins) {
  const key =
    {
      importance: (/** @type {number} */ k) => -concepts[k].share,
      clip_score: (/** @type {number} */ k) => -(concepts[k].clip_score ?? -1),
      rarity: (/** @type {number} */ k) => concepts[k].active || 2,
    }[order] ?? ((k) => k);
  const rows = [...ranks].map(([k, rank]) => ({ k, rank, pin: pins[k] ? 0 : 1, key: key(k), name: names[k] }));
  const byName = order === "name" ? COLLATOR.compare : () => 0;
  rows.sort((a, b) => a.rank - b.rank || a.pin - b.pin || byName(a.name, b.name) || a.key - b.key || a.k - b.k);
  return rows.map(({ k }) => k);
}

/**
 * A text cut at the matches: every second part is one.
 * @param {string} text @param {string[]} terms
 */
export function cut(text, terms) {
  const literal = terms.map((term) => term.replace(/[\\^$.*+?()[\]{}|/]/g, "\\$&"));
  return terms.length
    ? text.split(new RegExp(`(${literal.sort((a, b) => b.length - a.length).join("|")})`, "giu"))
    : [text];
}

/** Places of a strip that are shown where there is room for `room` of `n`: both ends, and evenly between. @param {number} n @param {number} room */
export function evenly(n, room) {
  const m = Math.min(n, room);
  return new Set(Array.from({ length: m }, (_, j) => (m > 1 ? Math.round((j * (n - 1)) / (m - 1)) : 0)));
}
