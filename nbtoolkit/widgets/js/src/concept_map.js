// @ts-check
/** ConceptMap: the samples or concepts of a layer in two dimensions, a choice of them, and the table of the chosen samples. */

import { h, percent, reason, refill } from "./dom.js";
import { savingMap } from "./map_file.js";
import { groupsOf, LACKS, legendEntry } from "./map_groups.js";
import { MapTiles } from "./map_tiles.js";
import { Pane } from "./pane.js";
import { points, strongestConcepts } from "./points.js";
import { SampleTable } from "./sample_table.js";
import { ink, Scatter } from "./scatter.js";
import { floats } from "./state.js";
import { translate } from "./words.js";

const ITEMS = { samples: "images", concepts: "concepts" };
const COLOURS = { concept: "strongest concept", unexplained: "unexplained", lacking: LACKS };
const MAX_TEXT = 900_000; // characters of the ids of one choice

export class ConceptMap extends Pane {
  /** @param {import("./types.js").Context} ctx */
  constructor(ctx) {
    super(ctx);
    this.turn = 0;
    /** @type {Int32Array} rows of the samples, or concepts, by point */
    this.items = new Int32Array();
    /** @type {import("./types.js").Activations | null} */
    this.activations = null;
    this.strongest = new Int32Array();
    /** @type {Uint8Array | null} by sample */
    this.lacking = null;
    /** @type {Record<string, string[]>} */
    this.factors = this.get("factors") ?? {};
    this.rowOf = new Map(this.meta.samples.map(({ id }, row) => [id, row]));
    /** @type {string[]} by point */ this.colours = [];
    /** @type {import("./map_groups.js").Group[]} of the images; concepts have none */
    this.groups = [];
    this.scatter = new Scatter(this.t`Map`, ctx.signal, this);
    this.tiles = new MapTiles(ctx, this);
    this.table = new SampleTable(ctx);
    this.build();
    this.on(["layer", "map_items", "map_colour", "map_filter", "lasso", "lasso_concepts"], () => this.paint());
    this.on(["sample", "concept", "labels"], () => this.look());
    this.on(["map_thumbs"], () => this.tiles.paint());
    this.on(["map_window"], () => this.scatter.show(this.get("map_window")));
    this.paint();
  }

  build() {
    const { t, scatter } = this;
    const factors = Object.keys(this.factors).map((name) => [`factor:${name}`, name]);
    const colours = { ...COLOURS, ...Object.fromEntries(factors) };
    this.colourBy = this.choice("map_colour", t`Colour of the images`, colours);
    this.circle = this.button(t`Lasso`, () => this.lassoing(), {
      "aria-pressed": "false",
      title: t`draw around points; also Shift with the pointer or arrows. Escape clears.`,
    });
    this.clear = this.button(t`Clear`, () => (this.circle.focus(), this.choose([]))); // disabled, it would lose the focus
    this.about = h("p", { class: "nbt-note" });
    this.legend = h("div", { class: "nbt-map-legend" });
    const tools = [
      this.choice("map_items", t`Shown on the map`, ITEMS),
      this.colourBy,
      this.circle,
      this.clear,
      this.meta.pictured ? this.toggle("map_thumbs", t`Thumbnails`, "") : null,
    ];
    const zoom = [
      this.stepper(t`zoom in`, "+", () => scatter.zoom(1.5)),
      this.stepper(t`zoom out`, "−", () => scatter.zoom(1 / 1.5)),
      this.stepper(t`whole map`, "⤢", () => this.moved([])),
    ];
    scatter.el.append(h("span", { class: "nbt-map-zoom" }, ...zoom));
    this.el = h(
      "section",
      { class: "nbt-map", "aria-label": t`Map` },
      h("div", { class: "nbt-toolbar" }, ...tools),
      h("div", { class: "nbt-map-main" }, scatter.el, this.legend),
      h("div", { class: "nbt-map-about" }, this.about, savingMap(this)),
      this.filters(),
      this.table.el,
    );
  }

  filters() {
    const { t } = this;
    const option = (/** @type {object} */ rule, /** @type {string} */ text) =>
      h("option", { value: JSON.stringify(rule), text });
    const factors = Object.entries(this.factors).flatMap(([name, values]) =>
      [...new Set(values)].sort().map((value) => option({ factor: [name, value] }, `${name} = ${value}`)),
    );
    const onchange = () => {
      const least = Number(this.share.value) / 100;
      this.commit({ map_filter: { ...JSON.parse(this.rule.value), ...(least > 0 && { unexplained: least }) } });
    };
    this.lacks = option({ lacking: true }, translate(t, LACKS));
    const options = [option({}, t`all images`), this.lacks, ...factors];
    this.rule = h("select", { class: "nbt-select", "aria-label": t`Filter`, onchange }, ...options);
    this.share = h("input", { class: "nbt-search", type: "number", min: 0, max: 100, placeholder: 0, onchange });
    this.all = this.button(t`Choose all`, () => this.choose(this.matching()));
    const label = h("label", {}, t`unexplained above`, this.share, "%");
    this.count = h("span", { class: "nbt-count" });
    return h("div", { class: "nbt-toolbar nbt-map-filter" }, this.rule, label, this.all, this.count);
  }

  get ofConcepts() {
    return this.get("map_items") === "concepts";
  }

  lassoing() {
    const on = (this.scatter.lassoing = !this.scatter.lassoing);
    this.circle.setAttribute("aria-pressed", String(on));
    this.scatter.canvas.classList.toggle("nbt-lassoing", on);
  }

  async paint() {
    const mine = ++this.turn;
    const layer = this.get("layer");
    const requests = [this.source.bulk("map", { layer }), this.source.bulk("lacking", {})];
    try {
      const [activations, places, lacking] = await Promise.all([this.source.activations(layer), ...requests]);
      if (mine !== this.turn) return;
      const [{ buffer, byteOffset, byteLength }] = lacking.buffers;
      this.lacking = byteLength ? new Uint8Array(buffer, byteOffset, byteLength) : null;
      if (activations !== this.activations) this.strongest = strongestConcepts(activations);
      this.activations = activations;
      this.arrange(places.data, places.buffers.map(floats));
      this.look();
      this.list();
    } catch (error) {
      if (mine === this.turn) this.about.textContent = reason(this.t, error);
    }
  }

  /** @param {any} data @param {Float32Array[]} arrays */
  arrange(data, [samples, concepts, numbers, rows]) {
    const { t, ofConcepts, scatter } = this;
    const all = ofConcepts ? this.concepts.length : this.strongest.length;
    const some = new Int32Array((ofConcepts ? numbers : rows).buffer);
    this.items = some.length || ofConcepts ? some : Int32Array.from({ length: all }, (_, row) => row);
    scatter.points = points(ofConcepts ? concepts : samples);
    const [text, share] = ofConcepts ? data.concepts : data.samples;
    const part = this.items.length < all ? t`${this.items.length} of ${all} have a place.` : "";
    this.about.textContent = `${translate(t, text)} ${t`The map holds ${percent(share)} of the variance.`} ${part}`;
    scatter.show(this.get("map_window"));
  }

  /** Whether a sample passes the filter. @param {number} row */
  passes(row) {
    const { lacking, unexplained = -1, factor } = this.get("map_filter");
    const [rest, texts] = [this.activations?.rest[row] ?? 0, this.factors[factor?.[0]]];
    return (!lacking || this.lacking?.[row]) && !(rest <= unexplained) && (!factor || texts?.[row] === factor[1]);
  }

  /** Items of the map that pass the filter. */
  matching() {
    return [...this.items].filter((item) => this.ofConcepts || this.passes(item));
  }

  /** Chosen rows of samples, or concepts. @returns {Set<number | undefined>} */
  get chosen() {
    if (!this.ofConcepts) return new Set(this.get("lasso").map((/** @type {string} */ id) => this.rowOf.get(id)));
    const layer = this.key(/** @type {any} */ (""));
    const keys = /** @type {string[]} */ (this.get("lasso_concepts")).filter((key) => key.startsWith(layer));
    return new Set(keys.map((key) => Number(key.slice(layer.length))));
  }

  /** Colours, selection and legend. */
  look() {
    const { items, ofConcepts, chosen, scatter } = this;
    const { categories, groups } = groupsOf(this);
    const n = items.length;
    this.colours = Array.from(items, (item) => (ofConcepts ? this.colour(item) : groups[categories[item]]?.colour));
    const passing = new Set(this.matching());
    const lit = (/** @type {number} */ item) => passing.has(item) && (!chosen.size || chosen.has(item));
    scatter.look = {
      inks: this.colours.map(ink),
      bright: Uint8Array.from(items, (item) => Number(lit(item))),
      radius: ofConcepts || n < 300 ? 5 : n < 3000 ? 3 : 1.6,
      current: items.indexOf(ofConcepts ? this.get("concept") : this.row),
    };
    const pick = (/** @type {number} */ group) =>
      this.choose([...passing].filter((item) => categories[item] === group));
    this.groups = ofConcepts ? [] : groups;
    refill(this.legend, ...this.groups.map((group, i) => legendEntry(group, () => pick(i))));
    this.sync(chosen.size, passing.size);
    scatter.draw();
    this.tiles.paint();
  }

  /** @param {number} chosen @param {number} passing */
  sync(chosen, passing) {
    const { t, ofConcepts } = this;
    const { unexplained, ...rule } = this.get("map_filter");
    this.rule.value = JSON.stringify(rule);
    this.share.value = unexplained ? Math.round(100 * unexplained) : "";
    this.lacks.hidden = this.colourBy.querySelector("[value=lacking]").hidden = !this.lacking;
    this.colourBy.hidden = ofConcepts;
    this.clear.disabled = !chosen;
    const all = ofConcepts ? t`${passing} concepts` : t`${passing} of ${this.strongest.length} images`;
    this.count.textContent = chosen ? t`${chosen} chosen` : all;
  }

  /** The table: the chosen samples, or those whose strongest concept is chosen; of these, what passes. */
  list() {
    const { chosen, ofConcepts, activations, strongest } = this;
    if (!activations) return;
    const rows = [...activations.rest.keys()].filter((row) => this.passes(row));
    const included = (/** @type {number} */ row) => !chosen.size || chosen.has(ofConcepts ? strongest[row] : row);
    this.table.show(rows.filter(included), activations, strongest);
  }

  /** @param {number} i @param {boolean} add to the choice */
  pick(i, add) {
    const item = this.items[i];
    if (add) this.choose([.../** @type {Set<number>} */ (this.chosen), item]);
    const { id, caption } = this.meta.samples[item] ?? {};
    this.commit({ token: null, ...(this.ofConcepts ? { concept: item } : { sample: id }) });
    if (!this.ofConcepts) this.ctx.say(caption || id);
  }

  /** @param {number[]} items */
  choose(items) {
    const { t, ofConcepts, meta } = this;
    const keys = [...new Set(items)].map((item) => (ofConcepts ? this.key(item) : meta.samples[item].id));
    if (encodeURI(keys.join()).length > MAX_TEXT) return this.ctx.say(`Error: ${t`Too many images for one choice.`}`);
    this.commit({ [ofConcepts ? "lasso_concepts" : "lasso"]: keys });
    this.ctx.say(t`${keys.length} chosen`);
  }

  /** What a lasso is around. @param {number[]} chosen points */
  encircle(chosen) {
    const items = chosen.map((i) => this.items[i]);
    this.choose(items.filter((item) => this.ofConcepts || this.passes(item)));
  }

  /** @param {number[]} window */
  moved(window) {
    this.commit({ map_window: window });
    this.tiles.paint();
  }

  drawn() {
    this.tiles.place();
  }

  /** @param {number} i a point under the pointer, or −1 */
  point(i) {
    this.tiles.point(i);
  }
}
