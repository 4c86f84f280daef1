// @ts-check
/**
 * The colours of maps: blue below zero, red above it, clear at zero; by the square root, so that weak values show.
 * Figures of matplotlib have the same (nbtoolkit/plots/colour_scales.py, function `colours`; a test compares them).
 */

export const BELOW = [
  [103, 169, 207],
  [33, 102, 172],
];
export const ABOVE = [
  [239, 138, 98],
  [178, 24, 43],
];
export const OPACITY = 0.85;

/** Red, green and blue (0 to 255), and opacity (0 to 1). @param {number} share of the largest absolute value, −1 to 1 */
export function colourAt(share) {
  const size = Math.min(1, Math.abs(share));
  const [near, end] = share < 0 ? BELOW : ABOVE;
  return [...near.map((v, i) => Math.round(v + size * (end[i] - v))), OPACITY * Math.sqrt(size)];
}

/** CSS gradient of the scale. @param {boolean} signed whether there are values below zero: zero is in the middle then */
export function gradient(signed) {
  const n = 16;
  const colours = Array.from({ length: n + 1 }, (_, i) => colourAt(signed ? (2 * i) / n - 1 : i / n));
  return `linear-gradient(90deg, ${colours.map(([r, g, b, a]) => `rgb(${r} ${g} ${b} / ${a.toFixed(3)})`).join(", ")})`;
}
