// @ts-check
/** Layer ablation: the controls that ablate layers, their parts, heads or the selected concept; and the sweep over the layers. */

import { freshId, h } from "./dom.js";
import {
  HOW,
  hasConcept,
  layersEdit,
  parseHeads,
  PARTS,
  takesHeads,
  toggleConcept,
  toggleLayer,
  withLayers,
} from "./edits.js";
import { LayerEffects } from "./layer_effects.js";
import { Pane } from "./pane.js";
import { translate } from "./words.js";

export class LayerAblation extends Pane {
  /** @param {import("./types.js").Context} ctx */
  constructor(ctx) {
    super(ctx);
    this.live = /** @type {NonNullable<typeof this.meta.live>} */ (this.meta.live);
    this.layers = Array.from({ length: this.live.n_layers }, (_, i) => i + 1);
    this.effects = new LayerEffects(ctx, (layer) => this.toggleLayer(layer));
    this.build();
    this.on(["edits", "sample", "layer", "concept", "labels"], () => this.sync());
    this.sync();
  }

  /** @returns {import("./edits.js").Edit[]} */
  get edits() {
    return this.get("edits") ?? [];
  }

  /** @param {number} layer */
  toggleLayer(layer) {
    this.commit({ edits: toggleLayer(this.edits, layer) });
  }

  build() {
    const { t, live } = this;
    const id = freshId("ablation");
    this.subject = h("span", { class: "nbt-note" });
    this.refusal = h("p", { class: "nbt-error", role: "alert", hidden: true });
    this.conceptBox = h("input", { type: "checkbox", onchange: () => this.toggleSelected() });
    this.conceptText = h("span");
    const concept = h("label", { class: "nbt-check" }, this.conceptBox, this.conceptText);
    const heading = h("h3", { class: "nbt-h", id, text: t`Layer ablation` });
    const left = h("div", {}, ...this.controls(), this.refusal, concept);
    this.el = h(
      "section",
      { class: "nbt-ablation", "aria-labelledby": id },
      h(
        "div",
        { class: "nbt-ablation-head" },
        heading,
        h("span", { class: "nbt-note", text: t`live, in ${live.name}` }),
        this.subject,
      ),
      h("div", { class: "nbt-ablation-body" }, left, this.effects.el),
    );
  }

  /** Layers, part, kind of ablation and heads. */
  controls() {
    const { t, live } = this;
    this.switches = this.layers.map((layer) => {
      const onclick = () => this.toggleLayer(layer);
      return h("button", {
        type: "button",
        class: "nbt-switch",
        "aria-label": t`ablate layer ${layer}`,
        text: layer,
        onclick,
      });
    });
    this.part = this.select("part", t`ablated part`, PARTS);
    this.how = this.select("how", t`kind of ablation`, HOW);
    this.heads = h("input", {
      class: "nbt-search nbt-heads",
      placeholder: t`all heads`,
      "aria-label": t`heads, 0 to ${live.n_heads - 1}, separated by commas; all if empty`,
      onchange: () => this.setHeads(),
    });
    return [
      h("div", { class: "nbt-switches", role: "group", "aria-label": t`Layers` }, ...this.switches),
      h("div", { class: "nbt-toolbar" }, this.part, this.how, this.heads),
    ];
  }

  /** @param {string} name of the edit's entry @param {string} label @param {Record<string, string>} options */
  select(name, label, options) {
    const items = Object.entries(options).map(([value, text]) => h("option", { value, text: translate(this.t, text) }));
    const onchange = () => this.commit({ edits: withLayers(this.edits, { [name]: select.value }) });
    const select = h("select", { class: "nbt-select", "aria-label": label, onchange }, ...items);
    return select;
  }

  setHeads() {
    const { t, live } = this;
    const [text, heads] = [this.heads.value, parseHeads(this.heads.value, live.n_heads)];
    this.refusal.hidden = heads !== undefined;
    this.refusal.textContent = t`Heads are “${text}”; expected numbers from 0 to ${live.n_heads - 1}, separated by commas.`;
    if (heads !== undefined) this.commit({ edits: withLayers(this.edits, { heads }) });
  }

  toggleSelected() {
    const [layer, concept] = [this.get("layer"), this.get("concept")];
    if (concept !== null) this.commit({ edits: toggleConcept(this.edits, layer, concept) });
  }

  /** Show the edits in the controls. */
  sync() {
    const { t, edits } = this;
    const edit = layersEdit(edits);
    if (this.subject) this.subject.textContent = this.imageName;
    this.switches?.forEach((button, i) =>
      button.setAttribute("aria-pressed", String(edit.layers.includes(this.layers[i]))),
    );
    this.part.value = edit.part;
    this.how.value = edit.how;
    this.refusal.hidden = true; // the field has the heads of the edit again
    this.heads.disabled = !takesHeads(edit);
    this.heads.value = edit.heads?.join(", ") ?? "";
    const [layer, k] = [this.get("layer"), this.get("concept")];
    this.conceptBox.disabled = k === null || !this.concepts[k];
    this.conceptBox.checked = k !== null && hasConcept(edits, layer, k);
    this.conceptText.textContent = this.conceptBox.disabled
      ? t`select a concept to ablate it`
      : t`ablate concept ${k}, ${this.name(k)}, at layer ${layer}`;
  }
}
