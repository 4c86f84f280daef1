// @ts-check
/** A bar that stays in sight while its view is scrolled, also where a notebook's outputs clip what sticks by CSS. */

/** The ancestor in which an element is scrolled. @param {HTMLElement} el @returns {HTMLElement | null} */
function scroller(el) {
  for (let at = el.parentElement; at; at = at.parentElement) {
    const scrolls = /auto|scroll/.test(getComputedStyle(at).overflowY) && at.scrollHeight > at.clientHeight + 1;
    if (scrolls) return at;
  }
  return null;
}

/**
 * Keep an element at the upper edge of what is visible of its root.
 * @param {HTMLElement} el at the top of the root @param {AbortSignal} signal
 */
export function stick(el, signal) {
  let shift = 0;
  const place = () => {
    const root = el.closest(".nbt-root");
    if (!root) return;
    const own = el.getBoundingClientRect();
    const edge = Math.max(0, scroller(el)?.getBoundingClientRect().top ?? 0);
    const start = own.top - shift;
    const room = Math.max(0, root.getBoundingClientRect().bottom - start - own.height);
    shift = Math.round(Math.min(room, Math.max(0, edge - start)));
    el.style.transform = shift ? `translateY(${shift}px)` : "";
  };
  document.addEventListener("scroll", place, { capture: true, passive: true, signal });
  window.addEventListener("resize", place, { signal });
}
