// @ts-check
/** Layer ablation: ablate layers, their parts, heads or concepts in the live model; the response and log-probability then. */

import { freshId, h, reason, signed } from "./dom.js";
import {
  HOW,
  hasConcept,
  isActive,
  layersEdit,
  ofLayers,
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

const TAGS = { same: "span", gone: "del", new: "ins" };

export class LayerAblation extends Pane {
  /** @param {import("./types.js").Context} ctx */
  constructor(ctx) {
    super(ctx);
    this.live = /** @type {NonNullable<typeof this.meta.live>} */ (this.meta.live);
    this.layers = Array.from({ length: this.live.n_layers }, (_, i) => i + 1);
    this.turn = 0;
    this.effects = new LayerEffects(ctx, (layer) => this.toggleLayer(layer));
    this.build();
    this.on(["edits"], () => {
      this.sync();
      this.ask();
    });
    this.on(["sample", "layer"], () => {
      this.sync();
      this.ask();
    });
    this.on(["concept", "labels"], () => this.sync());
    this.sync();
    this.ask();
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
    this.result = h("div", { class: "nbt-effect", "aria-live": "polite" });
    this.conceptBox = h("input", { type: "checkbox", onchange: () => this.toggleSelected() });
    this.conceptText = h("span");
    this.others = h("p", { class: "nbt-edits" });
    const concept = h("label", { class: "nbt-check" }, this.conceptBox, this.conceptText);
    const heading = h("h3", { class: "nbt-h", id, text: t`Layer ablation` });
    const left = h("div", {}, ...this.controls(), concept, this.others, this.result);
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
    this.reset = this.button(t`Reset`, () => this.commit({ edits: [] }), { hidden: true });
    return [
      h("div", { class: "nbt-switches", role: "group", "aria-label": t`Layers` }, ...this.switches),
      h("div", { class: "nbt-toolbar" }, this.part, this.how, this.heads, this.reset),
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
    const heads = parseHeads(this.heads.value, this.live.n_heads);
    if (heads !== undefined) this.commit({ edits: withLayers(this.edits, { heads }) });
    else
      this.fail(
        this
          .t`Heads are “${this.heads.value}”; expected numbers from 0 to ${this.live.n_heads - 1}, separated by commas.`,
      );
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
    this.heads.disabled = !takesHeads(edit);
    this.heads.value = edit.heads?.join(", ") ?? "";
    this.reset.hidden = !edits.length;
    const [layer, k] = [this.get("layer"), this.get("concept")];
    this.conceptBox.disabled = k === null || !this.concepts[k];
    this.conceptBox.checked = k !== null && hasConcept(edits, layer, k);
    this.conceptText.textContent = this.conceptBox.disabled
      ? t`select a concept to ablate it`
      : t`ablate concept ${k}, ${this.name(k)}, at layer ${layer}`;
    this.others.replaceChildren(...this.chips(edits, edit));
  }

  /** Edits that the other controls do not show. @param {import("./edits.js").Edit[]} edits @param {import("./edits.js").Edit} first */
  chips(edits, first) {
    const { t } = this;
    const [layer, k] = [this.get("layer"), this.get("concept")];
    const hasControl = (/** @type {import("./edits.js").Edit} */ edit) =>
      edit === first || (!ofLayers(edit) && edit.layer === layer && edit.concept === k);
    return edits
      .filter((edit) => !hasControl(edit))
      .map((edit) => {
        const text = ofLayers(edit)
          ? t`${translate(t, HOW[/** @type {"zero" | "mean"} */ (edit.how)])}, layers ${edit.layers.join(", ")}`
          : t`concept ${edit.concept}, layer ${edit.layer}`;
        const remove = () => this.commit({ edits: this.edits.filter((other) => other !== edit) });
        return this.button(`${text} ×`, remove, { "aria-label": t`remove ${text}` });
      });
  }

  /** Run the edited model, and drop replies to earlier requests. */
  async ask() {
    const mine = ++this.turn;
    if (!this.edits.some(isActive)) {
      this.show([h("p", { class: "nbt-note", text: this.t`No ablation selected.` })]);
      return;
    }
    this.result.classList.add("nbt-stale");
    try {
      const question = { sample: this.get("sample"), edits: this.edits, at: this.get("layer") };
      const result = await this.source.job?.("ablate", question).result;
      if (mine === this.turn) this.showEffect(result);
    } catch (error) {
      if (mine === this.turn) this.fail(reason(this.t, error));
    }
  }

  /** @param {HTMLElement[]} children */
  show(children) {
    this.result.replaceChildren(...children);
    this.result.classList.remove("nbt-stale");
  }

  /** @param {string} text */
  fail(text) {
    this.show([h("p", { class: "nbt-error", text })]);
  }

  /** @param {any} effect of the operation `ablate` */
  showEffect(effect) {
    const { t, meta } = this;
    const change = signed(effect.after - effect.before, 3, "+");
    const words = effect.difference.flatMap((/** @type {[keyof typeof TAGS, string]} */ [kind, text]) => [
      h(TAGS[kind], { text }),
      " ",
    ]);
    const range = t`(from ${signed(effect.before, 3)} to ${signed(effect.after, 3)})`;
    this.show(
      [
        h("p", { class: "nbt-note", text: t`Response with this ablation, against the one without` }),
        h("p", { class: "nbt-response" }, ...words),
        h(
          "p",
          {},
          `${t`Δ log p of “${meta.token}”`}: `,
          h("strong", { text: t`${change} nats` }),
          h("span", { class: "nbt-note", text: ` ${range}` }),
        ),
        this.list(t`Concepts no longer active`, effect.vanished, effect.layer),
        this.list(t`Concepts newly active`, effect.appeared, effect.layer),
      ].filter((el) => el !== null),
    );
    this.ctx.say(`${t`${change} nats`}. ${t`Response`}: ${effect.response}`);
  }

  /** @param {string} title @param {number[]} rows of concepts @param {number} layer */
  list(title, rows, layer) {
    if (!rows.length) return null;
    const chip = (/** @type {number} */ k) =>
      h("span", {
        class: "nbt-chip",
        style: { borderColor: this.colour(k, layer) },
        text: `${k} ${this.name(k, layer)}`,
      });
    return h("p", {}, `${title}: `, ...rows.map(chip));
  }
}
