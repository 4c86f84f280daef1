// @ts-check
/** Layers × positions: what the lens reads; or layers × groups of positions: what patching brings back. A click selects a layer and token, or patches. */

import { h, signed } from "../dom.js";
import { translate, visible } from "../words.js";
import { coordsOf } from "./arrays.js";
import { GridPanel } from "./grid_panel.js";
import { MODES, POSITION_GRIDS, columnNames, columnsOf, groupContent, lensContent } from "./grid_sheets.js";
import { wordsAt } from "./image_map.js";
import { patchName } from "./patches.js";
import { listed, withUnit } from "./readout.js";

/** @typedef {import("./grid.js").Cell} Cell @typedef {import("./types.js").Result} Result */

/** @type {number[]} */
const NONE = [];

export class PositionGrid extends GridPanel {
  /** @param {import("./types.js").InspectorContext} ctx @param {string} [side] */
  constructor(ctx, side = "a") {
    const label = ctx.t`Grid of layers and positions: arrows move, Enter selects, p takes a cell for patching`;
    super(ctx, side, { trait: "positions", label, options: POSITION_GRIDS, names: ["lens", "patching"] });
    const { t } = this;
    this.data = this.store.side(side);
    this.mode = "compact";
    /** @type {import("./grid_sheets.js").Column[]} */
    this.columns = [];
    /** @type {Map<number, number>} column of every position */
    this.columnOf = new Map();
    this.modes = h(
      "select",
      { class: "nbt-select", "aria-label": t`Columns`, onchange: () => this.setMode() },
      ...Object.entries(MODES).map(([value, text]) => h("option", { value, text: translate(t, text) })),
    );
    this.note.before(this.modes);
    this.setMode();
    this.on(["positions", "target", "foil"], () => this.sync());
    this.on(["layer", "token", "patches"], () => this.mark());
  }

  setMode() {
    this.mode = this.modes.value;
    this.sync();
    const column = this.columnOf.get(this.store.word(this.side)?.position ?? -1);
    if (column !== undefined && this.mode === "words") {
      this.grid.reveal({ row: Math.max(0, this.rowOf(this.get("layer"))), column });
    }
  }

  /** Columns of the positions that the lens has read: none after the word. @param {Result} lens */
  lay({ arrays: { values } }) {
    const all = new Set(coordsOf(values, "position"));
    const read = columnsOf(this.data, this.mode === "patches").filter(({ positions }) =>
      positions.some((p) => all.has(p)),
    );
    this.columns = read;
    this.columnOf = new Map(read.flatMap(({ positions }, j) => positions.map((position) => [position, j])));
    return read;
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
    const { t, isLens } = this;
    this.modes.hidden = !isLens;
    const text = (/** @type {string} */ role) => translate(t, role);
    if (!isLens) return [[result], () => groupContent(result, text)];
    const target = this.store.word(this.side)?.position ?? -1;
    const content = () => {
      const columns = this.lay(result);
      return lensContent(result, columns, columnNames(columns, this.mode === "words", text, target));
    };
    return [[result, this.mode, target], content];
  }

  /** @param {Cell} cell */
  hovered({ row, column }) {
    const layer = this.content?.layers[row];
    const own = this.isLens ? this.columns[column] : undefined;
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
    const own = this.isLens ? this.columns[column] : null;
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
    const own = this.isLens ? this.columns[column] : null;
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
    if (!content || !isLens) return none;
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
