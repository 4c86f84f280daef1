// @ts-check
/** Words in the cells of a grid. */

import { shareOf } from "./image_map.js";

const LETTER = 6.4; // pixels
const STRONG = 0.55; // of the scale: white is read on it

/** @typedef {{ accent: string, color: string, fontFamily: string }} Ink */

/**
 * @param {CanvasRenderingContext2D} brush @param {Ink} ink @param {import("./grid.js").Sheet} sheet
 * @param {number} step width of a column
 */
export function writeTexts(brush, { color, fontFamily }, sheet, step) {
  const letters = Math.max(1, Math.floor((step - 4) / LETTER));
  const { width, height } = brush.canvas;
  // text on a canvas of the page has the browser compute the styles of the whole page first; on one that is in no page, none
  const aside = Object.assign(document.createElement("canvas"), { width, height });
  const pen = /** @type {CanvasRenderingContext2D} */ (aside.getContext("2d"));
  pen.setTransform(brush.getTransform());
  Object.assign(pen, { font: `11px ${fontFamily}`, textBaseline: "middle" });
  sheet.texts?.forEach((text, i) => {
    if (!text) return;
    const strong = Math.abs(shareOf(sheet.scale, sheet.values[i])) > STRONG && !sheet.faint?.[i];
    pen.fillStyle = strong ? "#fff" : color;
    const short = text.length > letters ? `${text.slice(0, letters - 1)}…` : text;
    pen.fillText(short, (i % sheet.n) * step + 3, (Math.floor(i / sheet.n) + 0.55) * sheet.height);
  });
  brush.save();
  brush.setTransform(1, 0, 0, 1, 0, 0);
  brush.drawImage(aside, 0, 0);
  brush.restore();
}
