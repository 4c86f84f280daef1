// @ts-check
/** Pure functions of the data: which concepts and images are listed, in which order, at which scale. */

export const EXAMPLES = { strongest: "strongest", range: "quantiles", random: "random" };

/**
 * Images that are listed for a concept: its exemplars, or others with an activation, evenly across its range (from the largest to the smallest, by sign) or at random.
 * @param {import("./types.js").Activations} acts @param {number} concept @param {string} mode @param {number[]} exemplars @param {number} n
 * @returns {number[]} rows of the samples
 */
export function examples(acts, concept, mode, exemplars, n) {
  if (mode === "strongest") return exemplars;
  /** @type {{ i: number, value: number }[]} */
  const used = [];
  for (let i = 0; i * acts.nConcepts < acts.values.length; i++) {
    const value = acts.values[i * acts.nConcepts + concept];
    if (value) used.push({ i, value });
  }
  if (mode === "random") {
    // the same ones each time: a linear congruential generator, seeded by the concept
    let seed = 9301 * (concept + 1);
    const chance = () => (seed = (seed * 1664525 + 1013904223) % 4294967296) / 4294967296;
    return used
      .map((u) => ({ ...u, key: chance() }))
      .sort((a, b) => a.key - b.key)
      .slice(0, n)
      .map((u) => u.i);
  }
  used.sort((a, b) => b.value - a.value || a.i - b.i);
  const m = Math.min(n, used.length);
  return Array.from({ length: m }, (_, j) => used[m > 1 ? Math.round((j * (used.length - 1)) / (m - 1)) : 0].i);
}

/** @type {Record<string, string>} how words are read, by naming rule */
export const NAMINGS = {
  paper: "words without the final norm",
  norm: "words with the final norm",
  centred: "words about the mean concept",
  "norm-centred": "words with the final norm, about the mean concept",
};

export const SORTS = {
  importance: "importance",
  index: "number",
  clip_score: "CLIPScore",
  rarity: "rarest first",
  name: "name",
};

/**
 * The strongest concepts of one sample, by absolute activation; concepts with activation 0 are left out.
 * @param {import("./types.js").Activations} acts @param {number} row @param {number} [n]
 * @returns {{ concept: number, value: number }[]}
 */
export function strongest(acts, row, n = 5) {
  const values = acts.values.subarray(row * acts.nConcepts, (row + 1) * acts.nConcepts);
  return Array.from(values, (value, concept) => ({ concept, value }))
    .filter(({ value }) => value !== 0)
    .sort((a, b) => Math.abs(b.value) - Math.abs(a.value) || a.concept - b.concept)
    .slice(0, n);
}

/**
 * A round upper end for an axis that starts at 0. @param {number} top
 */
export function niceMax(top) {
  if (!(top > 0)) return 1;
  const power = 10 ** Math.floor(Math.log10(top));
  return ([1, 1.5, 2, 2.5, 3, 4, 5, 6, 8, 10].find((m) => m * power >= top * (1 - 1e-9)) ?? 10) * power;
}

/** Heights 0 … 1 of histogram bars, by square root so that rare strong activations stay visible. @param {number[]} counts */
export function barHeights(counts) {
  const top = Math.max(1, ...counts);
  return counts.map((c) => Math.sqrt(c / top));
}

/**
 * Name of a concept, which tells it apart from the others of its layer (Python's `concept_names`), or its number.
 * @param {{ name?: string } | undefined} concept @param {number} k
 */
export const conceptName = (concept, k) => concept?.name ?? `concept ${k}`;

/**
 * Little-endian float32 bytes as an array. @param {DataView | ArrayBuffer | Uint8Array} raw
 */
export function floats(raw) {
  const view =
    raw instanceof ArrayBuffer ? new Uint8Array(raw) : new Uint8Array(raw.buffer, raw.byteOffset, raw.byteLength);
  return new Float32Array(view.slice().buffer);
}

/**
 * Put activations that came in one message in their place; of a large dictionary only those that are not 0 come.
 * @param {import("./types.js").Activations} all @param {number} at first row @param {(DataView | Uint8Array)[]} buffers
 * @returns {number} the row after the last one
 */
export function place(all, at, buffers) {
  const [values, rest, concepts, counts] = buffers.map(floats);
  all.rest.set(rest, at);
  if (!concepts) all.values.set(values, at * all.nConcepts);
  const [ks, ns] = [concepts, counts].map((raw) => new Int32Array(raw?.buffer ?? 0));
  for (let row = 0, i = 0; row < ns.length; row++) {
    for (const end = i + ns[row]; i < end; i++) all.values[(at + row) * all.nConcepts + ks[i]] = values[i];
  }
  return at + rest.length;
}

/** The largest number up to a limit that fits, by bisection; 0 where none does. @param {number} limit @param {(n: number) => boolean} fits */
export function longest(limit, fits) {
  if (!limit || fits(limit)) return limit;
  let [low, high] = [0, limit]; // 0 fits, the limit does not
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (fits(middle)) low = middle;
    else high = middle;
  }
  return low;
}

/** A value as a Python literal. @param {any} value @returns {string} */
export function pythonLiteral(value) {
  if (value === null || value === undefined) return "None";
  if (typeof value === "boolean") return value ? "True" : "False";
  if (Array.isArray(value)) return `[${value.map(pythonLiteral).join(", ")}]`;
  if (typeof value !== "object") return JSON.stringify(value);
  const items = Object.entries(value).map(([key, item]) => `${JSON.stringify(key)}: ${pythonLiteral(item)}`);
  return `{${items.join(", ")}}`;
}

/** The line of Python that opens a view. @param {string[]} args @param {Record<string, any>} options */
export function pythonCall(args, options) {
  const named = Object.entries(options).map(([name, value]) => `${name}=${pythonLiteral(value)}`);
  return `nbt.explore(${[...args, ...named].join(", ")})`;
}

/**
 * A result about some concepts of a large dictionary, so that a view need not know: activations of all, maps by concept.
 * @param {any} result
 */
export function completed(result) {
  const { concepts, n_concepts: n } = result;
  if (!concepts) return result;
  if (result.bytes)
    return { ...result, slots: new Map(concepts.map((/** @type {number} */ k, /** @type {number} */ j) => [k, j])) };
  const whole = (/** @type {number[]} */ row) => {
    const values = new Array(n).fill(0);
    concepts.forEach((/** @type {number} */ k, /** @type {number} */ j) => (values[k] = row[j]));
    return values;
  };
  const measures = ["ablation", "integrated_gradients", "gradient"].filter((name) => name in result);
  const attribution = Object.fromEntries(measures.map((name) => [name, whole(result[name])]));
  return { ...result, ...attribution, ...(result.activations ? { activations: result.activations.map(whole) } : {}) };
}
