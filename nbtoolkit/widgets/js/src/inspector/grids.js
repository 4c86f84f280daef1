// @ts-check
/** Two grids: layers × heads, and layers × positions. A click selects; what is under the pointer is seen elsewhere before. */

import { h, signed } from "../dom.js";
import { translate, visible } from "../words.js";
import { GridPanel } from "./grid_panel.js";
import { HEAD_GRIDS, MODES, POSITION_GRIDS, columnNames, columnsOf, groupContent, headContent, lensContent } from "./grid_sheets.js"; // prettier-ignore
import { wordsAt } from "./image_map.js";
import { Pane } from "./pane.js";
import { patchName } from "./patches.js";
import { listed, withUnit } from "./readout.js";
import { conceptLayer } from "./selection.js";

/** @typedef {import("./grid.js").Cell} Cell @typedef {import("./types.js").Result} Result */

/** @type {number[]} */
const NONE = [];

export class HeadGrid extends GridPanel {
  /** @param {import("./types.js").InspectorContext} ctx @param {string} [side] */
  constructor(ctx, side = "a") {
    const label = ctx.t`Grid of layers and heads: arrows move, Enter selects, p takes a cell for patching`;
    const names = ["attention", "contribution", "knockout", "writers"];
    super(ctx, side, { trait: "grid", label, options: HEAD_GRIDS, names });
    this.on(["grid", "patches", "concept", "target", "foil", "layer", "head"], () => this.sync());
    this.sync();
  }

  get need() {
    const name = this.get("grid");
    if (name !== "writers") return { name, of: "" };
    const [studied, concept] = [conceptLayer(this.meta, this.get("layer")), this.get("concept")];
    if (studied === null)
      return { reason: "Concepts come from a study of this model: open the Inspector with study=…." };
    if (concept === null) return { reason: "Select a concept in the ledger to see which heads write it." };
    return { name, of: `${studied}:${concept}` };
  }

  /** Patches to which attention is summed. @returns {number[]} */
  get patches() {
    return this.get("grid") === "attention" ? (this.get("patches") ?? NONE) : NONE;
  }

  /** @param {Result} result @returns {[any[], () => import("./grid_sheets.js").Content]} */
  make(result) {
    const { patches } = this;
    const { t } = this;
    const attention = this.get("grid") === "attention";
    const to = patches.length === 1 ? t`to the selected patch` : t`to ${patches.length} patches`;
    this.note.textContent = attention && patches.length ? to : t`layers × heads`;
    return [[result, patches.join()], () => headContent(result, patches)];
  }

  /** @param {Cell} cell */
  placeOf({ row, column }) {
    return { layer: this.content?.layers[row] ?? 0, head: this.content?.heads?.[column] ?? 0 };
  }

  /** @param {Cell} cell */
  hovered(cell) {
    return this.placeOf(cell);
  }

  /** @param {Cell} cell */
  describe(cell) {
    const { content, t } = this;
    if (!content) return "";
    const { layer, head } = this.placeOf(cell);
    const i = cell.row * content.n + cell.column;
    const within = content.faint?.[i] ? t`within the null` : "";
    return [`L${layer}.H${head}`, withUnit(t, content.values[i], content.unit), within].filter(Boolean).join(" · ");
  }

  /** Select a layer and head, and see what it reads where attention is shown; a second time, no head. @param {Cell} cell */
  pick(cell) {
    const { layer, head } = this.placeOf(cell);
    const is = this.get("layer") === layer && this.get("head") === head;
    const metric = this.get("metric");
    const shown = is ? (metric === "head" ? "attention" : metric) : metric === "attention" ? "head" : metric;
    this.commit({ layer, head: is ? null : head, metric: shown });
  }

  /** @param {Cell} cell */
  taken(cell) {
    const { layer, head } = this.placeOf(cell);
    return { side: this.side, layer, head, position: this.store.word(this.side)?.position };
  }

  marks() {
    const [layer, head, hover] = [this.get("layer"), this.get("head"), this.hover.get()];
    const cell = (/** @type {any} */ l, /** @type {any} */ k) => {
      const [row, column] = [this.rowOf(l), typeof k === "number" ? (this.content?.heads?.indexOf(k) ?? -1) : -1];
      return row >= 0 && column >= 0 ? { row, column } : null;
    };
    return { cell: cell(layer, head), hovered: cell(hover.layer, hover.head), row: this.rowOf(layer), columns: NONE };
  }
}

export class PositionGrid extends GridPanel {
  /** @param {import("./types.js").InspectorContext} ctx @param {string} [side] */
  constructor(ctx, side = "a") {
    const label = ctx.t`Grid of layers and positions: arrows move, Enter selects, p takes a cell for patching`;
    super(ctx, side, { trait: "positions", label, options: POSITION_GRIDS, names: ["lens", "patching"] });
    const { t } = this;
    this.data = this.store.side(side);
    this.mode = "compact";
    this.modes = h(
      "select",
      { class: "nbt-select", "aria-label": t`Columns`, onchange: () => this.setMode() },
      ...Object.entries(MODES).map(([value, text]) => h("option", { value, text: translate(t, text) })),
    );
    this.note.before(this.modes);
    this.note.hidden = true;
    this.setMode();
    this.on(["positions", "target", "foil"], () => this.sync());
    this.on(["layer", "token", "patches"], () => this.mark());
  }

  setMode() {
    this.mode = this.modes.value;
    this.columns = columnsOf(this.data, this.mode === "patches");
    /** @type {Map<number, number>} column of every position */
    this.columnOf = new Map(this.columns.flatMap(({ positions }, j) => positions.map((position) => [position, j])));
    this.sync();
  }

  get need() {
    return { name: this.get("positions"), of: "" };
  }

  get isLens() {
    return this.get("positions") === "lens";
  }

  room() {
    if (!this.isLens || this.mode === "compact") return { least: this.isLens ? 3 : 1 };
    return this.mode === "words" ? { height: 17, least: 54 } : { least: 5 };
  }

  /** @param {Result} result @returns {[any[], () => import("./grid_sheets.js").Content]} */
  make(result) {
    const { t, columns, isLens } = this;
    this.modes.hidden = !isLens;
    const text = (/** @type {string} */ role) => translate(t, role);
    if (!isLens || !columns) return [[result], () => groupContent(result, text)];
    const target = this.store.word(this.side)?.position ?? -1;
    const names = () => columnNames(columns, this.mode === "words", text, target);
    return [[result, columns, this.mode, target], () => lensContent(result, columns, names())];
  }

  /** @param {Cell} cell */
  hovered({ row, column }) {
    const layer = this.content?.layers[row];
    const own = this.isLens ? this.columns?.[column] : undefined;
    if (!own) return { layer };
    const position = this.content?.best?.[row * this.content.n + column];
    const patch = own.patches.length ? this.patchOf(position) : null;
    return patch === null ? { layer, position } : { layer, position, patch };
  }

  /** @param {number | undefined} position */
  patchOf(position) {
    const patch = this.data.geometry?.positions.indexOf(position ?? -1) ?? -1;
    return patch < 0 ? null : patch;
  }

  /** @param {Cell} cell */
  describe({ row, column }) {
    const { content, t, data } = this;
    if (!content) return "";
    const i = row * content.n + column;
    const layer = content.layers[row];
    const value = withUnit(t, content.values[i], content.unit);
    const own = this.isLens ? this.columns?.[column] : null;
    const within = content.faint?.[i] ? t`within the null` : "";
    if (!own) return [t`layer ${layer}`, content.names[column]?.text, value, within].filter(Boolean).join(" · ");
    const position = content.best?.[i] ?? own.positions[0];
    const patch = this.patchOf(position);
    const token = data.tokens[position]?.[0].trim();
    const place =
      patch !== null && data.geometry
        ? patchName(t, data.geometry, patch)
        : token
          ? `“${visible(token)}”`
          : translate(t, own.role);
    const lens = this.store.get("lens", { side: this.side });
    const words = listed(wordsAt(lens, layer, position));
    const word = visible(this.store.word(this.side)?.text.trim() ?? "");
    const p = t`log p(${word}) ${signed(content.values[i])}`;
    return [t`layer ${layer}`, place, words, p, within].filter(Boolean).join(" · ");
  }

  /** @param {Cell} cell */
  pick({ row, column }) {
    const layer = this.content?.layers[row] ?? null;
    const own = this.isLens ? this.columns?.[column] : null;
    if (!own) return this.commit({ layer });
    if (own.patches.length) return this.commit({ layer, patches: own.patches, token: null });
    this.commit({ layer, token: own.positions[own.positions.length - 1] });
  }

  /** @param {Cell} cell */
  taken(cell) {
    const { layer = null, position, patch } = this.hovered(cell);
    if (!this.isLens || position === undefined || position === null) return null;
    return { side: this.side, layer, ...(typeof patch === "number" ? { patch } : { position }) };
  }

  marks() {
    const { content, columnOf, isLens } = this;
    const [layer, token, hover] = [this.get("layer"), this.get("token"), this.hover.get()];
    const row = this.rowOf(layer);
    const none = { cell: null, hovered: null, row, columns: NONE };
    if (!content || !isLens || !columnOf) return none;
    const positions = this.data.geometry?.positions ?? NONE;
    const column = (/** @type {any} */ position) => columnOf.get(position) ?? -1;
    const patches = /** @type {number[]} */ (this.get("patches") ?? NONE);
    const columns = [...new Set(patches.map((patch) => column(positions[patch])))].filter((j) => j >= 0);
    const at = typeof hover.patch === "number" ? positions[hover.patch] : hover.position;
    const cell = (/** @type {number} */ r, /** @type {number} */ j) =>
      r >= 0 && j >= 0 ? { row: r, column: j } : null;
    const over = typeof hover.layer === "number" ? this.rowOf(hover.layer) : row;
    const about = cell(row < 0 ? content.layers.length - 1 : row, column(this.store.word(this.side)?.position));
    return { ...none, columns, about, cell: cell(row, column(token)), hovered: cell(over, column(at)) };
  }
}

export class Grids extends Pane {
  /** @param {import("./types.js").InspectorContext} ctx @param {string} [side] */
  constructor(ctx, side = "a") {
    super(ctx);
    this.el = h(
      "div",
      { class: "nbt-grids", "data-side": side },
      new HeadGrid(ctx, side).el,
      new PositionGrid(ctx, side).el,
    );
  }
}
