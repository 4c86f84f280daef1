// @ts-check
/** The present state as one picture of 1200 × 630 pixels: the image with its map, the response, the strongest parts. */

import { colourAt } from "../colour_scale.js";
import { percent, signed } from "../dom.js";
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
} from "../drawing.js";
import { visible } from "../words.js";
import { extent, mean } from "./arrays.js";
import { Pane } from "./pane.js";

const [HEAD, SIDE, TOP] = [74, 500, 84];
const BARS = 6;

export class Picture extends Pane {
  /** @param {import("./types.js").InspectorContext} ctx */
  constructor(ctx) {
    super(ctx);
    const { el, pen } = blank();
    this.el = el;
    this.pen = pen;
    this.side = this.store.side();
  }

  /** @returns {Promise<HTMLCanvasElement>} */
  async draw() {
    const { pen } = this;
    box(pen, 0, 0, WIDTH, HEIGHT, "#fff");
    this.header();
    await this.image();
    this.facts(MARGIN + SIDE + 30);
    write(pen, "nbtoolkit", WIDTH - MARGIN, HEIGHT - 8, 12, MUTED, { align: "right" });
    return this.el;
  }

  header() {
    const { pen, meta, t } = this;
    const word = visible(this.store.word()?.text ?? this.get("target"));
    const foil = this.get("foil") ? ` − “${visible(this.get("foil"))}”` : "";
    const x = MARGIN + write(pen, `“${word}”${foil}`, MARGIN, 47, 32, INK, { bold: true, width: 560 }) + 16;
    const shape = t`${meta.n_layers} layers, ${meta.n_heads} heads, width ${meta.d_model}`;
    write(pen, [meta.model, shape, meta.checks].join(" · "), x, 46, 16, MUTED, { width: WIDTH - MARGIN - x });
    box(pen, 0, HEAD, WIDTH, 1, LINE);
  }

  /** The result that the map shows, with a value per patch. */
  map() {
    const metric = this.get("metric");
    const name = metric === "head" ? "attention" : metric;
    const of = metric === "concept" ? `${this.get("layer")}:${this.get("concept")}` : "";
    const result = name && this.store.get(name, { of });
    const values = result && result.arrays.values;
    if (!values?.dims.includes("patch")) return null;
    const others = values.dims.filter((/** @type {string} */ dim) => dim !== "patch");
    return { result, values: others.length ? mean(values, others) : values };
  }

  async image() {
    const { pen, side } = this;
    const image = await loaded(side.image);
    const scale = Math.min(SIDE / image.width, SIDE / image.height);
    const [w, h] = [image.width * scale, image.height * scale];
    const [left, top] = [MARGIN + (SIDE - w) / 2, TOP];
    pen.drawImage(image, left, top, w, h);
    const map = this.map();
    const boxes = side.geometry?.boxes ?? [];
    const place = (/** @type {number} */ i) => {
      const [x0, y0, x1, y1] = boxes.slice(4 * i, 4 * i + 4);
      if (x0 === null || y0 === null || x1 === null || y1 === null || x0 === undefined) return null;
      return /** @type {const} */ ([left + x0 * w, top + y0 * h, (x1 - x0) * w, (y1 - y0) * h]);
    };
    if (map) {
      const { top: most } = extent(map.values);
      map.values.data.forEach((/** @type {number} */ value, /** @type {number} */ i) => {
        const at = place(i);
        const [r, g, b, a] = colourAt(most ? value / most : 0);
        if (at && Number.isFinite(value)) box(pen, ...at, `rgb(${r} ${g} ${b} / ${0.8 * a})`);
      });
    }
    Object.assign(pen, { strokeStyle: ACCENT, lineWidth: 2 });
    for (const patch of this.get("patches")) {
      const at = place(patch);
      if (at) pen.strokeRect(...at);
    }
    const y = top + h + 24;
    if (map)
      write(pen, [map.result.title, map.result.unit].filter(Boolean).join(" · "), MARGIN, y, 15, MUTED, {
        width: SIDE,
      });
  }

  /** @param {number} x */
  facts(x) {
    const { pen, side, t } = this;
    const width = WIDTH - MARGIN - x;
    let y = TOP + 16;
    const head = (/** @type {string} */ text) => {
      write(pen, text, x, y, 14, MUTED, { bold: true });
      y += 26;
    };
    if (side.question) {
      head(t`Question`);
      y =
        flow(
          pen,
          side.question.split(/\s+/).map((word) => ({ word: visible(word), mark: false })),
          { x, y, width, lines: 2 },
        ) + 34;
    }
    head(t`Response`);
    const at = side.words.findIndex(({ key }) => key === this.get("target"));
    const start = Math.max(0, at - 14);
    const words = side.words
      .slice(start, start + 40)
      .map(({ text, key }) => ({ word: visible(text), mark: key === this.get("target") }));
    y = flow(pen, words, { x, y, width, lines: 3 }) + 34;
    const word = this.store.word();
    if (word?.probability) {
      const second = word.runner_up ? ` · ${t`second “${word.runner_up[0]}” ${percent(word.runner_up[1])}`}` : "";
      write(pen, t`probability ${percent(word.probability)}` + second, x, y, 15, MUTED, { width });
      y += 36;
    }
    this.bars(x, y, width, head);
  }

  /** The strongest heads and layers, where they are computed. @param {number} x @param {number} y @param {number} width @param {(text: string) => void} head */
  bars(x, y, width, head) {
    const result = this.store.get("contribution");
    const { values, mlp } = result?.arrays ?? {};
    if (!result || !values) return;
    const layers = values.coords.layer ?? [];
    const n = values.shape[1];
    const parts = [
      ...Array.from(values.data, (value, i) => ({ name: `L${layers[Math.floor(i / n)]}.H${i % n}`, value })),
      ...Array.from(mlp?.data ?? [], (value, i) => ({ name: `MLP ${layers[i]}`, value })),
    ].sort((a, b) => Math.abs(b.value) - Math.abs(a.value));
    head([result.title, result.unit].filter(Boolean).join(" · "));
    parts.slice(0, BARS).forEach(({ name, value }, i) => {
      const share = Math.abs(value) / Math.abs(parts[0].value || 1);
      const colour = value < 0 ? "#2166ac" : "#b2182b";
      bar(this.pen, { name, share, value: signed(value, 2, "+"), colour }, { x, y: y + 26 + 30 * i, width });
    });
  }
}
