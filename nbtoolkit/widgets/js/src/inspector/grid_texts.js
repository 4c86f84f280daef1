// @ts-check
/** Words in the cells of a grid. */

import { shareOf } from "./image_map.js";

const SIZE = "11px";
const LETTER = 6.4; // pixels
const STRONG = 0.55; // of the scale: white is read on it

/** @typedef {{ accent: string, color: string, fontFamily: string }} Ink */

/**
 * @param {CanvasRenderingContext2D} brush @param {Ink} ink @param {import("./grid.js").Sheet} sheet
 * @param {number} step width of a column
 */
export function writeTexts(brush, { color, fontFamily }, sheet, step) {
  const letters = Math.max(1, Math.floor((step - 4) / LETTER));
  // setting a font has the browser compute the styles of the whole page; a canvas of another size has none again
  if (!brush.font.startsWith(SIZE)) brush.font = `${SIZE} ${fontFamily}`;
  brush.textBaseline = "middle";
  sheet.texts?.forEach((text, i) => {
    if (!text) return;
    const strong = Math.abs(shareOf(sheet.scale, sheet.values[i])) > STRONG && !sheet.faint?.[i];
    brush.fillStyle = strong ? "#fff" : color;
    const short = text.length > letters ? `${text.slice(0, letters - 1)}…` : text;
    brush.fillText(short, (i % sheet.n) * step + 3, (Math.floor(i / sheet.n) + 0.55) * sheet.height);
  });
}
