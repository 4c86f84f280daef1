// @ts-check
/** What edits change, as texts: pure functions of the reply of `edit`. */

import { condensed } from "../edits.js";

/** @typedef {[string, string][]} Difference words as "same", "added" or "removed" */
/** @typedef {{ text: string, tag: string, target: boolean }} Piece of a response; tag "" for words that are left out */
/** @typedef {{ probability: number, log_prob: number, logit: number }} Reading */

/** A word without the signs around it. @param {string} word */
const bare = (word) => word.replace(/^[^\p{L}\p{N}]+|[^\p{L}\p{N}]+$/gu, "").toLowerCase();

/** Text and number of a target's key, as "dog#2". @param {string} key @returns {[string, number]} */
export function parseKey(key) {
  const [, text, n] = /^(.*)#(\d+)$/s.exec(key) ?? [key, key, "1"];
  return [text, Number(n)];
}

/** A difference with one entry per word: entries of a reply can be several. @param {Difference} difference @returns {Difference} */
export const byWord = (difference) =>
  difference.flatMap(([text, tag]) =>
    text
      .split(/\s+/)
      .filter(Boolean)
      .map((word) => /** @type {[string, string]} */ ([word, tag])),
  );

/** Row of the target's word among the words of the first response, −1 where it is none of them. @param {Difference} difference @param {string} key */
export function targetRow(difference, key) {
  const [text, n] = parseKey(key);
  let count = 0;
  return difference.findIndex(([word, tag]) => tag !== "added" && bare(word) === bare(text) && ++count === n);
}

/**
 * One response of a difference: words in a row with one tag together; far from every change and the target they are left out.
 * @param {Difference} runs @param {"removed" | "added"} own the tag of the words that only this response has
 * @param {string} key of the target @param {number} [around] words beside a change; none are left out without it
 * @returns {Piece[]}
 */
export function piecesOf(runs, own, key, around = Infinity) {
  const difference = byWord(runs);
  const row = targetRow(difference, key);
  const marks = difference.flatMap(([, tag], i) => (tag !== "same" || i === row ? [i] : []));
  let next = 0;
  const near = (/** @type {number} */ i) => {
    while (next < marks.length && marks[next] < i - around) next++;
    return around === Infinity || (next < marks.length && marks[next] <= i + around);
  };
  /** @type {Piece[]} */
  const pieces = [];
  difference.forEach(([text, of], i) => {
    if (of !== "same" && of !== own) return;
    const tag = near(i) ? of : "";
    const target = i === row;
    const last = pieces[pieces.length - 1];
    if (!tag && last?.tag === "") return;
    if (tag && last?.tag === tag && last.target === target) last.text += ` ${text}`;
    else pieces.push({ text: tag ? text : "…", tag, target });
  });
  return pieces.map((piece) => ({ ...piece, text: condensed(piece.text) }));
}

/** Two responses as a difference: the longest common rows of words stay. @param {string} first @param {string} second @returns {Difference} */
export function differenceOf(first, second) {
  const [a, b] = [first, second].map((text) => text.split(/\s+/).filter(Boolean));
  const table = Array.from({ length: a.length + 1 }, () => new Uint16Array(b.length + 1));
  for (let i = a.length - 1; i >= 0; i--) {
    for (let j = b.length - 1; j >= 0; j--) {
      table[i][j] = a[i] === b[j] ? table[i + 1][j + 1] + 1 : Math.max(table[i + 1][j], table[i][j + 1]);
    }
  }
  /** @type {Difference} */
  const out = [];
  let [i, j] = [0, 0];
  while (i < a.length || j < b.length) {
    if (i < a.length && j < b.length && a[i] === b[j]) {
      out.push([a[i++], "same"]);
      j++;
    } else if (j >= b.length || (i < a.length && table[i + 1][j] >= table[i][j + 1])) out.push([a[i++], "removed"]);
    else out.push([b[j++], "added"]);
  }
  return out;
}

/** Change of a reading, as probability and in a unit. @param {Reading} before @param {Reading} after @param {string} unit of the trait */
export function changeOf(before, after, unit) {
  const name = unit === "logit" ? "logit" : "log_prob";
  return { probability: after.probability - before.probability, value: after[name] - before[name] };
}

/** Mean and range of the changes of random edits. @param {Reading} before @param {Reading[]} draws @param {string} unit */
export function rangeOfDraws(before, draws, unit) {
  const changes = draws.map((draw) => changeOf(before, draw, unit).value);
  const mean = changes.reduce((sum, change) => sum + change, 0) / (changes.length || 1);
  return { mean, low: Math.min(...changes), high: Math.max(...changes) };
}
