// @ts-check
/** The whole sequence by role: the system's text and the image as one block each, the question's tokens, the words of the response, of which one is the target. */

import { h, named, percent } from "../dom.js";
import { visible } from "../words.js";
import { Pane } from "./pane.js";
import { share } from "./readout.js";

/** @typedef {{ role: string, from: number, texts: string[] }} Run of positions with one role */

/**
 * Runs of positions with one role.
 * @param {[string, string][]} tokens @returns {Run[]}
 */
export function runsOf(tokens) {
  /** @type {Run[]} */
  const runs = [];
  tokens.forEach(([text, role], position) => {
    const last = runs[runs.length - 1];
    if (last?.role === role) last.texts.push(text);
    else runs.push({ role, from: position, texts: [text] });
  });
  return runs;
}

/** A token as a sign: what is only space has one, too. @param {string} text */
export const sign = (text) => visible(text.trim() || text.replace(/\n/g, "↵").replace(/ /g, "␣") || "∅");

/** A probability in little room: ".97", "1.0", "<.01". @param {number | null} p */
export const short = (p) => (typeof p === "number" ? share(p) : "");

export class Ribbon extends Pane {
  /** @param {import("./types.js").InspectorContext} ctx @param {string} [side] */
  constructor(ctx, side = "a") {
    super(ctx);
    const { t } = this;
    this.data = this.store.side(side);
    /** @type {Map<number, HTMLElement>} by position */
    this.tokens = new Map();
    /** @type {Map<string, HTMLElement>} by key */
    this.words = new Map();
    /** @type {{ run: Run, el: HTMLElement }[]} */
    this.blocks = [];
    this.tip = h("p", { class: "nbt-ribbon-tip", hidden: true });
    const groups = runsOf(this.data.tokens.filter(([, role]) => role !== "response"));
    const parts = groups.flatMap((run) =>
      run.role === "question" ? run.texts.map((text, i) => this.token(text, run.from + i)) : [this.block(run)],
    );
    const bar = h("span", { class: "nbt-ribbon-bar", "aria-hidden": "true" });
    const words = this.data.words.map((word) => this.word(word));
    this.row = h(
      "div",
      { class: "nbt-ribbon-row", role: "toolbar", "aria-label": t`Sequence`, "data-at": "target token" },
      ...parts,
      bar,
      ...words,
    );
    this.row.addEventListener("keydown", (/** @type {KeyboardEvent} */ event) => this.onKey(event));
    this.el = h("div", { class: "nbt-ribbon" }, this.row, this.tip);
    this.on(["target", "token", "patches"], () => this.sync());
    ctx.signal.addEventListener(
      "abort",
      this.hover.on(() => this.mark()),
    );
    this.sync();
    requestAnimationFrame(() => this.reveal());
  }

  /** @param {Record<string, any>} props @param {(Node | string)[]} children */
  item(props, ...children) {
    return h("button", { type: "button", tabindex: "-1", ...props }, ...children);
  }

  /** A run of the system's text, or of the image, as one block. @param {Run} run */
  block(run) {
    const { t } = this;
    const n = run.texts.length;
    const image = run.role === "image";
    const text = image ? t`image × ${n}` : run.from ? "⋯" : t`system × ${n}`; // later: the template between the parts
    const title = image ? t`the image, ${n} positions: select no patch` : run.texts.map(sign).join(" ").slice(0, 600);
    const onclick = () =>
      this.commit(image ? { patches: [], token: null } : { token: this.inside(run) ? null : run.from });
    const label = image ? null : `${t`system × ${n}`}: ${title}`;
    const el = this.item({ class: `nbt-chip nbt-chip-${run.role}`, text, title, "aria-label": label, onclick });
    this.blocks.push({ run, el });
    return el;
  }

  /** Whether the selected position is in a run. @param {Run} run */
  inside({ from, texts }) {
    const token = this.get("token");
    return token !== null && token >= from && token < from + texts.length;
  }

  /** @param {string} text @param {number} position */
  token(text, position) {
    const { t } = this;
    const el = this.item({
      class: "nbt-chip",
      text: sign(text),
      "aria-label": t`question, position ${position}: ${sign(text)}`,
      onclick: () => this.commit({ token: this.get("token") === position ? null : position }),
      onpointerenter: () => this.hover.set({ position }),
      onpointerleave: () => this.hover.set(null),
    });
    this.tokens.set(position, el);
    return el;
  }

  /** @param {import("./types.js").Word} word */
  word(word) {
    const { text, key, probability, position, positions, refused } = word;
    const p = h("span", { class: "nbt-chip-p", text: short(probability) });
    const el = this.item(
      {
        class: "nbt-chip nbt-chip-word",
        "aria-disabled": refused ? "true" : null,
        onclick: () => refused || this.commit({ target: key, token: null }),
        onpointerenter: () => this.show(word, el, position),
        onpointerleave: () => this.hide(),
        onfocus: () => this.show(word, el, position),
        onblur: () => this.hide(),
      },
      ...named(this.about(word), h("span", { dir: "auto", text: sign(text) }), p),
    );
    this.words.set(key, el);
    for (const own of positions) this.tokens.set(own, el);
    return el;
  }

  /** A word, how probable it was, what came second, and why it is no target. @param {import("./types.js").Word} word */
  about({ text, probability, runner_up: second, refused }) {
    const { t } = this;
    const parts = [
      `“${sign(text)}”`,
      probability === null ? "" : t`probability ${percent(probability)}`,
      second ? t`second “${second[0]}” ${percent(second[1])}` : "",
      visible(refused),
    ];
    return parts.filter(Boolean).join(" · ");
  }

  /** @param {import("./types.js").Word} word @param {HTMLElement} el @param {number} position */
  show(word, el, position) {
    this.hover.set({ position });
    this.tip.textContent = this.about(word);
    this.tip.hidden = false;
    const [box, chip] = [this.el.getBoundingClientRect(), el.getBoundingClientRect()];
    const room = box.width - this.tip.offsetWidth - 8;
    this.tip.style.left = `${Math.max(8, Math.min(room, chip.left - box.left))}px`;
    this.tip.style.top = `${chip.bottom - box.top + 3}px`;
  }

  hide() {
    this.hover.set(null);
    this.tip.hidden = true;
  }

  /** @returns {HTMLElement[]} */
  get items() {
    return [...this.row.querySelectorAll("button")];
  }

  /** One of its parts has the tab stop; arrows go from one to the next. @param {KeyboardEvent} event */
  onKey(event) {
    const { items } = this;
    const at = items.indexOf(/** @type {HTMLElement} */ (event.target));
    /** @type {Record<string, number>} */
    const to = { ArrowLeft: at - 1, ArrowRight: at + 1, Home: 0, End: items.length - 1 };
    const next = items[to[event.key] ?? -1];
    if (!next) return;
    event.preventDefault();
    this.stop(next);
    next.focus();
  }

  /** @param {HTMLElement | undefined} item that has the tab stop */
  stop(item) {
    this.row.querySelector('[tabindex="0"]')?.setAttribute("tabindex", "-1");
    (item ?? this.items[0])?.setAttribute("tabindex", "0");
  }

  sync() {
    const [target, token] = [this.get("target"), this.get("token")];
    for (const [key, el] of this.words) el.setAttribute("aria-pressed", String(key === target));
    const selected = this.tokens.get(token);
    for (const el of this.tokens.values()) {
      el.classList.toggle("nbt-chip-token", el === selected);
      if (!el.classList.contains("nbt-chip-word")) el.setAttribute("aria-pressed", String(el === selected));
    }
    for (const { run, el } of this.blocks) {
      const patches = run.role === "image" && this.get("patches").length > 0;
      el.setAttribute("aria-pressed", String(this.inside(run) || patches));
    }
    if (!this.row.contains(/** @type {Document} */ (this.row.getRootNode()).activeElement)) {
      this.stop(this.words.get(target));
    }
  }

  /** Outline what is under the pointer elsewhere. */
  mark() {
    this.row.querySelector(".nbt-hovered")?.classList.remove("nbt-hovered");
    const { position } = this.hover.get();
    if (position !== undefined && position !== null) this.tokens.get(position)?.classList.add("nbt-hovered");
  }

  /** Have the target in sight, where the response is long. */
  reveal() {
    const el = this.words.get(this.get("target"));
    if (!el) return;
    const end = el.offsetTop + el.offsetHeight - this.row.clientHeight;
    if (end > 0) this.row.scrollTop = end + 4;
  }
}
