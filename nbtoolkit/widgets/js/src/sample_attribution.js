// @ts-check
/** SampleAttribution: one image, its response, and the concepts at a token of it. */

import { ConceptBars } from "./concept_bars.js";
import { h, reason } from "./dom.js";
import { Pane } from "./pane.js";
import { Photographs } from "./photographs.js";
import { Response } from "./response.js";
import { SampleOverlay } from "./sample_overlay.js";
import { strongest } from "./state.js";

/**
 * The data of the selected sample at the selected layer; `row` is its row in the activations.
 * @typedef {{ activations: import("./types.js").Activations, row: number, tokens: import("./types.js").Tokens | null, attribution: import("./types.js").Attribution | null }} Result
 */

export class SampleAttribution extends Pane {
  /** @param {import("./types.js").Context} ctx */
  constructor(ctx) {
    super(ctx);
    this.turn = 0;
    this.current = ""; // id of the sample whose image is shown
    this.trouble = ""; // why a live operation has no result
    /** @type {Result | null} */
    this.result = null;
    this.bars = new ConceptBars(ctx);
    this.response = new Response(ctx, (at) => this.paintBars(at));
    this.overlay = new SampleOverlay(ctx, this);
    this.el = h("section", { class: "nbt-sample", "aria-label": this.t`One image` });
    this.photographs = new Photographs(ctx, this.el);
    this.build();
    this.listen();
    this.paint();
  }

  build() {
    const { t } = this;
    this.heading = h("h3", { class: "nbt-h" });
    this.missing = h("p", { class: "nbt-note", hidden: true });
    this.lacking = h("p", { class: "nbt-lacking", hidden: true });
    this.references = h("ul", { class: "nbt-references" });
    this.details = h(
      "details",
      { class: "nbt-details" },
      h("summary", { text: t`Captions of the data set` }),
      this.references,
    );
    const { photographs } = this;
    const head = h(
      "div",
      { class: "nbt-sample-head" },
      this.heading,
      this.stepper(t`previous image`, "‹", () => this.step(-1)),
      this.stepper(t`next image`, "›", () => this.step(1)),
      photographs.control,
    );
    const { overlay, response } = this;
    const tools = this.source.ask ? this.tools() : photographs.strip;
    const caption = h("div", {}, response.el, this.lacking, this.details, overlay.scale, overlay.note);
    const parts = [overlay.frame, caption, tools, this.missing];
    const left = h("div", { class: "nbt-sample-picture" }, ...parts);
    const body = h("div", { class: "nbt-sample-body" }, left, this.bars.el);
    this.el.append(head, photographs.note, body);
  }

  /** Controls of what needs a model. */
  tools() {
    const { t } = this;
    const attribution = this.toggle(
      "attribution",
      t`Attribution`,
      t`change of the token's log-probability, or of its logit difference to a foil, without each concept`,
      () => ({ token: null }), // it is of the token under study
    );
    const tokens = this.toggle(
      "all_tokens",
      t`All tokens`,
      t`select any token of the response to see its concepts`,
      () => ({ token: null }),
    );
    this.tokenTools = [attribution, tokens]; // they need a response with the token
    return h("div", { class: "nbt-toolbar" }, this.overlay.select, ...this.tokenTools, this.photographs.strip);
  }

  listen() {
    this.on(["layer", "sample", "attribution", "all_tokens"], () => this.paint());
    this.on(["token"], () => this.onToken());
    this.on(["labels"], () => this.result && this.paintBars());
    this.on(["concept"], () => {
      this.bars.sync();
      this.overlay.paint();
    });
  }

  /** Select another sample. @param {number} by */
  step(by) {
    const n = this.meta.samples.length;
    this.commit({ token: null, sample: this.meta.samples[(this.row + by + n) % n].id });
  }

  onToken() {
    if (this.get("token") !== null && !this.result?.tokens) {
      this.paint();
      return;
    }
    this.paintBars();
    this.overlay.paint();
  }

  async paint() {
    const mine = ++this.turn;
    const [row, layer] = [this.row, this.get("layer")];
    this.heading.textContent = this.heading.title = this.imageName;
    try {
      const all = this.source.ofRow(row, layer);
      all.catch(() => {}); // reported below
      const { id, own } = this.meta.samples[row];
      const { facts, url } = await this.source.sample(row);
      if (mine !== this.turn) return; // a later one is on its way
      if (own && id !== this.current) this.wait(facts, url);
      this.current = id;
      const { activations, at, facts: response = facts } = await all;
      if (mine !== this.turn) return;
      this.paintImage(response, url);
      const lacks = response.position < 0;
      this.paintLacking(lacks, response);
      this.trouble = "";
      const tokens = await this.ask(this.response.needsTokens && !lacks, "concepts_per_token", row, layer);
      if (mine !== this.turn) return;
      this.response.paint(response, tokens);
      const attribution = await this.ask(this.get("attribution") && !lacks, "attribution", row, layer);
      if (mine !== this.turn) return;
      this.result = lacks ? null : { activations, row: at, tokens, attribution }; // without the token there are no bars
      await this.ctx.more(strongest(activations, at).map(({ concept }) => concept));
      if (mine !== this.turn) return;
      this.bars.el.hidden = lacks;
      if (lacks) this.bars.clear(this.meta.token);
      else this.paintBars();
      this.overlay.paint();
    } catch (error) {
      if (mine !== this.turn) return;
      if (this.meta.samples[row]?.own) this.response.clear(reason(this.t, error));
      else this.ctx.say(String(error));
    }
  }

  /** Show a photograph until the model has responded. @param {import("./types.js").Facts} facts @param {string | null} url */
  wait(facts, url) {
    this.result = null;
    this.paintImage(facts, url);
    this.paintLacking(false, facts);
    this.response.clear("…");
    this.bars.clear(this.meta.token);
    this.overlay.clear();
  }

  /** Where the response lacks the token there are no concepts at it. @param {boolean} lacks @param {import("./types.js").Facts} facts */
  paintLacking(lacks, { given }) {
    const { t, meta } = this;
    this.response.head(Boolean(given ?? meta.given));
    this.tokenTools?.forEach((el) => (el.disabled = lacks));
    this.lacking.hidden = !lacks;
    if (!lacks) return;
    const text = t`“${meta.token}” is not in this response, so there are no concepts at it; heat maps need no word.`;
    const box = h("input", {
      class: "nbt-search",
      placeholder: t`caption with “${meta.token}” …`,
      "aria-label": t`a caption with “${meta.token}” to read instead`,
      onchange: () => this.photographs.caption(box.value),
    });
    this.lacking.replaceChildren(h("span", { text }), this.source.job ? box : "");
  }

  /** @param {import("./types.js").Facts} facts @param {string | null} url */
  paintImage(facts, url) {
    const { t } = this;
    this.overlay.show(url, facts.captions[0] ?? facts.caption);
    this.missing.hidden = Boolean(url);
    this.missing.textContent = facts.pictured
      ? t`This image is not in the page; export with a larger max_mb.`
      : t`The study has no image of this sample.`;
    this.details.hidden = !facts.captions.length || this.meta.given;
    this.references.replaceChildren(...facts.captions.map((text) => h("li", { text })));
  }

  /**
   * Result of a live operation, where it is needed.
   * @param {boolean} needed @param {string} op @param {number} row @param {number} layer
   * @returns {Promise<any>}
   */
  async ask(needed, op, row, layer) {
    if (!needed || !this.source.ask) return null;
    try {
      return await this.source.ask(op, { row, sample: this.meta.samples[row].id, layer });
    } catch (error) {
      this.trouble = reason(this.t, error);
      return null;
    }
  }

  /** Show the concepts of a token. @param {number | null} [at] its index; the selected one if left out */
  paintBars(at = this.get("token") ?? null) {
    if (!this.result) return;
    const { activations, row, tokens, attribution } = this.result;
    const other = tokens && at !== null && at !== tokens.position && at < tokens.pieces.length;
    this.response.mark(at ?? tokens?.position ?? null);
    if (!other) {
      this.bars.paint(this.meta.token, activations, row, attribution, this.trouble);
      return;
    }
    const values = new Float32Array(tokens.activations[at]);
    const rest = new Float32Array([tokens.unexplained[at] ?? NaN]);
    this.bars.paint(tokens.pieces[at].trim(), { nConcepts: values.length, values, rest }, 0, null, this.trouble);
  }
}
