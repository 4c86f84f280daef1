// @ts-check
/** The edits in force: each can be removed, all undone, and copied as Python. */

import { Controls } from "./controls.js";
import { h, reason, refill } from "./dom.js";
import { isOneMovement } from "./edits.js";

/** @typedef {any} Edit of one view or the other */
/** @typedef {import("./controls.js").Least & { say(text: string): void }} Speaking a context that can say something */
/**
 * @typedef {object} Own what is a view's own
 * @property {(edit: Edit) => string} text
 * @property {(edit: Edit) => boolean} [active] whether it is listed
 * @property {(() => Promise<string>) | null} lines the edits as Python, where there is a kernel
 * @property {string[]} [names] traits that texts depend on
 * @property {string[]} [of] traits that the lines of Python depend on
 */

const ONE = 1000; // milliseconds: stops of a slider within them are one movement
const MOST = 100; // lists to return to

/** @extends {Controls<Speaking>} */
export class EditList extends Controls {
  /** @param {Speaking} ctx @param {Own} own */
  constructor(ctx, { text, active = () => true, lines, names = [], of = [] }) {
    super(ctx);
    const { t } = this;
    this.text = text;
    this.active = active;
    this.python = lines;
    /** @type {[Edit[][], Edit[][]]} lists before the present one, and after it */
    this.past = [[], []];
    this.current = this.edits;
    this.changed = 0;
    this.turning = false; // back or forth
    this.items = h("div", { class: "nbt-edits" });
    this.undo = this.button("↶", () => this.turn(0), { "aria-label": t`Undo`, title: t`Undo` + " (Ctrl+Z)" });
    this.redo = this.button("↷", () => this.turn(1), { "aria-label": t`Redo`, title: t`Redo` + " (Ctrl+Shift+Z)" });
    this.reset = this.button(t`Reset`, () => this.commit({ edits: [] }));
    this.copy = this.button(t`Copy as Python`, () => this.copyLines());
    this.lines = h("textarea", {
      class: "nbt-code",
      rows: 8,
      readonly: true,
      hidden: true,
      "aria-label": t`Edits as Python`,
    });
    const copy = lines ? this.copy : null;
    this.tools = h("div", { class: "nbt-toolbar" }, this.undo, this.redo, this.reset, copy);
    this.el = h("div", { class: "nbt-edit-list" }, this.items, this.tools, this.lines);
    this.on(["edits"], () => this.remember());
    this.on(["edits", ...names], () => this.sync());
    this.on(["edits", ...of], () => (this.lines.hidden = true)); // never an old one
    this.sync();
  }

  /** @returns {Edit[]} */
  get edits() {
    return this.get("edits") ?? [];
  }

  remember() {
    const [before, now] = [this.current, Date.now()];
    this.current = this.edits;
    if (this.turning) return;
    const further = now - this.changed < ONE && isOneMovement(before, this.current);
    if (!further) this.past[0] = [...this.past[0].slice(1 - MOST), before];
    this.past[1] = [];
    this.changed = now;
  }

  /** Undo or redo. @param {0 | 1} way */
  turn(way) {
    const edits = this.past[way].pop();
    if (!edits) return;
    this.past[1 - way].push(this.edits);
    this.turning = true;
    this.commit({ edits });
    this.turning = false;
    this.changed = 0;
    this.sync();
  }

  /** Ctrl+Z and Ctrl+Shift+Z, in the panes of the edits. @param {KeyboardEvent} event */
  onKey(event) {
    const writing = /** @type {HTMLElement} */ (event.target).matches(
      "input:not([type='range'], [type='checkbox']), textarea",
    );
    if (!(event.ctrlKey || event.metaKey) || event.key.toLowerCase() !== "z" || writing) return;
    event.preventDefault();
    event.stopPropagation(); // a notebook would undo its cells
    this.turn(event.shiftKey ? 1 : 0);
  }

  sync() {
    const { t, edits } = this;
    const within = this.el.contains(this.el.getRootNode().activeElement);
    refill(
      this.items,
      ...edits.flatMap((edit, i) => {
        if (!this.active(edit)) return []; // a part of layers that are not chosen yet
        const text = this.text(edit);
        const remove = () => this.commit({ edits: this.edits.filter((_, j) => j !== i) });
        return this.button(`${text} ×`, remove, { "aria-label": t`remove ${text} ×` });
      }),
    );
    this.undo.disabled = !this.past[0].length;
    this.redo.disabled = !this.past[1].length;
    this.reset.hidden = this.copy.hidden = !edits.some(this.active);
    this.el.hidden = this.reset.hidden && !this.past.some((lists) => lists.length);
    const { activeElement: now } = this.el.getRootNode();
    if (within && (!this.el.contains(now) || now.disabled || now.hidden)) {
      [this.undo, this.redo].find((button) => !button.disabled)?.focus(); // what was pressed is no longer there
    }
  }

  async copyLines() {
    const { t, lines } = this;
    try {
      lines.value = (await this.python?.()) ?? "";
      lines.hidden = false;
      lines.select();
      await navigator.clipboard.writeText(lines.value);
      this.ctx.say(t`Copied`);
    } catch (error) {
      if (lines.hidden) this.ctx.say(`Error: ${reason(t, error)}`); // else the host forbids it: the lines are selected
    }
  }
}
