// @ts-check
/** The colours of maps: blue below zero, red above it, clear at zero. Python's figures have the same (plots/colour_scales.py). */

/** Places from −1 to 1, and red, green and blue there. */
export const STOPS = [
  [-1, 33, 102, 172],
  [-0.5, 103, 169, 207],
  [0, 247, 247, 247],
  [0.5, 239, 138, 98],
  [1, 178, 24, 43],
];
export const OPACITY = 0.85; // over an image, at either end; 0 at zero

/** Red, green and blue (0 to 255) and opacity (0 to 1). @param {number} share of the largest absolute value, −1 to 1 */
export function colourAt(share) {
  const place = Math.min(1, Math.max(-1, share));
  const i = Math.min(STOPS.length - 2, Math.floor(2 * (place + 1)));
  const [[from, ...low], [to, ...high]] = [STOPS[i], STOPS[i + 1]];
  const part = (place - from) / (to - from);
  return [...low.map((v, j) => Math.round(v + part * (high[j] - v))), OPACITY * Math.abs(place)];
}

/** CSS gradient of the scale. @param {number} from where it begins: −1 where there are values below zero, else 0 */
export function gradient(from) {
  const steps = Array.from({ length: 9 }, (_, i) => colourAt(from + ((1 - from) * i) / 8));
  return `linear-gradient(90deg, ${steps.map((c) => `rgb(${c.slice(0, 3).join(" ")} / ${c[3]})`).join(", ")})`;
}
