// @ts-check
/** Pure functions about one concept, of the activations of a layer: quantiles, density, correlations with the others. */

/** @typedef {import("./types.js").Activations} Activations */
/** @typedef {{ row: number, value: number }} Use of a concept by a sample */

/** Samples that use a concept, the strongest first. @param {Activations} acts @param {number} k @returns {Use[]} */
export function uses({ values, nConcepts, rest }, k) {
  const all = Array.from(rest, (_, row) => ({ row, value: values[row * nConcepts + k] }));
  return all.filter(({ value }) => value !== 0).sort((a, b) => Math.abs(b.value) - Math.abs(a.value) || a.row - b.row);
}

/**
 * Fifths of the samples that use a concept, the strongest first, of each some evenly.
 * @param {Use[]} used @param {number} n of each
 * @returns {{ all: Use[], some: Use[] }[]} those that are not empty
 */
export function fifths(used, n) {
  const cut = (/** @type {number} */ i) => Math.round((i * used.length) / 5);
  const parts = [0, 1, 2, 3, 4].map((i) => used.slice(cut(i), cut(i + 1)));
  return parts
    .filter((all) => all.length)
    .map((all) => {
      const m = Math.min(n, all.length);
      const some = Array.from({ length: m }, (_, j) => all[m > 1 ? Math.round((j * (all.length - 1)) / (m - 1)) : 0]);
      return { all, some };
    });
}

/** Counts in equal bins. @param {Use[]} used @param {number} bins @returns {{ low: number, step: number, counts: number[] }} */
export function density(used, bins) {
  const values = used.map(({ value }) => value);
  const [low, high] = [Math.min(0, ...values), Math.max(0, ...values)];
  const step = (high - low) / bins || 1;
  const counts = Array(bins).fill(0);
  for (const value of values) counts[Math.min(bins - 1, Math.floor((value - low) / step))]++;
  return { low, step, counts };
}

/**
 * Correlation of a concept's activations with those of every other one, over the samples.
 * @param {Activations} acts @param {number} k
 * @returns {{ k: number, r: number }[]} the largest first; concepts whose activation is the same in all samples are left out
 */
export function correlations({ values, nConcepts, rest }, k) {
  const [n, sums, squares, products] = [rest.length, ...[0, 0, 0].map(() => new Float64Array(nConcepts))];
  for (let row = 0; row < n; row++) {
    const own = values[row * nConcepts + k];
    for (let j = 0; j < nConcepts; j++) {
      const v = values[row * nConcepts + j];
      sums[j] += v;
      squares[j] += v * v;
      products[j] += v * own;
    }
  }
  const spread = (/** @type {number} */ j) => n * squares[j] - sums[j] ** 2;
  const pairs = Array.from(sums, (sum, j) => ({
    k: j,
    r: (n * products[j] - sum * sums[k]) / Math.sqrt(spread(j) * spread(k)),
  }));
  return pairs.filter((pair) => pair.k !== k && Number.isFinite(pair.r)).sort((a, b) => b.r - a.r);
}

/**
 * Of correlations, the largest first, those above zero and those below it, the extreme ones first.
 * @param {{ k: number, r: number }[]} pairs @param {number} near of those above zero, at most @param {number} far of those below it
 */
export const extremes = (pairs, near, far) => [
  pairs.filter(({ r }) => r > 0).slice(0, near),
  pairs
    .filter(({ r }) => r < 0)
    .slice(-far)
    .reverse(),
];
