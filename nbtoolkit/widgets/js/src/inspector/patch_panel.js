// @ts-check
/** States of the other image put into this one's pass: at the selected layer, at the selected patches or position, or where a cell is dropped. */

import { h } from "../dom.js";
import { patchFrom, placesOf } from "./edits.js";
import { Pane } from "./pane.js";

export class PatchPanel extends Pane {
  /** @param {import("./types.js").InspectorContext} ctx @param {(edits: import("./edits.js").Edit[]) => void} add */
  constructor(ctx, add) {
    super(ctx);
    const { t } = this;
    const select = (/** @type {string} */ label, /** @type {Record<string, string>} */ options) =>
      h(
        "select",
        { class: "nbt-select", "aria-label": label, onchange: () => this.sync() },
        ...Object.entries(options).map(([value, text]) => h("option", { value, text })),
      );
    /** @type {Record<string, string>} */
    const other = this.meta.sides.b ? { other: t`the other image` } : {};
    this.from = select(t`states from`, { ...other, blank: t`a blank image` });
    this.at = select(t`positions that are patched`, {
      selected: "",
      image: t`the image`,
      last: t`the word's position`,
    });
    this.go = this.button("", () => add([this.edit]));
    const hint = this.meta.sides.b
      ? h("p", { class: "nbt-note", text: t`or drag a cell of the other side here` })
      : null;
    this.el = h(
      "div",
      { class: "nbt-edit-panel" },
      h("div", { class: "nbt-edit-row" }, this.from, this.at, this.go),
      hint,
    );
    this.on(["layer", "patches", "token"], () => this.sync());
    this.sync();
  }

  get edit() {
    const [patches, token] = [this.get("patches"), this.get("token")];
    const chosen = placesOf({ layer: null, head: null, concept: null, patches, token });
    return patchFrom(this.get("layer") ?? 0, this.at.value === "selected" ? chosen : this.at.value, this.from.value);
  }

  sync() {
    const { t } = this;
    const [patches, token, layer] = [this.get("patches"), this.get("token"), this.get("layer")];
    const own = this.at.options[0];
    own.textContent = patches.length ? t`selected patches (${patches.length})` : t`position ${token ?? ""}`;
    if (own.disabled && (patches.length || token !== null)) this.at.value = "selected";
    own.hidden = own.disabled = !patches.length && token === null;
    if (own.disabled && this.at.value === "selected") this.at.value = "image";
    this.go.textContent = layer === null ? t`select a layer` : t`patch layer ${layer}`;
    this.go.disabled = layer === null;
  }
}
