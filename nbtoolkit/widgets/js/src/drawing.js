// @ts-check
/** Boxes and lines of text on a canvas, for pictures of views. */

import { longest } from "./state.js";

export const [WIDTH, HEIGHT, MARGIN] = [1200, 630, 26];
export const [INK, MUTED, LINE, SOFT, ACCENT] = ["#1b1f24", "#57606a", "#d0d7de", "#f3f5f8", "#0b6bcb"];
export const FONT = "system-ui, sans-serif";

/** An empty picture. @returns {{ el: HTMLCanvasElement, pen: CanvasRenderingContext2D }} */
export function blank() {
  const el = document.createElement("canvas");
  [el.width, el.height] = [WIDTH, HEIGHT];
  return { el, pen: /** @type {CanvasRenderingContext2D} */ (el.getContext("2d")) };
}

/** @param {string} url */
export async function loaded(url) {
  const image = new Image();
  image.src = url;
  await image.decode();
  return image;
}

/**
 * @param {CanvasRenderingContext2D} pen @param {number} x @param {number} y @param {number} width @param {number} height
 * @param {string} fill @param {{ radius?: number, line?: string }} [look]
 */
export function box(pen, x, y, width, height, fill, { radius = 0, line } = {}) {
  pen.beginPath();
  pen.roundRect(x, y, width, height, radius);
  pen.fillStyle = fill;
  pen.fill();
  if (!line) return;
  pen.strokeStyle = line;
  pen.lineWidth = 1;
  pen.stroke();
}

/**
 * One line, cut to a width; gives its length.
 * @param {CanvasRenderingContext2D} pen @param {string} text @param {number} x @param {number} y @param {number} size
 * @param {string} colour @param {{ bold?: boolean, align?: CanvasTextAlign, width?: number }} [look]
 */
export function write(pen, text, x, y, size, colour, { bold = false, align = "left", width = Infinity } = {}) {
  Object.assign(pen, { font: `${bold ? "bold " : ""}${size}px ${FONT}`, fillStyle: colour, textAlign: align });
  const cut = (/** @type {number} */ end) =>
    end < text.length ? `${text.slice(0, end).replace(/[ ·,]+$/, "")}…` : text;
  const end = longest(text.length, (n) => pen.measureText(cut(n)).width <= width);
  if (end) pen.fillText(cut(end), x, y);
  return end ? pen.measureText(cut(end)).width : 0;
}

/**
 * Words on some lines, some of them marked.
 * @param {CanvasRenderingContext2D} pen @param {{ word: string, mark: boolean }[]} words
 * @param {{ x: number, y: number, width: number, lines: number }} place of the first line
 * @returns {number} where the last line is
 */
export function flow(pen, words, { x: left, y, width, lines }) {
  let [x, line] = [left, 0];
  for (const { word, mark } of words) {
    pen.font = `${mark ? "bold " : ""}17px ${FONT}`;
    const length = pen.measureText(word).width;
    if (x > left && x + length > left + width) [x, line] = [left, line + 1];
    if (line === lines) break;
    write(pen, word, x, y + 24 * line, 17, mark ? ACCENT : INK, { bold: mark, width });
    x += length + 6;
  }
  return y + 24 * Math.min(line, lines - 1);
}

/**
 * A row of bars: a name, a bar of a share of the width, a value.
 * @param {CanvasRenderingContext2D} pen @param {{ name: string, share: number, value: string, colour: string }} bar
 * @param {{ x: number, y: number, width: number }} place
 */
export function bar(pen, { name, share, value, colour }, { x, y, width }) {
  write(pen, name, x, y + 6, 15, INK, { width: 130 });
  box(pen, x + 140, y - 5, width - 202, 10, SOFT, { radius: 5 });
  box(pen, x + 140, y - 5, Math.max(4, share * (width - 202)), 10, colour, { radius: 5 });
  write(pen, value, x + width, y + 6, 15, INK, { align: "right" });
}
