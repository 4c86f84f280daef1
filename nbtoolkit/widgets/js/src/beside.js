// @ts-check
/** The Inspector of the selected image, below the Explorer: a widget of its own, which the host renders. */

import { h, reason } from "./dom.js";
import { Pane } from "./pane.js";

const REFERENCE = "IPY_MODEL_";

export class Beside extends Pane {
  /** @param {import("./types.js").Context} ctx */
  constructor(ctx) {
    super(ctx);
    const { t } = this;
    this.open = this.button(t`Inspect`, () => this.request(), {
      title: t`Why does the model say this word about this image? Opens the Inspector below.`,
    });
    this.close = this.button(t`Close the Inspector`, () => this.commit({ inspector: null }));
    this.note = h("p", { class: "nbt-note", role: "status" });
    this.place = h("div", { class: "nbt-inspector-view" });
    this.el = h("section", { class: "nbt-inspector-slot", "aria-label": t`Inspector`, hidden: true });
    this.el.append(h("div", { class: "nbt-toolbar" }, this.close), this.note, this.place);
    this.turn = 0;
    this.on(["inspector"], () => this.show());
    ctx.signal.addEventListener("abort", () => {
      this.child?.remove?.();
      this.el.remove();
    });
    this.show();
  }

  /** Whether a view has an Inspector: with a model, in a notebook. @param {import("./types.js").Context} ctx */
  static available = ({ model, source }) => Boolean(source.job) && model.get("inspector") !== undefined;

  async request() {
    const { t } = this;
    this.open.disabled = true;
    try {
      if (this.manager) await this.source.job?.("inspect", { sample: this.get("sample") }).result;
      else this.advise();
    } catch (error) {
      this.ctx.say(`Error: ${reason(t, error)}`);
    }
    this.open.disabled = false;
  }

  /** What renders widgets, where the host has it (marimo has none). @returns {any} */
  get manager() {
    return this.model.widget_manager;
  }

  /** The line of Python that opens the Inspector, where the page cannot. */
  advise() {
    const { t } = this;
    this.el.hidden = false;
    this.close.hidden = true;
    this.note.textContent = t`This page cannot open a second view. Run in a cell:` + " explorer.inspect()";
  }

  async show() {
    const mine = ++this.turn;
    const reference = this.get("inspector");
    this.child?.remove?.();
    this.child = null;
    this.place.replaceChildren();
    this.el.hidden = !reference;
    if (!reference || !this.manager) return;
    try {
      const model =
        typeof reference === "string" ? await this.manager.get_model(reference.slice(REFERENCE.length)) : reference;
      const view = await this.manager.create_view(model);
      if (mine !== this.turn || this.ctx.signal.aborted) return view.remove();
      this.child = view;
      this.place.append(view.el);
      this.el.scrollIntoView({ block: "nearest" });
    } catch (error) {
      if (mine === this.turn) this.ctx.say(`Error: ${reason(this.t, error)}`);
    }
  }
}
