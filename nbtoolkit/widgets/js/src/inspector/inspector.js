// @ts-check
/** The Inspector: header, the sequence, and beside each other the image, grids, and a ledger with edits and what is not computed yet. */

import { h } from "../dom.js";
import { Guide } from "../guide.js";
import { lazy } from "../lazy.js";
import { Header } from "./header.js";
import { Instruments } from "./instruments.js";
import { Pane } from "./pane.js";
import { PatchImage } from "./patch_image.js";
import { Ribbon } from "./ribbon.js";

const Compare = lazy("Compare");
const EditBar = lazy("EditBar");
const Grids = lazy("Grids");
const Ledger = lazy("Ledger");
const REST = 200; // milliseconds that the first paint has for itself

export class Inspector extends Pane {
  /** @param {import("./types.js").InspectorContext} ctx */
  constructor(ctx) {
    super(ctx);
    const { t } = this;
    /** @type {{ el: HTMLElement } | undefined} */
    this.compare = undefined;
    this.side = this.column("side", t`Ledger and edits`, new Instruments(ctx).el);
    this.body = h(
      "div",
      { class: "nbt-inspector-body" },
      this.column("image", t`Image`, new PatchImage(ctx).el),
      this.column("grids", t`Grids`, new Grids(ctx).el),
      this.side,
    );
    this.beside = h("div", { class: "nbt-compare-slot", hidden: true });
    this.el = document.createDocumentFragment();
    if (this.get("steps")?.length) this.el.append(new Guide(/** @type {any} */ (ctx)).el);
    this.el.append(new Header(ctx).el, new Ribbon(ctx).el, this.beside, this.body);
    this.on(["compared"], () => this.sync());
    this.sync();
    const more = setTimeout(() => this.addEdits(), REST);
    ctx.signal.addEventListener("abort", () => clearTimeout(more));
  }

  /** @param {string} name @param {string} label @param {HTMLElement[]} parts */
  column(name, label, ...parts) {
    const classes = `nbt-inspector-column nbt-inspector-${name}`;
    return h("section", { class: classes, "aria-label": label, tabindex: "-1" }, ...parts);
  }

  /** The ledger and the edit bar come after the first paint, above what is not computed. */
  addEdits() {
    for (const Part of [Ledger, EditBar]) this.side.lastElementChild?.before(new Part(this.ctx).el);
  }

  /** Show the comparison while there is one. */
  sync() {
    const compared = this.get("compared") ?? "";
    if (compared && !this.compare) {
      this.compare = new Compare(this.ctx);
      this.beside.append(this.compare?.el ?? "");
    }
    this.beside.hidden = !compared;
  }
}
