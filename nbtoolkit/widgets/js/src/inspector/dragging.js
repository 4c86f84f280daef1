// @ts-check
/** Cells that are dragged from one side to the other. */

export const CELL = "application/x-nbt-cell"; // {side, layer, position | patch} as JSON
export const PATCH_FROM = "nbt-patch-from"; // event whose detail is such a cell, dropped elsewhere in the view

/** A cell that was dropped, as data; null where it is none. @param {string} text */
export function cellOf(text) {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

/**
 * Take cells that are dropped on an element.
 * @param {HTMLElement} el @param {(cell: any) => void} then
 */
export function dropTarget(el, then) {
  el.addEventListener("dragover", (/** @type {DragEvent} */ event) => {
    if (!event.dataTransfer?.types.includes(CELL)) return;
    event.preventDefault();
    el.classList.add("nbt-dropping");
  });
  el.addEventListener("dragleave", () => el.classList.remove("nbt-dropping"));
  el.addEventListener("drop", (/** @type {DragEvent} */ event) => {
    el.classList.remove("nbt-dropping");
    if (!event.dataTransfer?.types.includes(CELL)) return;
    event.preventDefault();
    event.stopPropagation();
    then(cellOf(event.dataTransfer.getData(CELL)));
  });
}

/**
 * Take cells that are dropped on an element, and those that the view's other parts say were dropped there.
 * @param {{ signal: AbortSignal }} ctx @param {HTMLElement} el @param {(cell: any) => void} then
 */
export function takeCells({ signal }, el, then) {
  dropTarget(el, then);
  const heard = (/** @type {any} */ event) => {
    event.stopPropagation();
    then(event.detail);
  };
  requestAnimationFrame(() => el.closest(".nbt-root")?.addEventListener(PATCH_FROM, heard, { signal }));
}
