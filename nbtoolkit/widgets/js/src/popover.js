// @ts-check
/** A button and what it opens below it: the button, Escape, and a click or the focus elsewhere close it. */

import { freshId, h } from "./dom.js";

/**
 * @param {{ signal: AbortSignal }} ctx @param {HTMLElement} button @param {HTMLElement} content
 * @returns {HTMLElement} both
 */
export function popover(ctx, button, content) {
  const { signal } = ctx;
  content.id ||= freshId("popover");
  content.classList.add("nbt-popover");
  content.tabIndex = -1; // a click into it gives it the focus, so that Escape is heard
  button.setAttribute("aria-controls", content.id);
  const el = h("div", {}, button, content);
  const show = (/** @type {boolean} */ open) => {
    content.hidden = !open;
    button.setAttribute("aria-expanded", String(open));
  };
  show(false);
  button.addEventListener("click", () => show(content.hidden), { signal });
  el.addEventListener("keydown", (/** @type {KeyboardEvent} */ event) => {
    if (event.key !== "Escape" || content.hidden) return;
    show(false);
    button.focus();
    event.stopPropagation();
  });
  el.addEventListener("focusout", (/** @type {FocusEvent} */ { relatedTarget: next }) => {
    if (next && !el.contains(/** @type {Node} */ (next))) show(false); // it would be over what has the focus
  });
  document.addEventListener("pointerdown", (event) => event.composedPath().includes(el) || show(false), { signal });
  return el;
}
