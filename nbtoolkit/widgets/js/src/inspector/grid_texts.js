// @ts-check
/** Words in the cells of a grid. */

import { shareOf } from "./image_map.js";

const LETTER = 6.4; // pixels
const STRONG = 0.55; // of the scale: white is read on it

/**
 * @param {CanvasRenderingContext2D} brush @param {HTMLElement} el whose font and colour they have @param {import("./grid.js").Sheet} sheet
 * @param {number} step width of a column
 */
export function writeTexts(brush, el, sheet, step) {
  const { color, fontFamily } = getComputedStyle(el);
  const letters = Math.max(1, Math.floor((step - 4) / LETTER));
  Object.assign(brush, { font: `11px ${fontFamily}`, textBaseline: "middle" });
  sheet.texts?.forEach((text, i) => {
    if (!text) return;
    const strong = Math.abs(shareOf(sheet.scale, sheet.values[i])) > STRONG && !sheet.faint?.[i];
    brush.fillStyle = strong ? "#fff" : color;
    const short = text.length > letters ? `${text.slice(0, letters - 1)}…` : text;
    brush.fillText(short, (i % sheet.n) * step + 3, (Math.floor(i / sheet.n) + 0.55) * sheet.height);
  });
}
