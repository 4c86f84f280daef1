// @ts-check
/** The image in a dialog: its response, and the activation and rank of one concept. */

import { h, signed } from "./dom.js";
import { Pane } from "./pane.js";
import { visible } from "./words.js";

export class ImageDialog extends Pane {
  /** @param {import("./types.js").Context} ctx */
  constructor(ctx) {
    super(ctx);
    this.image = h("img", { class: "nbt-full", alt: "" });
    this.response = h("p", { class: "nbt-full-response" });
    this.facts = h("p", { class: "nbt-note" });
    const close = this.button(this.t`Close`, () => this.el.close());
    const parts = [this.image, this.response, this.facts, close];
    /** @type {HTMLDialogElement} */
    this.el = h("dialog", { class: "nbt-dialog", "aria-label": this.t`Image` }, ...parts);
    this.el.addEventListener("click", (event) => {
      if (event.target === this.el) this.el.close(); // beside the image
    });
  }

  /** @param {number} row @param {number | null} concept */
  async open(row, concept) {
    const { source, t } = this;
    try {
      const layer = this.get("layer");
      const [{ facts, url }, activations] = await Promise.all([source.sample(row), source.activations(layer)]);
      this.image.hidden = !url;
      if (url) this.image.src = url;
      this.image.alt = visible(facts.caption);
      this.response.textContent = this.image.alt;
      const rank = concept === null ? "" : this.rank(activations, row, concept);
      this.facts.textContent = [visible(facts.id), t`layer ${layer}`, rank].filter(Boolean).join(" · ");
      if (!this.el.open) this.el.showModal();
    } catch (error) {
      this.ctx.say(String(error));
    }
  }

  /** @param {import("./types.js").Activations} activations @param {number} row @param {number} concept */
  rank({ values, nConcepts }, row, concept) {
    const { t } = this;
    const name = t`concept ${concept}, ${this.name(concept)}`;
    const at = (/** @type {number} */ i) => values[i * nConcepts + concept];
    if (!at(row)) return t`${name}: activation 0`;
    const n = values.length / nConcepts;
    const above = Array.from({ length: n }, (_, i) => i).filter((i) => Math.abs(at(i)) > Math.abs(at(row))).length;
    return t`${name}: activation ${signed(at(row))}, rank ${above + 1} of ${n} images`;
  }
}
