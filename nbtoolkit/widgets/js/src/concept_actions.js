// @ts-check
/** What is done with the selected concept: name it, pin it to the top, open the selected image. */

import { h } from "./dom.js";
import { Pane } from "./pane.js";

const MAX_NAME = 80; // characters

export class ConceptActions extends Pane {
  /** @param {import("./types.js").Context} ctx @param {{ leave(): void, open(): void }} gallery `leave` moves the focus back to the list */
  constructor(ctx, { leave, open }) {
    super(ctx);
    const { t } = this;
    this.subject = ""; // concept whose name the box has
    this.nameBox = h("input", {
      class: "nbt-search nbt-label",
      "aria-label": t`Name of the selected concept`,
      placeholder: t`Name  ( l )`,
      maxlength: MAX_NAME,
      onchange: () => this.setLabel(this.nameBox.value),
      onkeydown: (/** @type {KeyboardEvent} */ event) => {
        if ((event.key !== "Enter" && event.key !== "Escape") || event.isComposing) return;
        if (event.key === "Escape") this.sync(true);
        else this.setLabel(this.nameBox.value);
        leave();
      },
    });
    this.pin = this.button("", () => this.togglePin(), { title: t`pin the selected concept to the top (p)` });
    this.open = this.button(t`⤢ Open`, open, { title: t`open the selected image (o)` });
    const page = this.button(t`Page`, () => this.enter(), {
      title: t`all about the selected concept (Enter)`,
    });
    this.page = this.get("page") === undefined ? null : page;
    this.el = h("div", { class: "nbt-toolbar nbt-actions" }, this.nameBox, this.pin, this.open, this.page);
  }

  /** Show the state of the selected concept; a name that is being written stays. @param {boolean} [reset] it, too */
  sync(reset = false) {
    const k = this.get("concept");
    this.pin.textContent = k !== null && this.isPinned(k) ? this.t`★ Unpin` : this.t`☆ Pin`;
    this.pin.disabled = this.open.disabled = this.nameBox.disabled = k === null;
    const subject = k === null ? "" : this.key(k);
    const typing = subject === this.subject && this.nameBox === this.nameBox.getRootNode().activeElement;
    if (!typing || reset) this.nameBox.value = k === null ? "" : this.label(k);
    this.subject = subject;
    const lost = k === null && this.thread !== null;
    this.nameBox.placeholder = lost ? this.t`no counterpart at layer ${this.get("layer")}` : this.t`Name  ( l )`;
  }

  /** Open the page of the selected concept. */
  enter() {
    this.ctx.entered = true;
    this.commit({ page: true });
  }

  togglePin() {
    const k = this.get("concept");
    if (k === null) return;
    const [pinned, keys] = [/** @type {string[]} */ (this.get("pinned")), this.keys(k)];
    this.commit({ pinned: this.isPinned(k) ? pinned.filter((p) => !keys.includes(p)) : [...pinned, this.key(k)] });
  }

  /** @param {string} text */
  setLabel(text) {
    const k = this.get("concept");
    if (k === null || text.trim() === this.label(k)) return;
    const labels = { ...this.get("labels") };
    if (text.trim()) labels[this.key(k)] = text.trim();
    else for (const key of this.keys(k)) delete labels[key]; // else the name of another layer would stay
    this.commit({ labels });
  }
}
