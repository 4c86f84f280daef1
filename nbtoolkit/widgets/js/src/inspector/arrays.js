// @ts-check
/** Arrays with named axes: their bytes decoded, parts of them by coordinate, sums over axes. NaN is "no value". */

/**
 * @typedef {object} NDArray
 * @property {string[]} dims names of the axes, the last one varies fastest
 * @property {number[]} shape
 * @property {Record<string, (string | number)[]>} coords by axis; 0, 1, … where there are none
 * @property {Float32Array | Uint16Array | Int32Array} data
 *
 * @typedef {{ dims: string[], shape: number[], dtype: string, coords?: Record<string, (string | number)[]>, buffer: number }} Declared
 */

/** Value of every float16 by its bits. @type {Float32Array | undefined} */
let halves;

/** @param {number} bits of a float16 */
function half(bits) {
  const [sign, exponent, fraction] = [bits & 0x8000 ? -1 : 1, (bits >> 10) & 31, bits & 1023];
  if (exponent === 31) return fraction ? NaN : sign * Infinity;
  return sign * (exponent ? 2 ** (exponent - 15) * (1 + fraction / 1024) : 2 ** -14 * (fraction / 1024));
}

/** @param {Uint16Array} bits */
function fromHalves(bits) {
  const table = (halves ??= Float32Array.from({ length: 65536 }, (_, i) => half(i)));
  const out = new Float32Array(bits.length);
  for (let i = 0; i < bits.length; i++) out[i] = table[bits[i]];
  return out;
}

/** @type {Record<string, (bytes: ArrayBuffer) => NDArray["data"]>} */
const READ = {
  float32: (bytes) => new Float32Array(bytes),
  float16: (bytes) => fromHalves(new Uint16Array(bytes)),
  uint16: (bytes) => new Uint16Array(bytes),
  int32: (bytes) => new Int32Array(bytes),
};

/** @param {number[]} shape */
const sizeOf = (shape) => shape.reduce((n, length) => n * length, 1);

/**
 * The arrays of a reply.
 * @param {Record<string, Declared>} declared @param {(DataView | Uint8Array)[]} buffers
 * @returns {Record<string, NDArray>}
 */
export function decode(declared, buffers) {
  const entries = Object.entries(declared).map(([name, { dims, shape, dtype, coords = {}, buffer }]) => {
    const raw = buffers[buffer];
    const bytes = new Uint8Array(raw.buffer, raw.byteOffset, raw.byteLength).slice().buffer; // aligned
    const array = { dims, shape, coords, data: READ[dtype](bytes) };
    if (array.data.length !== sizeOf(shape)) throw new Error(`${name} has ${array.data.length} values.`);
    return /** @type {[string, NDArray]} */ ([name, array]);
  });
  return Object.fromEntries(entries);
}

/** Coordinates of an axis. @param {NDArray} array @param {string} dim @returns {(string | number)[]} */
export const coordsOf = ({ dims, shape, coords }, dim) =>
  coords[dim] ?? Array.from({ length: shape[dims.indexOf(dim)] ?? 0 }, (_, i) => i);

/** Place of a coordinate on its axis, −1 where it is not. @param {NDArray} array @param {string} dim @param {string | number} value */
export function indexOf(array, dim, value) {
  const own = array.coords[dim];
  if (own) return own.indexOf(value);
  return Number.isInteger(value) && Number(value) < array.shape[array.dims.indexOf(dim)] ? Number(value) : -1;
}

/** How many values lie between neighbours of each axis. @param {number[]} shape */
const stepsOf = (shape) => shape.map((_, i) => sizeOf(shape.slice(i + 1)));

/**
 * Read values of some places of each axis.
 * @param {NDArray} array @param {number[][]} places per axis @returns {NDArray["data"]}
 */
function gather({ shape, data }, places) {
  const steps = stepsOf(shape);
  const last = shape.length - 1;
  const out = new /** @type {any} */ (data.constructor)(sizeOf(places.map((own) => own.length)));
  let n = 0;
  const visit = (/** @type {number} */ axis, /** @type {number} */ start) => {
    const own = places[axis];
    if (axis < last) for (let i = 0; i < own.length; i++) visit(axis + 1, start + own[i] * steps[axis]);
    else for (let i = 0; i < own.length; i++) out[n++] = data[start + own[i]];
  };
  if (last < 0) out[0] = data[0];
  else visit(0, 0);
  return out;
}

/** @param {number} n */
const range = (n) => Array.from({ length: n }, (_, i) => i);

/**
 * The value at coordinates of all axes, or the part of an array at those of some; undefined where a coordinate is not there.
 * @param {NDArray} array @param {Record<string, string | number>} where @returns {any}
 */
export function at(array, where) {
  const { dims, shape, coords, data } = array;
  const fixed = dims.map((dim) => (dim in where ? indexOf(array, dim, where[dim]) : null));
  if (fixed.includes(-1)) return undefined;
  const left = fixed.findIndex((place) => place === null);
  const steps = stepsOf(shape);
  const start = fixed.reduce((/** @type {number} */ sum, place, axis) => sum + (place ?? 0) * steps[axis], 0);
  if (left < 0) return data[start];
  const free = (/** @type {number} */ axis) => fixed[axis] === null;
  const rest = { dims: dims.filter((_, i) => free(i)), shape: shape.filter((_, i) => free(i)), coords };
  const inRow = fixed.slice(left).every((place) => place === null); // no copy
  const part = inRow
    ? data.subarray(start, start + sizeOf(rest.shape))
    : gather(
        array,
        fixed.map((place, axis) => (place === null ? range(shape[axis]) : [place])),
      );
  return { ...rest, data: part };
}

/**
 * The part of an array at some coordinates, in their order; those that are not there are left out.
 * @param {NDArray} array @param {Record<string, (string | number)[]>} where @returns {NDArray}
 */
export function pick(array, where) {
  const places = array.dims.map((dim, axis) =>
    dim in where
      ? where[dim].map((value) => indexOf(array, dim, value)).filter((i) => i >= 0)
      : range(array.shape[axis]),
  );
  const own = array.dims.filter((dim) => dim in where);
  const coords = own.map((dim) => [dim, places[array.dims.indexOf(dim)].map((i) => coordsOf(array, dim)[i])]);
  return {
    dims: array.dims,
    shape: places.map((axis) => axis.length),
    coords: { ...array.coords, ...Object.fromEntries(coords) },
    data: gather(array, places),
  };
}

/**
 * Reduce axes; values that are NaN are left out.
 * @param {NDArray} array @param {string | string[]} over axes @param {number} start
 * @param {(before: number, value: number) => number} join @param {(total: number, n: number) => number} end
 * @returns {any} a number where no axis is left
 */
function reduce(array, over, start, join, end) {
  const { dims, shape, coords, data } = array;
  const gone = dims.map((dim) => [over].flat().includes(dim));
  const keep = shape.filter((_, i) => !gone[i]);
  const left = stepsOf(keep);
  let next = 0;
  const steps = gone.map((is) => (is ? 0 : left[next++]));
  const [totals, counts] = [new Float64Array(sizeOf(keep)).fill(start), new Uint32Array(sizeOf(keep))];
  let n = 0;
  const last = shape.length - 1;
  const visit = (/** @type {number} */ axis, /** @type {number} */ to) => {
    for (let i = 0; i < shape[axis]; i++, to += steps[axis]) {
      if (axis < last) visit(axis + 1, to);
      else {
        const value = data[n++];
        if (Number.isNaN(value)) continue;
        totals[to] = join(totals[to], value);
        counts[to]++;
      }
    }
  };
  visit(0, 0);
  const out = Float32Array.from(totals, (total, i) => (counts[i] ? end(total, counts[i]) : NaN));
  return keep.length ? { dims: dims.filter((_, i) => !gone[i]), shape: keep, coords, data: out } : out[0];
}

const add = (/** @type {number} */ a, /** @type {number} */ b) => a + b;
const same = (/** @type {number} */ total) => total;

/** @param {NDArray} array @param {string | string[]} over axes @returns {any} */
export const sum = (array, over) => reduce(array, over, 0, add, same);

/** @param {NDArray} array @param {string | string[]} over axes @returns {any} */
export const mean = (array, over) => reduce(array, over, 0, add, (total, n) => total / n);

/** @param {NDArray} array @param {string | string[]} over axes @returns {any} */
export const max = (array, over) => reduce(array, over, -Infinity, Math.max, same);

/** Smallest and largest value, and the largest absolute one; of none, 0. @param {{ data: ArrayLike<number> }} array */
export function extent({ data }) {
  let [low, high] = [Infinity, -Infinity];
  for (let i = 0; i < data.length; i++) {
    if (data[i] < low) low = data[i];
    if (data[i] > high) high = data[i];
  }
  if (low > high) [low, high] = [0, 0];
  return { low, high, top: Math.max(Math.abs(low), Math.abs(high)) };
}
