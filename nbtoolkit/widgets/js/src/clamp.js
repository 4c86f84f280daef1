// @ts-check
/** A long text shows three lines around its marked word, and all of it on request. */

import { h } from "./dom.js";

const LINES = 3;

/**
 * @param {import("./types.js").Context} ctx @param {HTMLElement} el with `.nbt-clamped` it has three lines
 * @returns {{ more: HTMLElement, sync(): void }} `more` is the button; `sync` is to be called when the text is new
 */
export function clamp(ctx, el) {
  const { t } = ctx;
  let whole = false;
  const more = h("button", { type: "button", class: "nbt-more", hidden: true, onclick: () => toggle() });
  const sync = () => {
    el.classList.toggle("nbt-clamped", !whole);
    more.textContent = whole ? t`Less` : t`Whole text`;
    more.setAttribute("aria-expanded", String(whole));
    if (!whole) {
      const line = el.clientHeight / LINES;
      more.hidden = el.scrollHeight <= el.clientHeight + line / 2; // buttons of tokens are higher than their line
      const word = /** @type {HTMLElement | null} */ (el.querySelector('mark, [aria-pressed="true"]'));
      const above = word && !more.hidden ? Math.floor(word.offsetTop / line) - 1 : 0;
      el.scrollTop = Math.max(0, above) * line; // the word is in the second line
    }
    el.classList.toggle("nbt-cut-above", !whole && el.scrollTop > 0);
    el.classList.toggle(
      "nbt-cut-below",
      !whole && !more.hidden && el.scrollTop + el.clientHeight < el.scrollHeight - 2,
    );
  };
  const toggle = () => {
    whole = !whole;
    sync();
  };
  const observer = new ResizeObserver(sync);
  observer.observe(el);
  ctx.signal.addEventListener("abort", () => observer.disconnect());
  return { more, sync };
}
