// @ts-check
/** Selecting patches: click, shift-click, a rectangle that is dragged; and the keyboard. */

import { PATCH_FROM } from "./dragging.js";
import { flipped, howMany, neighbour, otherAt, patchAt, patchesBetween, together } from "./patches.js";

/** @type {Record<string, [number, number]>} */
const STEPS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
const MOVED = 4; // pixels from which on a press is a brush

/** Cell of a grid or patch that is taken for patching. @typedef {{ side: string, layer: number | null, head?: number, position?: number, patch?: number }} Taken */

/** Tell those around an element that a cell is taken. @param {HTMLElement} el @param {Taken} detail */
export function take(el, detail) {
  el.dispatchEvent(new CustomEvent(PATCH_FROM, { detail, bubbles: true, composed: true }));
}

export class PatchSelection {
  /** @param {import("./patch_image.js").PatchImage} image */
  constructor(image) {
    this.image = image;
    this.at = Math.max(0, image.boxes.findIndex(Boolean));
    this.focused = false;
    /** @type {{ from: number[], x: number, y: number, more: boolean, moved: boolean, before: number[], rect: DOMRect } | null} */
    this.press = null;
    const { frame } = image;
    frame.addEventListener("pointerdown", (/** @type {PointerEvent} */ event) => this.onDown(event));
    frame.addEventListener("pointermove", (/** @type {PointerEvent} */ event) => this.onMove(event));
    frame.addEventListener("pointerup", (/** @type {PointerEvent} */ event) => this.onUp(event));
    frame.addEventListener("pointercancel", () => (this.press = null));
    frame.addEventListener("pointerleave", () => this.press || image.hover.set(null));
    frame.addEventListener("keydown", (/** @type {KeyboardEvent} */ event) => this.onKey(event));
    frame.addEventListener("focus", () => this.focus(frame.matches(":focus-visible")));
    frame.addEventListener("blur", () => this.focus(false));
  }

  get patches() {
    return /** @type {number[]} */ (this.image.get("patches") ?? []);
  }

  /** @param {number[]} patches */
  select(patches) {
    this.image.commit({ patches });
  }

  /** Place of the pointer, as shares of the image; of a press, as the image lay when it began: what is selected may move it. @param {PointerEvent} event */
  place({ clientX, clientY }) {
    const { left, top, width, height } = this.press?.rect ?? this.image.image.getBoundingClientRect();
    return [(clientX - left) / width, (clientY - top) / height];
  }

  /** @param {PointerEvent} event */
  onDown(event) {
    if (event.button || !event.isPrimary) return;
    const more = event.shiftKey || event.ctrlKey || event.metaKey;
    const { clientX: x, clientY: y } = event;
    this.press = null;
    const rect = this.image.image.getBoundingClientRect();
    this.press = { from: this.place(event), x, y, more, moved: false, before: this.patches, rect };
    if (event.pointerType === "mouse") this.image.frame.setPointerCapture(event.pointerId);
  }

  /** @param {PointerEvent} event */
  onMove(event) {
    const place = this.place(event);
    const { press, image } = this;
    image.hover.set(this.hovered(patchAt(image.boxes, place[0], place[1])));
    if (!press) return;
    press.moved ||= Math.hypot(event.clientX - press.x, event.clientY - press.y) > MOVED;
    if (!press.moved) return;
    const inside = patchesBetween(image.boxes, press.from, place);
    const next = press.more ? together(press.before, inside) : inside;
    if (next.join() !== this.patches.join()) this.select(next);
  }

  /** @param {number | null} patch */
  hovered(patch) {
    return patch === null ? null : { patch };
  }

  /** @param {PointerEvent} event */
  onUp(event) {
    const { press } = this;
    this.press = null;
    if (!press || press.moved) return;
    const patch = patchAt(this.image.boxes, press.from[0], press.from[1]);
    if (patch === null) return;
    this.at = patch;
    const { patches } = this;
    const only = patches.length === 1 && patches[0] === patch;
    this.select(press.more ? flipped(patches, patch) : only ? [] : [patch]);
    event.preventDefault();
  }

  /** @param {boolean} on */
  focus(on) {
    this.focused = on;
    this.image.mark();
    if (!on) this.image.hover.set(null);
  }

  /** @param {KeyboardEvent} event */
  onKey(event) {
    const { image, at } = this;
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const step = STEPS[event.key];
    if (step) {
      this.at = neighbour(image.boxes, at, ...step);
      if (event.shiftKey) this.select(together(this.patches, [at, this.at]));
    } else if (event.key === " " || event.key === "Enter") this.select(flipped(this.patches, at));
    else if (event.key === "Escape" && this.patches.length) this.select([]);
    else if (event.key === "t") this.at = otherAt(image.boxes, at);
    else if (event.key === "p") take(image.frame, this.taken());
    else return;
    event.preventDefault();
    event.stopPropagation();
    this.focused = true;
    image.hover.set({ patch: this.at });
    image.mark();
  }

  /** The patch with the focus, for patching. @returns {Taken} */
  taken() {
    return { side: this.image.side, layer: this.image.get("layer"), patch: this.at };
  }

  /** Who listens hears the patch with the focus, and how many are selected. */
  say() {
    const { image, patches, at } = this;
    if (!this.focused) return;
    const { t } = image;
    const state = patches.includes(at) ? t`selected` : t`not selected`;
    const text = [image.describePatch(at), state, howMany(t, patches.length)].join(" · ");
    if (image.spoken.textContent !== text) image.spoken.textContent = text;
  }
}
