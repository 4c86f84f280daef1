// @ts-check
/** The header of the Inspector, one row: the model, the question, target and foil, and what is done with the view. */

import { freshId, h } from "../dom.js";
import { visible } from "../words.js";
import { Menu } from "./menu.js";
import { Pane } from "./pane.js";

const MAX_QUESTION = 2000; // characters
const MAX_WORD = 80;

export class Header extends Pane {
  /** @param {import("./types.js").InspectorContext} ctx */
  constructor(ctx) {
    super(ctx);
    const { t, meta } = this;
    const about = [meta.dtype, meta.checks].filter(Boolean).join(" · ");
    this.target = h("mark", { class: "nbt-target", dir: "auto" });
    this.el = h(
      "div",
      { class: "nbt-header nbt-inspector-header" },
      h("h2", { class: "nbt-token", text: t`Inspector` }),
      h("p", { class: "nbt-sub nbt-inspector-model", title: meta.model, text: meta.model }),
      this.ask(),
      h("p", { class: "nbt-pair" }, h("span", { class: "nbt-sub", text: t`target` }), this.target, this.foil()),
      h("p", { class: "nbt-sub nbt-inspector-about", title: about, text: about }),
      new Menu(ctx, about).el,
    );
    this.on(["target"], () => this.sync());
    this.sync();
  }

  /** The question, which can be another one where the model takes any. */
  ask() {
    const { t } = this;
    const { question, questions } = this.store.side();
    const refused = this.ctx.live
      ? questions
        ? ""
        : t`This model takes no question.`
      : t`Another question needs the model: run the cell.`;
    this.box = h("input", {
      class: "nbt-search",
      "aria-label": t`Question`,
      "data-at": "question",
      maxlength: MAX_QUESTION,
      placeholder: refused || t`Question`,
      readonly: Boolean(refused),
      title: refused || t`ask again with another question`,
    });
    this.box.value = visible(question);
    this.go = h("button", {
      type: "submit",
      class: "nbt-step",
      "aria-label": t`Ask`,
      text: "↵",
      hidden: Boolean(refused),
    });
    const onsubmit = (/** @type {Event} */ event) => {
      event.preventDefault();
      this.submit();
    };
    this.form = h("form", { class: "nbt-ask", onsubmit }, this.box, this.go);
    return this.form;
  }

  /** Ask again; a click while that runs cancels it. */
  submit() {
    if (this.asking) {
      this.asking.cancel();
      return;
    }
    const question = this.box.value.trim();
    if (this.box.readOnly || question === this.store.side().question) return;
    const job = this.store.job("ask", { question });
    this.asking = job;
    this.busy(true);
    job.result
      .catch((error) => this.ctx.signal.aborted || this.ctx.say(String(error)))
      .finally(() => {
        this.asking = undefined;
        this.busy(false);
      });
  }

  /** @param {boolean} busy */
  busy(busy) {
    this.form.setAttribute("aria-busy", String(busy));
    this.box.readOnly = busy;
    this.go.textContent = busy ? "×" : "↵";
    this.go.setAttribute("aria-label", busy ? this.t`Cancel` : this.t`Ask`);
  }

  /** The word that the target is compared with: any, or none. */
  foil() {
    const { t } = this;
    const id = freshId("foils");
    this.offers = h("datalist", { id });
    this.other = h("input", {
      class: "nbt-search nbt-foil",
      list: id,
      "aria-label": t`Foil: the word that the target is compared with; empty for none`,
      "data-at": "foil",
      maxlength: MAX_WORD,
      placeholder: t`no foil`,
      dir: "auto",
      onchange: () => this.commit({ foil: this.other.value.trim() }),
    });
    if (!this.ctx.live) this.other.readOnly = true;
    const sync = () => {
      this.other.value = visible(this.get("foil"));
    };
    this.on(["foil"], sync);
    sync();
    return h(
      "label",
      { class: "nbt-foil-label" },
      h("span", { "aria-hidden": "true", text: "−" }),
      this.other,
      this.offers,
    );
  }

  sync() {
    const word = this.store.word();
    this.target.textContent = visible(word?.text ?? this.get("target"));
    this.target.title = this.target.textContent ?? "";
    const second = word?.runner_up?.[0];
    const others = this.store.side().words.filter(({ refused }) => !refused);
    const texts = new Set([second, ...others.map(({ text }) => text)].filter((text) => text && text !== word?.text));
    this.offers.replaceChildren(...[...texts].slice(0, 12).map((value) => h("option", { value })));
  }
}
