// @ts-check
/** One response of two: the words that only it has are marked, and the target; far from both, words are left out. */

import { h } from "../dom.js";
import { byWord, piecesOf } from "./differences.js";

const AROUND = 8; // words beside a change
const LONG = 40; // words of a response that is shown whole

/**
 * @param {import("../types.js").Translator} t
 * @param {{ title: string, difference: import("./differences.js").Difference, own: "removed" | "added", target: string, whole: boolean }} of
 * @param {() => void} all show what is left out
 * @returns {HTMLElement}
 */
export function responseText(t, { title, difference, own, target: key, whole }, all) {
  const words = byWord(difference).filter(([, tag]) => tag === "same" || tag === own).length;
  const gap = () =>
    h("button", { type: "button", class: "nbt-more", "aria-label": t`whole response`, text: "…", onclick: all });
  const pieces = piecesOf(difference, own, key, whole || words <= LONG ? Infinity : AROUND);
  const parts = pieces.flatMap(({ text, tag, target }) => {
    const kind = tag === "same" ? (target ? "mark" : "span") : own === "removed" ? "del" : "ins";
    return [tag ? h(kind, { class: target ? "nbt-edit-target" : null, text }) : gap(), " "];
  });
  return h(
    "div",
    {},
    h("span", { class: "nbt-edit-title", text: title }),
    h("p", { class: "nbt-response", dir: "auto", tabindex: "0", "aria-label": title }, ...parts),
  );
}
