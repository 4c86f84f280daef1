// @ts-check
/** Edits of the forward pass from what is selected or ticked, and what they change. */

import { freshId, h, refill } from "../dom.js";
import { EditList } from "../edit_list.js";
import { translate, visible } from "../words.js";
import { takeCells } from "./dragging.js";
import { EditResult } from "./edit_result.js";
import { ablations, editText, knockOut, mask, MOST, patchOfCell, takesMean, withEdits } from "./edits.js";
import { Pane } from "./pane.js";
import { PatchPanel } from "./patch_panel.js";
import { SteerPanel } from "./steer_panel.js";

/** @typedef {import("./edits.js").Edit} Edit */

const HOW = { zero: "by zero", mean: "by the mean" };

export class EditBar extends Pane {
  /** @param {import("./types.js").InspectorContext} ctx */
  constructor(ctx) {
    super(ctx);
    const { t } = this;
    const id = freshId("edits");
    this.result = new EditResult(ctx);
    const named = (/** @type {Edit} */ edit) => this.text(edit);
    const lines = () => this.store.job("edits_as_python", { edits: this.edits, target: this.get("target") });
    const python = ctx.live ? async () => (await lines().result).text : null;
    this.list = new EditList(ctx, { text: named, lines: python, of: ["target"] });
    this.panels = {
      patch: new PatchPanel(ctx, (edits) => this.add(edits)),
      steer: new SteerPanel(ctx, (edits) => this.result.ask(edits)),
    };
    this.open = "";
    /** @type {Record<string, HTMLButtonElement>} */
    this.buttons = {};
    this.beside = h("select", {
      class: "nbt-select",
      "aria-label": t`Compare`,
      "data-at": "compared",
      onchange: () => this.commit({ compared: this.beside.value }),
    });
    const panels = Object.values(this.panels).map(({ el }) => el);
    this.el = h(
      "section",
      {
        class: "nbt-edit-bar",
        "aria-labelledby": id,
        "data-at": "edits",
        onkeydown: (/** @type {any} */ e) => this.onKey(e),
      },
      h("div", { class: "nbt-ledger-head" }, h("h3", { class: "nbt-h", id, text: t`Edits` }), this.beside),
      ctx.live ? h("div", { class: "nbt-edit-tools" }, ...this.tools()) : this.saved(),
      ...(ctx.live ? panels : []),
      this.result.el,
      this.list.el,
    );
    takeCells(ctx, this.el, (cell) => this.patchFrom(cell));
    this.on(["layer", "head", "patches", "concept", "token", "ticked", "edits", "target", "foil"], () => this.sync());
    this.on(["compared", "edits"], () => this.syncCompared());
    this.sync();
    this.syncCompared();
  }

  /** @returns {Edit[]} */
  get edits() {
    return this.get("edits") ?? [];
  }

  /** @returns {import("./edits.js").Selection} */
  get selection() {
    const [layer, head, token, concept] = ["layer", "head", "token", "concept"].map((trait) => this.get(trait));
    return { layer, head, token, concept, patches: this.get("patches") };
  }

  /** @param {Edit} edit */
  text(edit) {
    const name = (/** @type {number} */ layer, /** @type {number} */ concept) =>
      visible(this.meta.study?.names[String(layer)]?.[concept] ?? String(concept));
    return editText(this.t, edit, name);
  }

  tools() {
    const { t } = this;
    this.how = h(
      "select",
      { class: "nbt-select nbt-edit-how", "aria-label": t`ablate`, onchange: () => this.sync() },
      ...Object.entries(HOW).map(([value, text]) => h("option", { value, text: translate(t, text) })),
    );
    this.buttons = {
      knock: this.tool(t`Knock out`, () => this.add([knockOut(this.selection)])),
      ablate: this.tool(t`Ablate`, () => this.add(this.ablations)),
      patch: this.tool(t`Patch from…`, () => this.unfold("patch")),
      steer: this.tool(t`Steer`, () => this.unfold("steer")),
      mask: this.tool(t`Mask`, () => this.add([mask(this.get("patches"))])),
    };
    const { knock, ablate, patch, steer, mask: masking } = this.buttons;
    return [knock, h("span", { class: "nbt-edit-joined" }, ablate, this.how), patch, steer, masking];
  }

  /** A button that says what is missing where it cannot do its work. @param {string} text @param {() => void} then @returns {HTMLButtonElement} */
  tool(text, then) {
    const button = this.button(text, () =>
      button.getAttribute("aria-disabled") ? this.ctx.say(button.title) : then(),
    );
    return button;
  }

  /** Edits that the page without a kernel has results of. */
  saved() {
    this.stored = h("div", { class: "nbt-edits" });
    return h(
      "div",
      {},
      h("p", { class: "nbt-note", text: this.t`Further edits need the model: run the cell.` }),
      this.stored,
    );
  }

  get ablations() {
    return ablations(this.get("ticked"), this.selection, this.how.value);
  }

  /** @param {Edit[]} more */
  add(more) {
    const edits = withEdits(this.edits, more);
    if (edits.length > MOST) this.ctx.say(this.t`At most ${MOST} edits: remove one first.`);
    else if (edits.length > this.edits.length) {
      this.result.reveal = true;
      this.commit({ edits });
    }
  }

  /** Open a panel, or close it. @param {"patch" | "steer"} name */
  unfold(name) {
    this.open = this.open === name ? "" : name;
    this.sync();
    if (this.open) /** @type {HTMLElement | null} */ (this.panels[name].el.querySelector("select, input"))?.focus();
  }

  /** What each button lacks; "" where it can do its work. @returns {Record<string, string>} */
  get missing() {
    const { t } = this;
    const { layer, patches } = this.selection;
    const positions = this.store.side().tokens.some(([, role]) => role === "image");
    const full = this.edits.length >= MOST ? t`At most ${MOST} edits: remove one first.` : "";
    const needsLayer = layer === null ? t`Select a layer first: in a grid, or in the ledger.` : "";
    return {
      knock: positions || patches.length ? full : t`The image has no positions of its own.`,
      ablate: this.ablations.length ? full : t`Tick parts of the ledger, or select a layer or head.`,
      patch: needsLayer || full,
      steer: needsLayer,
      mask: patches.length ? full : t`Select patches on the image first.`,
    };
  }

  sync() {
    if (!this.ctx.live) return this.syncStored();
    const { t } = this;
    const takes = takesMean(this.get("ticked"), this.selection);
    this.how.options[1].disabled = !takes;
    this.how.title = takes ? "" : t`the mean is of whole layers; heads, neurons and concepts become zero`;
    if (!takes) this.how.value = "zero";
    const { missing } = this;
    /** @type {Record<string, () => string>} */
    const titles = {
      knock: () => this.text(knockOut(this.selection)),
      ablate: () => this.ablations.map((edit) => this.text(edit)).join("; "),
      patch: () => t`states of another image at the selected layer`,
      steer: () => t`by a concept or a word, at the selected layer`,
      mask: () => this.text(mask(this.get("patches"))),
    };
    for (const [name, button] of Object.entries(this.buttons)) {
      if (missing[name]) button.setAttribute("aria-disabled", "true");
      else button.removeAttribute("aria-disabled");
      button.title = missing[name] || titles[name]();
    }
    for (const [name, panel] of Object.entries(this.panels)) {
      panel.el.hidden = this.open !== name || Boolean(missing[name]);
      this.buttons[name].setAttribute("aria-expanded", String(!panel.el.hidden));
    }
  }

  syncStored() {
    const start = `${this.get("target")}|${this.get("foil")}|`;
    const stored = (this.ctx.source.edits ?? []).filter((key) => key.startsWith(start));
    const now = JSON.stringify(this.edits);
    const chips = stored.map((key) => {
      const own = key.slice(start.length);
      const edits = JSON.parse(own);
      const text = edits.map((/** @type {Edit} */ edit) => this.text(edit)).join(" + ");
      return this.button(text, () => this.commit({ edits }), { "aria-pressed": String(own === now) });
    });
    refill(this.stored, ...chips);
  }

  /** What can be compared with this side. */
  syncCompared() {
    const { t } = this;
    const compared = this.get("compared") ?? "";
    const options = [["", t`compare…`]];
    if (this.meta.sides.b) options.push(["other", t`with the other side`]);
    if (this.edits.length || compared === "edited") options.push(["edited", t`with the edits`]);
    this.beside.replaceChildren(...options.map(([value, text]) => h("option", { value, text })));
    this.beside.value = compared;
    this.beside.hidden = options.length < 2;
  }

  /** @param {any} cell */
  patchFrom(cell) {
    const { tokens, geometry } = this.store.side();
    const patches = geometry?.positions.length ?? 0;
    const from = this.meta.sides.b ? "other" : "blank";
    const edit = patchOfCell(cell, { layers: this.meta.n_layers, positions: tokens.length, patches }, from);
    if (edit && this.ctx.live) this.add([edit]);
    else
      this.ctx.say(
        this.ctx.live
          ? this.missing.patch || this.t`No state of this place can be patched.`
          : this.t`Further edits need the model: run the cell.`,
      );
  }

  /** @param {KeyboardEvent} event */
  onKey(event) {
    if (event.key === "Escape" && this.open) {
      const button = this.buttons[this.open];
      this.open = "";
      this.sync();
      button.focus();
      event.stopPropagation();
    } else this.list.onKey(event);
  }
}
