// @ts-check
/** Two sides with one selection: the other image, what differs by layer and head, both responses; a cell that is dragged to this side is an edit. */

import { freshId, h } from "../dom.js";
import { visible } from "../words.js";
import { CELL, dropTarget, PATCH_FROM } from "./dragging.js";
import { DifferenceGrid } from "./difference_grid.js";
import { Pane } from "./pane.js";
import { PatchImage } from "./patch_image.js";
import { Ribbon } from "./ribbon.js";
import { SideTexts } from "./side_texts.js";

const AT_ONCE = ["lens", "attention"]; // of both sides, where they are cheap
const CHEAP = 3; // seconds

export class Compare extends Pane {
  /** @param {import("./types.js").InspectorContext} ctx */
  constructor(ctx) {
    super(ctx);
    const { t } = this;
    /** @type {Map<string, HTMLElement[]>} by side */
    this.parts = new Map();
    const id = freshId("sides");
    this.name = h("span", { class: "nbt-sides-label", dir: "auto" });
    const close = this.stepper(t`Close the comparison`, "×", () => this.commit({ compared: "" }));
    this.patches = this.button("", () => this.take({ patches: this.get("patches") }), { draggable: "true" });
    this.patches.addEventListener("dragstart", (/** @type {DragEvent} */ event) =>
      this.drag(event, { patches: this.get("patches") }),
    );
    this.heading = h("h3", { class: "nbt-h", id, text: t`Compare` });
    this.body = h("div", { class: "nbt-sides-body" });
    const head = h("div", { class: "nbt-sides-head" }, this.heading, this.name, this.patches, close);
    this.el = h("section", { class: "nbt-sides", "aria-labelledby": id, "data-at": "compared" }, head, this.body);
    this.on(["compared"], () => this.sync());
    this.on(["patches", "layer", "edits"], () => this.syncPatches());
    this.on(["target", "foil", "edits"], () => queueMicrotask(() => this.compute()));
    requestAnimationFrame(() => this.listen());
    this.sync();
  }

  /** Name of the second side in the store; "" for none. */
  get side() {
    const { other: b = "", edited = "" } = { other: this.meta.sides.b && "b", edited: "edited" };
    return /** @type {Record<string, string>} */ ({ other: b, edited })[this.get("compared")] ?? "";
  }

  /** Cells can be dropped on the image and the grids of this side. */
  listen() {
    const body = /** @type {HTMLElement | null} */ (this.el.closest(".nbt-root")?.querySelector(".nbt-inspector-body"));
    if (body) dropTarget(body, (cell) => this.take(cell));
  }

  /** Another second side is built once: each keeps its parts. */
  sync() {
    const { t, side } = this;
    if (side && !this.parts.has(side)) this.parts.set(side, this.build(side));
    this.body.replaceChildren(...(this.parts.get(side) ?? []));
    this.name.textContent = side === "b" ? visible(this.store.side("b").label) : side ? t`under the edits` : "";
    this.compute();
    this.syncPatches();
  }

  /** @param {string} side */
  build(side) {
    const image = new PatchImage(this.ctx, side).el;
    const parts = [image, new DifferenceGrid(this.ctx, side).el, new SideTexts(this.ctx, side).el];
    return side === "b" ? [this.ribbon(), ...parts] : parts;
  }

  /** The sequence of the other side; its positions can be dragged, and p takes the one with the focus. */
  ribbon() {
    const ribbon = new Ribbon(this.ctx, "b");
    ribbon.row.setAttribute("aria-label", this.t`Sequence of the other side`);
    ribbon.row.removeAttribute("data-at"); // a lesson points at this side's
    const positionOf = (/** @type {EventTarget | null} */ target) =>
      [...ribbon.tokens].find(([, el]) => el.contains(/** @type {Node} */ (target)))?.[0];
    for (const el of ribbon.tokens.values()) el.draggable = true;
    ribbon.el.addEventListener("dragstart", (/** @type {DragEvent} */ event) => {
      const position = positionOf(event.target);
      if (position !== undefined) this.drag(event, { position });
    });
    ribbon.el.addEventListener("keydown", (/** @type {KeyboardEvent} */ event) => {
      const position = positionOf(event.target);
      if (event.key !== "p" || position === undefined) return;
      event.preventDefault();
      this.take({ position });
    });
    return ribbon.el;
  }

  /** @param {DragEvent} event @param {{ position?: number, patches?: number[] }} cell */
  drag(event, cell) {
    event.dataTransfer?.setData(CELL, JSON.stringify({ side: this.side, layer: this.get("layer"), ...cell }));
    if (event.dataTransfer) event.dataTransfer.effectAllowed = "copy";
  }

  /** Tell the edit bar of a cell whose states are to be put in this side's place. @param {any} cell */
  take(cell) {
    const detail = { side: this.side, layer: this.get("layer"), ...cell };
    this.el.dispatchEvent(new CustomEvent(PATCH_FROM, { detail, bubbles: true, composed: true }));
  }

  syncPatches() {
    const { t } = this;
    const [patches, layer] = [this.get("patches"), this.get("layer")];
    this.patches.hidden = this.side !== "b" || !this.ctx.live || !patches.length || layer === null;
    this.patches.textContent = t`put selected patches (${patches.length}) of layer ${layer ?? ""} into this side`;
    this.patches.title = t`or drag this, or a word of the other sequence, to this side`;
  }

  /** What a comparison needs, where it is cheap. */
  compute() {
    const { side } = this;
    if (!side || this.ctx.signal.aborted || (side === "edited" && !this.get("edits").length)) return;
    for (const name of AT_ONCE) {
      if ((this.store.instrument(name)?.seconds ?? Infinity) > CHEAP) continue;
      for (const one of ["a", side]) this.store.compute(name, { side: one });
    }
  }
}
