// @ts-check
/** Some images on the map, as many as fit, with the names of concepts; and the preview of the point under the pointer. */

import { h, percent, showThumb, signed } from "./dom.js";
import { Pane } from "./pane.js";
import { spaced } from "./points.js";

const APART = { samples: 44, concepts: 76 }; // pixels
const MOST = 32;

export class MapTiles extends Pane {
  /** @param {import("./types.js").Context} ctx @param {import("./concept_map.js").ConceptMap} map */
  constructor(ctx, map) {
    super(ctx);
    this.map = map;
    this.turn = this.pointed = 0;
    this.el = h("div", { class: "nbt-map-tiles", "aria-hidden": "true" });
    this.hint = h("div", { class: "nbt-map-hint", hidden: true, "aria-hidden": "true" });
    map.scatter.el.append(this.el, this.hint);
  }

  /** Row of the image of a point: the sample's, or the strongest of the concept. @param {number} i */
  rowOf(i) {
    const item = this.map.items[i];
    return this.map.ofConcepts ? this.concepts[item].exemplars[0] : item;
  }

  /** @param {number[]} rows @returns {Promise<Map<number, import("./types.js").Thumb>>} */
  thumbs(rows) {
    return this.source.thumbs(rows).catch((error) => {
      this.ctx.say(String(error));
      return new Map();
    });
  }

  async paint() {
    const { map, meta } = this;
    const { scatter, ofConcepts, items } = map;
    const mine = ++this.turn;
    const bright = [...items.keys()].filter((i) => scatter.look.bright[i]);
    if (ofConcepts) bright.sort((a, b) => this.concepts[items[b]].share - this.concepts[items[a]].share);
    const places = bright.map((i) => ({ i, x: scatter.at(i)[0], y: scatter.at(i)[1] }));
    const visible = ofConcepts || (meta.pictured && this.get("map_thumbs"));
    const [apart, size] = [ofConcepts ? APART.concepts : APART.samples, scatter.size];
    const chosen = visible ? spaced(places, apart, MOST, ...size) : [];
    const rows = [...new Set(chosen.map(({ i }) => this.rowOf(i)))].filter((row) => row !== undefined);
    const pictured = meta.pictured && this.get("map_thumbs") && rows.length;
    const thumbs = pictured ? await this.thumbs(rows) : null;
    if (mine !== this.turn) return;
    this.el.replaceChildren(
      ...chosen.map(({ i }) => {
        const image = thumbs && h("span", { class: "nbt-thumb", style: { borderColor: map.colours?.[i] } });
        if (image) showThumb(image, thumbs.get(this.rowOf(i)));
        const name = ofConcepts ? h("span", { class: "nbt-map-name", text: this.name(items[i]) }) : null;
        return h("span", { class: "nbt-map-tile", "data-i": i }, image, name);
      }),
    );
    this.place();
  }

  /** Tiles where their points are drawn now. */
  place() {
    for (const tile of this.el.children) {
      const [x, y] = this.map.scatter.at(Number(tile.dataset.i));
      tile.style.transform = `translate(${x}px, ${y}px) translate(-50%, -50%)`;
    }
  }

  /** Preview of a point, or of none. @param {number} i */
  async point(i) {
    const { hint, map, meta } = this;
    this.pointed = i;
    hint.hidden = true; // until its own image is there
    if (i < 0) return;
    const row = this.rowOf(i);
    const thumb = row === undefined ? undefined : (await this.thumbs([row])).get(row);
    if (this.pointed !== i) return;
    hint.hidden = false;
    const image = meta.pictured && thumb ? h("span", { class: "nbt-thumb" }) : null;
    if (image) showThumb(image, thumb);
    hint.replaceChildren(...[image, ...this.texts(map.items[i], thumb?.caption ?? "")].filter((part) => part !== null));
    const [[x, y], [width, height]] = [map.scatter.at(i), map.scatter.size];
    hint.style.left = `${Math.max(4, Math.min(width - hint.offsetWidth - 4, x + 12))}px`;
    hint.style.top = `${Math.max(4, Math.min(height - hint.offsetHeight - 4, y - hint.offsetHeight / 2))}px`;
  }

  /** @param {number} item @param {string} caption */
  texts(item, caption) {
    const { activations, strongest, ofConcepts } = this.map;
    const k = ofConcepts ? item : (strongest[item] ?? -1);
    const line = (/** @type {string} */ text) => h("span", { text });
    const name = h("strong", { text: k < 0 ? "" : `${k} ${this.name(k)}` });
    if (ofConcepts || !activations || k < 0)
      return [name, line(ofConcepts ? this.concepts[k].words.join(" · ") : caption)];
    name.append(` ${signed(activations.values[item * activations.nConcepts + k])}`);
    return [line(caption), name, line(`${this.t`unexplained`} ${percent(activations.rest[item])}`)];
  }
}
