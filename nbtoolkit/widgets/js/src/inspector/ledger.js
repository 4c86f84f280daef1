// @ts-check
/** The ledger: parts of the prediction by their size, with the sum, what the others add, and the band of random parts. */

import { freshId, h, signed } from "../dom.js";
import { translate, visible } from "../words.js";
import { FROM, isAt, isWhole, ledgerOf, rangeOf, restOf, toggled, wholeOf } from "./ledger_parts.js";
import { partRow, restRow } from "./ledger_row.js";
import { Offer } from "./offer.js";
import { Pane } from "./pane.js";

/** @typedef {import("./ledger_parts.js").Part} Part @typedef {import("./ledger_parts.js").Ledger} Parts */

const FIRST = 8; // rows: the effect of an edit stays in sight below them
const MORE = 48;
const KINDS = { layers: "layers", heads: "heads", neurons: "neurons", patches: "patches", concepts: "concepts" };

export class Ledger extends Pane {
  /** @param {import("./types.js").InspectorContext} ctx */
  constructor(ctx) {
    super(ctx);
    const { t } = this;
    /** @type {Map<HTMLElement, Part>} */
    this.rows = new Map();
    /** @type {any} */
    this.built = null;
    this.room = FIRST;
    this.kind = this.choice("ledger", t`Parts`, KINDS);
    this.sum = h("span", { class: "nbt-ledger-sum nbt-value" });
    this.list = h("ul", { class: "nbt-ledger-list" });
    this.note = h("p", { class: "nbt-note" });
    this.more = h("button", { type: "button", class: "nbt-more", onclick: () => this.grow() });
    this.offers = new Map(
      [...new Set(Object.values(FROM))].map((name) => [name, new Offer(ctx, name, () => this.which(name))]),
    );
    this.missing = h("div", { class: "nbt-offers" }, ...[...this.offers.values()].map(({ el }) => el));
    this.why = h("p", { class: "nbt-note" });
    const id = freshId("ledger");
    const head = h("h3", { class: "nbt-h", id, text: t`Ledger` });
    this.el = h(
      "section",
      { class: "nbt-ledger", "aria-labelledby": id, "data-at": "ledger" },
      h("div", { class: "nbt-ledger-head" }, head, this.kind, this.sum),
      this.list,
      this.more,
      this.note,
      this.missing,
      this.why,
    );
    this.list.addEventListener("keydown", (/** @type {KeyboardEvent} */ event) => this.onKey(event));
    for (const stop of [this.store.on(() => this.sync()), this.hover.on(() => this.mark())]) {
      ctx.signal.addEventListener("abort", stop);
    }
    this.on(["ledger", "target", "foil", "layer"], () => this.sync());
    this.on(["patches", "layer", "head", "concept", "ticked"], () => this.select());
    this.sync();
  }

  /** The layer of the study whose concepts are listed. @returns {number | null} */
  get studied() {
    const { study } = this.meta;
    const layer = this.get("layer");
    if (!study?.layers.length) return null;
    return study.layers.includes(layer) ? layer : study.layers[study.layers.length - 1];
  }

  /** What the result of the trait `ledger` is about; null where that is not what an instrument is needed for. @param {string} name */
  which(name) {
    if (FROM[this.get("ledger")] !== name) return null;
    if (name !== "concepts") return {};
    return this.studied === null ? null : { of: String(this.studied) };
  }

  /** Show what is there; nothing where that is what the rows show. */
  sync() {
    const kind = this.get("ledger");
    const name = FROM[kind];
    const which = this.which(name);
    const result = which ? this.store.get(name, which) : undefined;
    for (const offer of this.offers.values()) offer.sync();
    this.why.textContent = which
      ? ""
      : this.t`Concepts come from a study of this model: open the Inspector with study=….`;
    this.why.hidden = Boolean(which);
    if (this.built && this.built.result === result && this.built.kind === kind) return;
    if (this.built?.kind !== kind) this.room = FIRST;
    this.built = { result, kind };
    const names = this.meta.study?.names[String(this.studied)] ?? [];
    this.ledger = result ? ledgerOf(kind, result, { layer: this.studied ?? 0, names }) : null;
    this.show(result);
  }

  grow() {
    const before = this.room;
    this.room += MORE;
    this.show(this.built.result);
    /** @type {HTMLElement[]} */ ([...this.rows.keys()])[before]?.querySelector("button")?.focus();
  }

  /** @param {import("./types.js").Result | undefined} result */
  show(result) {
    const { t, ledger } = this;
    this.rows.clear();
    for (const el of [this.list, this.note, this.sum]) el.hidden = !ledger;
    this.more.hidden = true;
    this.list.replaceChildren();
    if (!ledger || !result) return;
    const parts = ledger.parts.slice(0, this.room);
    const rest = restOf(ledger, parts.length);
    const hasRest = ledger.parts.length > parts.length || ledger.others.length > 0;
    const range = rangeOf(parts, hasRest ? [rest] : []);
    this.list.append(...parts.map((part) => this.row(part, range)));
    if (hasRest) this.list.append(restRow(t, ledger, parts.length, rest, range));
    const left = ledger.parts.length - parts.length;
    this.more.hidden = left <= 0;
    this.more.textContent = t`${left} more`;
    this.showSum(ledger, result.unit);
    const layer = this.get("ledger") === "concepts" ? t`layer ${this.studied}` : "";
    const bands = ledger.parts.some(({ band }) => band);
    const band = bands ? t`grey band: ${translate(t, result.null || "random parts")}` : "";
    const about = this.get("ledger") === "patches" ? t`one patch at a time: the effects do not add up` : "";
    this.note.textContent = visible([layer, band, about, translate(t, result.note)].filter(Boolean).join(" · "));
    this.note.hidden = !this.note.textContent;
    this.select();
    this.mark();
  }

  /** The identity, where there is one: what is listed sums to what the model computes. @param {Parts} ledger @param {string} unit */
  showSum(ledger, unit) {
    const { t } = this;
    const whole = signed(wholeOf(ledger));
    const fits = isWhole(ledger);
    const exact = ledger.total !== null && (fits || this.get("ledger") !== "concepts");
    const end = ledger.total === null ? "" : ` ${exact ? (fits ? "=" : "≠") : "·"} ${signed(ledger.total)}`;
    this.sum.textContent =
      exact || ledger.total === null ? t`sum ${whole}` + end : t`sum ${whole}, together ${signed(ledger.total)}`;
    this.sum.append(" ", h("span", { class: "nbt-ledger-unit", text: translate(t, unit) }));
    this.sum.classList.toggle("nbt-ledger-wrong", exact && !fits);
    this.sum.title = exact
      ? t`all parts together, and the value that the model computes`
      : t`all parts, each changed by itself`;
  }

  /** @param {Part} part @param {{ low: number, high: number }} range */
  row(part, range) {
    const row = partRow(this.t, part, range, {
      choose: () => this.choose(part),
      tick: () => this.commit({ ticked: toggled(this.get("ticked") ?? [], part.key) }),
      over: (on) => this.hover.set(on ? this.hovered(part) : null),
    });
    this.rows.set(row, part);
    return row;
  }

  /** @param {Part} part @returns {import("./types.js").Hovered} */
  hovered({ place: { concept: _, ...place }, kind }) {
    return kind === "patch" || kind === "head" ? place : { layer: place.layer };
  }

  /** Select a part everywhere; a second time, no longer. @param {Part} part */
  choose(part) {
    const { kind, place } = part;
    const is = isAt(part, this.selection);
    if (kind === "patch") {
      const patches = toggled(/** @type {number[]} */ (this.get("patches")), Number(place.patch));
      this.commit({ patches: patches.sort((a, b) => a - b) });
    } else if (kind === "concept") this.commit({ layer: place.layer, concept: is ? null : place.concept });
    else if (kind === "head") this.commit({ layer: place.layer, head: is ? null : place.head });
    else if (kind === "neuron") this.commit({ layer: place.layer });
    else this.commit(is ? { layer: null } : { layer: place.layer, head: null });
  }

  get selection() {
    const [layer, head, concept, patches] = ["layer", "head", "concept", "patches"].map((trait) => this.get(trait));
    return { layer, head, concept, patches };
  }

  /** Mark what is selected and ticked: no row is built anew. */
  select() {
    const { selection } = this;
    const ticked = new Set(this.get("ticked"));
    for (const [row, part] of this.rows) {
      const [input, button] = [row.querySelector("input"), row.querySelector("button")];
      const at = isAt(part, selection);
      row.classList.toggle("nbt-selected", at);
      button?.setAttribute("aria-pressed", String(at));
      if (input) input.checked = ticked.has(part.key);
    }
    this.stop();
  }

  /** One row has the tab stop: the one with the focus, else the first one. @param {HTMLElement} [to] */
  stop(to) {
    const root = /** @type {Document} */ (this.list.getRootNode());
    const rows = [...this.rows.keys()];
    const next = to ?? rows.find((row) => row.contains(root.activeElement)) ?? rows[0];
    for (const row of rows) {
      for (const control of row.querySelectorAll("input, button")) {
        control.setAttribute("tabindex", row === next ? "0" : "-1");
      }
    }
  }

  /** @param {KeyboardEvent} event */
  onKey(event) {
    const rows = [...this.rows.keys()];
    const from = /** @type {HTMLElement} */ (event.target);
    const at = rows.findIndex((row) => row.contains(from));
    /** @type {Record<string, number>} */
    const to = { ArrowUp: at - 1, ArrowDown: at + 1, Home: 0, End: rows.length - 1 };
    const next = rows[to[event.key] ?? -1];
    if (!next) return;
    event.preventDefault();
    this.stop(next);
    const other = /** @type {HTMLElement | null} */ (next.querySelector(from.tagName) ?? next.querySelector("button"));
    other?.focus();
  }

  /** Outline what is under the pointer elsewhere. */
  mark() {
    const { layer = null, head = null, patch = null } = this.hover.get();
    const now = { layer, head, patches: patch === null ? [] : [patch] };
    for (const [row, part] of this.rows) row.classList.toggle("nbt-hovered", isAt(part, now));
  }
}
