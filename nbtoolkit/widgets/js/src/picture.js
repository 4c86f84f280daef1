// @ts-check
/** The present state as one picture of 1200 × 630 pixels; Python draws the same one (picture.py). */

import { format, percent, signed } from "./dom.js";
import {
  ACCENT,
  HEIGHT,
  INK,
  LINE,
  MARGIN,
  MUTED,
  SOFT,
  WIDTH,
  bar,
  blank,
  box,
  flow,
  loaded,
  write,
} from "./drawing.js";
import { Pane } from "./pane.js";
import { strongest } from "./state.js";
import { translate } from "./words.js";

const HEAD = 74;
const [LEFT, CARD, TILE, N_CARDS, N_TILES] = [726, 128, 88, 4, 7]; // right end of the cards; height, images and their side
const IMAGE = 250; // height of the selected image

export class Picture extends Pane {
  /** @param {import("./types.js").Context} ctx */
  constructor(ctx) {
    super(ctx);
    const { el, pen } = blank();
    this.el = el;
    this.pen = pen;
  }

  /** Draw the view as it is. @returns {Promise<HTMLCanvasElement>} */
  async draw() {
    const { source, row } = this;
    const [sample, activations] = await Promise.all([source.sample(row), source.activations(this.get("layer"))]);
    box(this.pen, 0, 0, WIDTH, HEIGHT, "#fff");
    this.header();
    const top = HEAD + 8;
    const rows = this.listed();
    for (const [i, k] of rows.entries()) await this.card(k, top + i * (CARD + 6));
    await this.detail(sample, strongest(activations, row), activations.rest[row], top);
    write(this.pen, "nbtoolkit", WIDTH - MARGIN, HEIGHT - 8, 12, MUTED, { align: "right" });
    return this.el;
  }

  /** The strongest concepts, with the selected one among them. */
  listed() {
    const { concepts } = this;
    const rows = concepts.map((_, k) => k).filter((k) => !concepts[k].absent);
    rows.sort((a, b) => concepts[b].share - concepts[a].share || a - b);
    const selected = this.get("concept");
    const first = rows.slice(0, N_CARDS);
    return selected === null || first.includes(selected) || !concepts[selected]
      ? first
      : [...first.slice(0, N_CARDS - 1), selected];
  }

  header() {
    const { t, meta, concepts } = this;
    const layer = this.get("layer");
    const curve = meta.metrics.find(({ name }) => name === this.get("metric")) ?? meta.metrics[0];
    let right = WIDTH - MARGIN;
    if (curve) {
      this.curve(curve.values, meta.layers.indexOf(layer));
      const value = `${translate(t, curve.label)} ${format(curve.values[meta.layers.indexOf(layer)])}`;
      right -= 200 + write(this.pen, value, right - 200, 42, 15, MUTED, { align: "right", width: 240 }) + 16;
    }
    const x = MARGIN + write(this.pen, `“${meta.token}”`, MARGIN, 47, 32, INK, { bold: true, width: 420 }) + 16;
    const about = t`${meta.model} · ${meta.n_samples} images · ${concepts.length} concepts by ${meta.method}`;
    write(this.pen, `${t`Layer`} ${layer} ${t`of ${meta.n_layers}`} · ${about}`, x, 46, 16, MUTED, {
      width: right - x,
    });
    box(this.pen, 0, HEAD, WIDTH, 1, LINE);
  }

  /** @param {(number | null)[]} values @param {number} at */
  curve(values, at) {
    const { pen } = this;
    const present = /** @type {number[]} */ (values.filter((v) => v !== null));
    const [low, high] = [Math.min(...present), Math.max(...present)];
    const place = (/** @type {number} */ v, /** @type {number} */ i) => [
      WIDTH - MARGIN - 184 + (178 * i) / Math.max(1, values.length - 1),
      58 - 42 * (high > low ? (v - low) / (high - low) : 0.5),
    ];
    const points = values.flatMap((v, i) => (v === null ? [] : [{ i, at: place(v, i) }]));
    Object.assign(pen, { strokeStyle: ACCENT, lineWidth: 2 });
    pen.beginPath();
    for (const { at } of points) pen.lineTo(at[0], at[1]);
    pen.stroke();
    for (const point of points) {
      pen.beginPath();
      pen.arc(point.at[0], point.at[1], point.i === at ? 6 : 3, 0, 7);
      pen.fillStyle = point.i === at ? ACCENT : "#fff";
      pen.fill();
      pen.stroke();
    }
  }

  /** @param {number} k @param {number} top */
  async card(k, top) {
    const { words, exemplars, share } = this.concepts[k];
    box(this.pen, MARGIN, top, LEFT - MARGIN, CARD, "#fff", { radius: 8, line: LINE });
    box(this.pen, MARGIN, top + 8, 4, CARD - 16, this.colour(k));
    const end =
      LEFT - 24 - write(this.pen, percent(share), LEFT - 12, top + 24, 17, INK, { bold: true, align: "right" });
    let x = MARGIN + 16;
    x += write(this.pen, this.name(k), x, top + 24, 19, INK, { bold: true, width: end - x }) + 10;
    write(this.pen, words.join(" · "), x, top + 24, 15, MUTED, { width: end - x });
    const rows = exemplars.slice(0, N_TILES);
    const thumbs = this.meta.pictured ? await this.source.thumbs(rows) : new Map();
    for (const [i, row] of rows.entries()) {
      const thumb = thumbs.get(row);
      const place = /** @type {const} */ ([MARGIN + 16 + i * (TILE + 6), top + CARD - TILE - 8, TILE, TILE]);
      box(this.pen, ...place, SOFT);
      if (!thumb) continue;
      const image = await loaded(thumb.url);
      const width = image.width / thumb.count;
      const side = Math.min(width, image.height); // the middle square
      const from = [thumb.index * width + (width - side) / 2, (image.height - side) / 2];
      this.pen.drawImage(image, from[0], from[1], side, side, ...place);
    }
  }

  /**
   * The selected image over its response and the bars of its concepts.
   * @param {{ facts: import("./types.js").Facts, url: string | null }} sample
   * @param {{ concept: number, value: number }[]} bars @param {number} rest @param {number} top
   */
  async detail({ facts, url }, bars, rest, top) {
    const left = LEFT + 24;
    const width = WIDTH - MARGIN - left;
    box(this.pen, left, top, width, IMAGE, SOFT);
    if (url) {
      const image = await loaded(url);
      const scale = Math.min(width / image.width, IMAGE / image.height);
      const [w, h] = [image.width * scale, image.height * scale];
      this.pen.drawImage(image, left + (width - w) / 2, top + (IMAGE - h) / 2, w, h);
    }
    let y = this.response(facts, left, top + IMAGE + 26, width) + 24;
    const largest = Math.max(...bars.map(({ value }) => Math.abs(value)), 1e-30);
    const lines = bars.map(({ concept: k, value }) => ({
      name: this.name(k),
      share: Math.abs(value) / largest,
      value: signed(value),
      colour: this.colour(k),
    }));
    if (Number.isFinite(rest)) {
      lines.push({ name: this.t`unexplained`, share: Math.min(1, rest), value: percent(rest), colour: MUTED });
    }
    for (const line of lines) {
      bar(this.pen, line, { x: left, y, width });
      y += 30;
    }
  }

  /** The response on two lines at most, around the token. @param {import("./types.js").Facts} facts @param {number} left @param {number} y @param {number} width */
  response({ pieces, position, caption }, left, y, width) {
    const parts = pieces.length ? pieces : [caption];
    const words = parts.flatMap((text, i) =>
      text.split(/\s+/).flatMap((word) => (word ? [{ word, mark: i === position && pieces.length > 0 }] : [])),
    );
    const at = Math.max(0, words.findIndex(({ mark }) => mark) - 8);
    return flow(this.pen, words.slice(at, at + 20), { x: left, y, width, lines: 2 });
  }
}
