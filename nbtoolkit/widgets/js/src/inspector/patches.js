// @ts-check
/** Patches by geometry: their boxes in the image, which one is at a place, which ones lie in a rectangle, which one is next. Places are shares of the image's sides. */

/** @typedef {import("./types.js").Geometry} Geometry @typedef {[number, number, number, number]} Box x0, y0, x1, y1 */

const ASIDE = 3; // how much more a step aside costs than one ahead
const NEAR = 1e-6;

/** Box of a patch; null where it has none. @param {Geometry} geometry @param {number} i @returns {Box | null} */
export function boxOf({ boxes }, i) {
  const [x0, y0, x1, y1] = boxes.slice(4 * i, 4 * i + 4);
  return typeof x0 === "number" && typeof y0 === "number" && typeof x1 === "number" && typeof y1 === "number"
    ? [x0, y0, x1, y1]
    : null;
}

/** Boxes of all patches. @param {Geometry} geometry @returns {(Box | null)[]} */
export const boxesOf = (geometry) => geometry.positions.map((_, i) => boxOf(geometry, i));

/** @param {Box} box @param {number} x @param {number} y */
const contains = ([x0, y0, x1, y1], x, y) => x >= x0 && x < x1 && y >= y0 && y < y1;

/** Area of a box. @param {Box} box */
const area = ([x0, y0, x1, y1]) => (x1 - x0) * (y1 - y0);

/** The smallest patch at a place (tiles may lie over each other); null where there is none. @param {(Box | null)[]} boxes @param {number} x @param {number} y */
export function patchAt(boxes, x, y) {
  let best = -1;
  boxes.forEach((box, i) => {
    if (!box || !contains(box, x, y)) return;
    const other = boxes[best];
    if (!other || area(box) < area(other)) best = i;
  });
  return best < 0 ? null : best;
}

/** Patches that a rectangle touches; its corners in any order. @param {(Box | null)[]} boxes @param {number[]} from x and y @param {number[]} to */
export function patchesBetween(boxes, from, to) {
  const [left, right] = [Math.min(from[0], to[0]), Math.max(from[0], to[0])];
  const [top, bottom] = [Math.min(from[1], to[1]), Math.max(from[1], to[1])];
  const touches = (/** @type {Box} */ [x0, y0, x1, y1]) => x0 < right && x1 > left && y0 < bottom && y1 > top;
  return boxes.flatMap((box, i) => (box && touches(box) ? [i] : []));
}

/** @param {Box} box */
export const middle = ([x0, y0, x1, y1]) => [(x0 + x1) / 2, (y0 + y1) / 2];

/**
 * The patch next to another one; the same where there is none.
 * @param {(Box | null)[]} boxes @param {number} i @param {number} dx −1, 0 or 1, to the right @param {number} dy −1, 0 or 1, down
 */
export function neighbour(boxes, i, dx, dy) {
  const own = boxes[i];
  if (!own) return boxes.findIndex(Boolean);
  const [x, y] = middle(own);
  let [best, least] = [i, Infinity];
  boxes.forEach((box, j) => {
    if (!box) return;
    const [u, v] = middle(box);
    if (contains(box, x, y)) return; // it lies over the same place
    const ahead = (u - x) * dx + (v - y) * dy;
    if (ahead <= NEAR) return;
    const cost = ahead + ASIDE * Math.abs((u - x) * dy + (v - y) * dx) + area(box) * NEAR;
    if (cost < least) [best, least] = [j, cost];
  });
  return best;
}

/** The next patch at the same place, where tiles lie over each other. @param {(Box | null)[]} boxes @param {number} i */
export function otherAt(boxes, i) {
  const own = boxes[i];
  if (!own) return i;
  const [x, y] = middle(own);
  const here = boxes.flatMap((box, j) => (box && contains(box, x, y) ? [j] : []));
  return here[(here.indexOf(i) + 1) % here.length];
}

/** Add a patch, or take it away; in their order. @param {number[]} patches @param {number} i */
export const flipped = (patches, i) =>
  (patches.includes(i) ? patches.filter((j) => j !== i) : [...patches, i]).sort((a, b) => a - b);

/** All patches of two selections, in their order. @param {number[]} a @param {number[]} b */
export const together = (a, b) => [...new Set([...a, ...b])].sort((x, y) => x - y);

/** Tile, row and column of a patch. @param {Geometry} geometry @param {number} i */
export const cellOf = ({ cells }, i) => ({ tile: cells[3 * i], row: cells[3 * i + 1], column: cells[3 * i + 2] });

/** Whether there are several tiles. @param {Geometry} geometry */
export const isTiled = ({ cells }) => cells.some((tile, i) => i % 3 === 0 && tile !== cells[0]);

/** What a patch is called, by its row and column from 1. @param {import("../types.js").Translator} t @param {Geometry} geometry @param {number} i */
export function patchName(t, geometry, i) {
  const { tile, row, column } = cellOf(geometry, i);
  if (row === undefined || column === undefined) return t`patch ${i}`;
  return isTiled(geometry)
    ? t`tile ${tile + 1}, row ${row + 1}, column ${column + 1}`
    : t`row ${row + 1}, column ${column + 1}`;
}

/** How many patches are selected. @param {import("../types.js").Translator} t @param {number} n */
export const howMany = (t, n) => (n === 1 ? t`one patch selected` : t`${n} patches selected`);
