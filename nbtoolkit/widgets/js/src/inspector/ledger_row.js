// @ts-check
/** Rows of the ledger. */

import { h, signed } from "../dom.js";
import { translate, visible } from "../words.js";
import { isWithin, span } from "./ledger_parts.js";

/** @typedef {import("./ledger_parts.js").Part} Part @typedef {import("../types.js").Translator} Translator */
/** @typedef {{ low: number, high: number }} Range */

const OTHERS = { embedding: "embedding", constant: "biases" };

/** What a part is called. @param {Translator} t @param {Part} part */
export function partName(t, { kind, text, place }) {
  if (kind === "patch") return t`patch ${place.patch ?? 0}`;
  if (kind === "concept") return `“${visible(text)}”`;
  const [part, layer] = text.split(" ");
  return layer ? `${translate(t, part)} ${layer}` : text;
}

/** A bar from zero, on the band of the null. @param {number} value @param {[number, number] | null} band @param {Range} range */
export function bar(value, band, range) {
  const piece = (/** @type {string} */ name, /** @type {number} */ a, /** @type {number} */ b) => {
    const { left, width } = span(a, b, range);
    return h("i", { class: name, style: { left: `${left}%`, width: `${width}%` } });
  };
  return h(
    "span",
    { class: "nbt-ledger-bar", "aria-hidden": "true" },
    band && piece("nbt-ledger-band", band[0], band[1]),
    piece("nbt-ledger-value", 0, value),
    range.low < 0 ? piece("nbt-ledger-zero", 0, 0) : null,
  );
}

/** @param {string} name @param {string[]} words @param {HTMLElement} graph @param {string} number */
const cells = (name, words, graph, number) => [
  h(
    "span",
    { class: "nbt-ledger-name", dir: "auto" },
    name,
    words.length ? h("span", { class: "nbt-ledger-words", text: ` ${words.slice(0, 3).join(" · ")}` }) : null,
  ),
  graph,
  h("span", { class: "nbt-value", text: number }),
];

/** A box to tick a part with, to edit it with others; nothing where it cannot be edited. @param {Translator} t @param {string} name @param {string} key @param {() => void} tick */
function tickBox(t, name, key, tick) {
  const title = t`tick, to edit several together`;
  const label = { type: "checkbox", tabindex: "-1", "aria-label": t`tick ${name}`, onchange: tick };
  return key
    ? h("label", { class: "nbt-ledger-tick", title }, h("input", label))
    : h("span", { class: "nbt-ledger-tick" });
}

/**
 * @param {Translator} t @param {Part} part @param {Range} range
 * @param {{ choose(): void, tick(): void, over(on: boolean): void }} then
 * @returns {HTMLElement}
 */
export function partRow(t, part, range, { choose, tick, over }) {
  const { words, value, band, kind, key } = part;
  const name = partName(t, part);
  const number = signed(value, 2, "+");
  const within = isWithin(part);
  const about = [name, number, words.join(" · "), within ? t`no more than random parts` : ""].filter(Boolean);
  const props = {
    type: "button",
    class: "nbt-ledger-part",
    tabindex: "-1",
    title: about.join(" · "),
    "aria-label": about.join(", "),
    onclick: choose,
  };
  const button = h("button", props, ...cells(name, words, bar(value, band, range), number));
  const listeners = {
    onpointerenter: () => over(true),
    onpointerleave: () => over(false),
    onfocusin: () => over(true),
    onfocusout: () => over(false),
  };
  const classes = `nbt-ledger-row nbt-part-${kind}${within ? " nbt-within" : ""}`;
  return h("li", { class: classes, ...listeners }, tickBox(t, name, key, tick), button);
}

/**
 * What is not listed, in one row.
 * @param {Translator} t @param {import("./ledger_parts.js").Ledger} ledger @param {number} n rows that are listed
 * @param {number} rest @param {Range} range
 */
export function restRow(t, { parts, others }, n, rest, range) {
  const left = parts.slice(n);
  const more = left.reduce((sum, { value }) => sum + value, 0);
  const named = others.map(([name, value]) => {
    const text = OTHERS[/** @type {"constant"} */ (name)] ?? name;
    return `${translate(t, text)} ${signed(value, 2, "+")}`;
  });
  const title = [left.length ? t`${left.length} further parts ${signed(more, 2, "+")}` : "", ...named];
  const text = title.filter(Boolean).join(" · ");
  const number = signed(rest, 2, "+");
  return h(
    "li",
    { class: "nbt-ledger-row nbt-part-rest", title: text },
    h("span", { class: "nbt-ledger-tick" }),
    h("div", { class: "nbt-ledger-part" }, ...cells(t`rest`, [], bar(rest, null, range), number)),
    h("span", { class: "nbt-spoken", text }),
  );
}
