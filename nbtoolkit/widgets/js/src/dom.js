// @ts-check
/** Small helpers around the DOM. Text enters the page through `textContent` only. */

import { translate, visible } from "./words.js";

const SVG = "http://www.w3.org/2000/svg";
const MARGIN = "300px"; // around the visible part: images are fetched before they are scrolled to
const MOMENT = 1500; // milliseconds
let counter = 0;

/**
 * Make an element. `on…` properties are listeners, `text` is text, everything else is an attribute.
 * @param {string} tag @param {Record<string, any>} [props] @param {(Node | string | null | undefined)[]} children
 * @returns {any}
 */
export function h(tag, props = {}, ...children) {
  const svg = tag.startsWith("svg:");
  const el = svg ? document.createElementNS(SVG, tag.slice(4)) : document.createElement(tag);
  for (const [name, value] of Object.entries(props)) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith("on")) el.addEventListener(name.slice(2), value);
    else if (name === "text") el.textContent = visible(String(value));
    else if (name === "style") Object.assign(/** @type {any} */ (el).style, value);
    else el.setAttribute(name, value === true ? "" : visible(String(value)));
  }
  const present = /** @type {(Node | string)[]} */ (children.filter((c) => c !== null && c !== undefined));
  el.append(...present.map((c) => (typeof c === "string" ? visible(c) : c)));
  return el;
}

/**
 * What an element is called by who listens, in place of the parts that are visible.
 * @param {string} name @param {(Element | null)[]} parts
 */
export function named(name, ...parts) {
  for (const part of parts) part?.setAttribute("aria-hidden", "true");
  return [h("span", { class: "nbt-spoken", text: name }), ...parts];
}

/** A fresh id: several views of one model may share a page. @param {string} stem */
export const freshId = (stem) => `nbt-${stem}-${++counter}`;

/** A number, or a dash where it is undefined: null in JSON, NaN in bytes. @param {number | null} value @param {number} [digits] */
export const format = (value, digits = 2) =>
  typeof value !== "number" || !Number.isFinite(value)
    ? "—"
    : new Intl.NumberFormat("en", { minimumFractionDigits: digits, maximumFractionDigits: digits }).format(value);

/**
 * A number that may be negative, with a real minus sign; never a negative zero.
 * @param {number | null} value @param {number} [digits] @param {string} [plus]
 */
export function signed(value, digits = 2, plus = "") {
  if (value === null) return format(value);
  const text = format(Math.abs(value), digits);
  return `${/[1-9]/.test(text) ? (value < 0 ? "−" : plus) : ""}${text}`;
}

/** @param {number | null} share */
export const percent = (share) =>
  typeof share !== "number" || !Number.isFinite(share)
    ? format(null)
    : `${format(100 * share, share > 0 && share < 0.1 ? 1 : 0)}%`;

/**
 * Words in a row with dots between them; a word's own direction ends with it.
 * @param {string[]} words @param {(word: string) => boolean} strong
 * @returns {(Node | string)[]}
 */
export const dotted = (words, strong) =>
  words.flatMap((word, i) => [i ? " · " : "", h(strong(word) ? "strong" : "span", { dir: "auto", text: word })]);

/**
 * Show one image of a strip as the background of an element.
 * @param {HTMLElement} el @param {import("./types.js").Thumb | undefined} thumb
 */
export function showThumb(el, thumb) {
  el.classList.toggle("nbt-waiting", !thumb);
  if (!thumb) return;
  el.style.backgroundImage = `url("${thumb.url}")`;
  el.style.backgroundSize = thumb.count > 1 ? `${thumb.count * 100}% 100%` : "cover";
  el.style.backgroundPosition = thumb.count > 1 ? `${(100 * thumb.index) / (thumb.count - 1)}% 0` : "center";
}

/** Show another text on a button for a moment. @param {HTMLElement} button @param {string} text */
export function flash(button, text) {
  button.dataset.text ??= button.textContent ?? "";
  button.textContent = text;
  setTimeout(() => (button.textContent = button.dataset.text ?? ""), MOMENT);
}

/** Say what a thumbnail shows: caption and activation. @param {HTMLElement} el @param {string} caption @param {string} [more] */
export function about(el, caption, more = "") {
  el.title = visible([caption, el.dataset.value, more].filter(Boolean).join(" · "));
  el.setAttribute("aria-label", el.title);
}

/**
 * The message of an error, without its type, in the reader's language where it is ours.
 * @param {import("./types.js").Translator} t @param {unknown} error
 */
export const reason = (t, error) => translate(t, String(error).replace(/^Error: (\w+: )?/, ""));

/**
 * Fetch the images of rows: of the first ones at once, of the others when they are about to be visible, and again
 * whenever they are, because images that were out of sight for long are released.
 * @param {import("./types.js").Context} ctx @param {number} eager
 * @param {(tile: HTMLElement, thumb: import("./types.js").Thumb) => void} [then] called with every image
 * @returns {(rows: HTMLElement[], anew?: boolean) => void} to be called with all rows: anew where their images are others
 */
export function lazyImages(ctx, eager, then) {
  const load = (/** @type {HTMLElement} */ row) => loadTiles(ctx, row, then).catch((error) => ctx.say(String(error)));
  const observer = new IntersectionObserver(
    (entries) => {
      for (const { isIntersecting, target } of entries) if (isIntersecting) load(/** @type {HTMLElement} */ (target));
    },
    /** @type {IntersectionObserverInit} */ ({ rootMargin: MARGIN, scrollMargin: MARGIN }), // of the page, and of the list in it
  );
  ctx.signal.addEventListener("abort", () => observer.disconnect());
  let turn = 0;
  let targets = new WeakSet();
  return (rows, anew = true) => {
    if (anew) {
      turn++;
      observer.disconnect();
      targets = new WeakSet();
    }
    const mine = turn;
    rows
      .filter((row) => !targets.has(row))
      .forEach(async (row, i) => {
        targets.add(row);
        if (i < eager) await load(row);
        if (mine === turn && !ctx.signal.aborted) observer.observe(row);
      });
  };
}

/**
 * @param {import("./types.js").Context} ctx @param {HTMLElement} row
 * @param {(tile: HTMLElement, thumb: import("./types.js").Thumb) => void} [then]
 */
async function loadTiles(ctx, row, then) {
  const tiles = /** @type {HTMLElement[]} */ ([...row.querySelectorAll(".nbt-thumb")]);
  if (!tiles.length) return;
  const thumbs = await ctx.source.thumbs([...new Set(tiles.map((tile) => Number(tile.dataset.row)))]);
  for (const tile of tiles) {
    const sample = ctx.meta.samples[Number(tile.dataset.row)];
    const thumb = thumbs.get(Number(tile.dataset.row));
    if (!sample.caption && thumb) {
      sample.caption = thumb.caption;
      about(tile, thumb.caption);
    }
    showThumb(tile, thumb);
    if (thumb) then?.(tile, thumb);
  }
}

/**
 * Give an element other children; a control in it that has the focus hands it to that of the same concept, else to the one in its place.
 * @param {HTMLElement} el @param {(Node | string)[]} children
 */
export function refill(el, ...children) {
  const controls = () => /** @type {HTMLElement[]} */ ([...el.querySelectorAll("button, [tabindex]")]);
  const root = /** @type {Document} */ (el.getRootNode());
  const at = controls().findIndex((control) => control === root.activeElement);
  const concept = controls()[at]?.dataset.concept;
  el.replaceChildren(...children);
  if (at < 0) return;
  const all = controls();
  const same = all.find((control) => concept !== undefined && control.dataset.concept === concept);
  (same ?? all[Math.min(at, all.length - 1)])?.focus({ preventScroll: true });
}

/** Set traits and send them. @param {import("./types.js").Model} model @param {Record<string, any>} values */
export function commit(model, values) {
  for (const [name, value] of Object.entries(values)) model.set(name, value);
  model.save_changes();
}

/**
 * Call back on a change of any of the traits, once the selected layer is there, until the signal aborts.
 * @param {{ model: import("./types.js").Model, signal: AbortSignal, arrive?(f: () => void): void }} ctx
 * @param {string[]} names @param {() => void} callback
 */
export function onChange({ model, signal, arrive }, names, callback) {
  const run = () => (arrive ? arrive(callback) : callback());
  for (const name of names) {
    model.on(`change:${name}`, run);
    signal.addEventListener("abort", () => model.off(`change:${name}`, run));
  }
}
