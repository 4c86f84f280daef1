// @ts-check
/** The response to an image: plain, with the token marked; or with every token as a button that shows its concepts. */

import { clamp } from "./clamp.js";
import { h } from "./dom.js";
import { visible } from "./words.js";
import { Pane } from "./pane.js";

export class Response extends Pane {
  /** @param {import("./types.js").Context} ctx @param {(at: number | null | undefined) => void} preview shows a token's concepts; undefined for the selected one's */
  constructor(ctx, preview) {
    super(ctx);
    this.preview = preview;
    /** @type {import("./types.js").Tokens | null} */
    this.tokens = null;
    this.heading = h("h3", { class: "nbt-h" });
    this.head(this.meta.given);
    this.text = h("p", { class: "nbt-response", dir: "auto" });
    this.clamp = clamp(ctx, this.text);
    const head = h("div", { class: "nbt-response-head" }, this.heading, this.clamp.more);
    this.el = h("div", {}, head, this.text);
  }

  /** Tell who wrote it. @param {boolean} given */
  head(given) {
    this.heading.textContent = given ? this.t`Caption (given by people)` : this.t`Response`;
  }

  /** Whether the concepts of all tokens are needed. */
  get needsTokens() {
    return Boolean(this.get("all_tokens") || (this.get("token") ?? null) !== null);
  }

  /** @param {import("./types.js").Facts} facts @param {import("./types.js").Tokens | null} tokens */
  paint(facts, tokens) {
    this.tokens = tokens;
    if (tokens) this.text.replaceChildren(...tokens.pieces.map((text, i) => this.token(text, i)));
    else this.plain(facts.pieces, facts.position);
  }

  /** @param {string[]} pieces @param {number} position of the token */
  plain(pieces, position) {
    this.tokens = null;
    const part = (/** @type {string} */ text, /** @type {number} */ i) =>
      i === position && text ? h("mark", { text }) : visible(text);
    this.text.replaceChildren(...pieces.map(part));
    this.clamp.sync();
  }

  /** @param {string} text */
  clear(text) {
    this.tokens = null;
    this.text.textContent = visible(text);
    this.clamp.sync();
  }

  /** @param {string} text @param {number} i */
  token(text, i) {
    return h("button", {
      type: "button",
      class: "nbt-piece",
      text,
      onpointerenter: () => this.preview(i),
      onpointerleave: () => this.preview(undefined),
      onfocus: () => this.preview(i),
      onclick: () => this.commit({ token: i }),
    });
  }

  /** @returns {HTMLElement[]} */
  get buttons() {
    return [...this.text.querySelectorAll(".nbt-piece")];
  }

  /** Mark the token whose concepts are shown. @param {number | null} at */
  mark(at) {
    this.buttons.forEach((button, i) => button.setAttribute("aria-pressed", String(i === at)));
    if (!this.text.matches(":hover")) this.clamp.sync(); // what is under the pointer stays there
  }

  /** Underline each token by its activation of the concepts at a place of the image. @param {number[] | null} scores per concept; null for none */
  shade(scores) {
    if (!this.tokens) return;
    const sums = this.tokens.activations.map((row) =>
      scores ? row.reduce((sum, v, k) => sum + Math.abs(v) * Math.max(0, scores[k]), 0) : 0,
    );
    const top = Math.max(...sums, 1e-30);
    this.buttons.forEach((button, i) => {
      const line = `inset 0 -${(0.5 * sums[i]) / top}em 0 color-mix(in srgb, var(--nbt-accent) 45%, transparent)`;
      button.style.boxShadow = scores ? line : "";
    });
  }
}
