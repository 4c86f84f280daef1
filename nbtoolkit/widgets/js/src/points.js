// @ts-check
/** Pure functions of points in two dimensions: where they are drawn, which one is meant, which are inside, how they group. */

const PAD = 0.06; // of the larger side, around all points
const MOST = 8; // categories with a colour of their own

/** @typedef {{ xs: Float32Array, ys: Float32Array }} Points x to the right, y up */
/** @typedef {{ scale: number, left: number, top: number }} Frame a point is drawn at left + scale × x, top − scale × y */

/** Coordinates of points that alternate. @param {Float32Array} pairs @returns {Points} */
export const points = (pairs) => ({
  xs: pairs.filter((_, i) => i % 2 === 0),
  ys: pairs.filter((_, i) => i % 2 === 1),
});

/** The window that shows all points: x0, y0, x1, y1. @param {Points} points */
export function bounds({ xs, ys }) {
  if (!xs.length) return [-1, -1, 1, 1];
  const ends = (/** @type {Float32Array} */ values) => [
    values.reduce((a, b) => Math.min(a, b)),
    values.reduce((a, b) => Math.max(a, b)),
  ];
  const [[x0, x1], [y0, y1]] = [ends(xs), ends(ys)];
  const pad = PAD * Math.max(x1 - x0, y1 - y0) || 1;
  return [x0 - pad, y0 - pad, x1 + pad, y1 + pad];
}

/** One scale for both axes, so that distances can be compared. @param {number[]} window @param {number} width @param {number} height @returns {Frame} */
export function fit([x0, y0, x1, y1], width, height) {
  const scale = Math.min(width / (x1 - x0), height / (y1 - y0));
  return { scale, left: (width - scale * (x0 + x1)) / 2, top: (height + scale * (y0 + y1)) / 2 };
}

/** Part of the map that a frame shows. @param {Frame} frame @param {number} width @param {number} height */
export const windowOf = ({ scale, left, top }, width, height) =>
  [-left, top - height, width - left, top].map((v) => v / scale);

/** A frame with another scale, where what is at (x, y) stays. @param {Frame} frame @param {number} factor @param {number} x @param {number} y @returns {Frame} */
export const zoomed = ({ scale, left, top }, factor, x, y) => ({
  scale: scale * factor,
  left: x + factor * (left - x),
  top: y + factor * (top - y),
});

/**
 * The visible point of least cost, or −1.
 * @param {ArrayLike<number>} visible by point, 0 for none @param {(i: number) => number} cost infinite where it is none
 */
export function best(visible, cost) {
  let [at, least] = [-1, Infinity];
  for (let i = 0; i < visible.length; i++) {
    const value = visible[i] ? cost(i) : Infinity;
    if (value < least) [at, least] = [i, value];
  }
  return at;
}

/** Cost of a point at (x, y) in a direction: near, and rather straight ahead than aside. @param {number} x @param {number} y @param {number[]} direction */
export function cost(x, y, [dx, dy]) {
  const ahead = x * dx + y * dy;
  return ahead > 0 ? ahead + (2 * (x * dy - y * dx) ** 2) / ahead : Infinity;
}

/** Whether a point is inside a polygon (even–odd). @param {number[][]} polygon @param {number} x @param {number} y */
export function inside(polygon, x, y) {
  let odd = false;
  let [x0, y0] = polygon[polygon.length - 1];
  for (const [x1, y1] of polygon) {
    if (y0 > y !== y1 > y && x < ((x1 - x0) * (y - y0)) / (y1 - y0) + x0) odd = !odd;
    [x0, y0] = [x1, y1];
  }
  return odd;
}

/**
 * Some places, in order, that are at least a distance from each other and half of it from the edge.
 * @param {{ i: number, x: number, y: number }[]} places @param {number} apart @param {number} n at most @param {number} width @param {number} height
 */
export function spaced(places, apart, n, width, height) {
  /** @type {typeof places} */
  const chosen = [];
  for (const place of places) {
    const { x, y } = place;
    const free = Math.min(x, y, width - x, height - y) >= apart / 2;
    const far = (/** @type {typeof place} */ c) => Math.max(Math.abs(c.x - x), Math.abs(c.y - y)) >= apart;
    if (free && chosen.every(far) && chosen.push(place) === n) break;
  }
  return chosen;
}

/**
 * Group values: the eight most frequent have a category each, from 0 on; the others share one.
 * @template T @param {ArrayLike<T>} values
 * @returns {{ categories: Uint8Array, groups: { value: T | null, count: number }[] }} the group of the others is last, with null
 */
export function grouped(values) {
  /** @type {Map<T, number>} */
  const counts = new Map();
  for (let i = 0; i < values.length; i++) counts.set(values[i], (counts.get(values[i]) ?? 0) + 1);
  const order = [...counts].sort(([, a], [, b]) => b - a);
  const number = new Map(order.map(([value], i) => [value, Math.min(i, MOST)]));
  /** @type {{ value: T | null, count: number }[]} */
  const groups = order.slice(0, MOST).map(([value, count]) => ({ value, count }));
  const rest = order.slice(MOST).reduce((sum, [, count]) => sum + count, 0);
  if (rest) groups.push({ value: null, count: rest });
  return { categories: Uint8Array.from(values, (v) => Number(number.get(v))), groups };
}

/** The strongest concept of every sample; −1 where none is active. @param {import("./types.js").Activations} acts */
export const strongestConcepts = ({ values, nConcepts, rest }) =>
  Int32Array.from(rest, (_, row) => {
    let [at, most] = [-1, 0];
    for (let k = 0; k < nConcepts; k++) {
      const v = Math.abs(values[row * nConcepts + k]);
      if (v > most) [at, most] = [k, v];
    }
    return at;
  });
