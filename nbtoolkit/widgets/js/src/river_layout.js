// @ts-check
/** Where the strips of a river are: pure functions. All layers have the threads in one order, so no two strips cross. */

/**
 * @typedef {{ layer: number, k: number, thread: number, share: number, similarity: number | null, null: number | null }} Member of a thread in a layer
 * @typedef {Member & { x: number, y: number, width: number, height: number, first: boolean, last: boolean }} Strip
 * @typedef {{ width: number, height: number, top: number, bottom: number, side: number, node: number }} Frame `node`: width of a strip
 */

const GAP = 3; // between strips, at most

/**
 * Members of threads per layer, in the order of the strips: long threads first, then the larger ones.
 * @param {import("./threads.js").Threads} threads @param {Record<string, { share: number }[]>} concepts @param {number[]} layers
 * @returns {Member[][]}
 */
export function membersByLayer(threads, concepts, layers) {
  const columns = layers.map((layer) =>
    (threads.of[layer] ?? []).flatMap((thread, k) =>
      thread < 0 || !concepts[layer]?.[k]
        ? []
        : [
            {
              layer,
              k,
              thread,
              share: concepts[layer][k].share,
              similarity: threads.similarity[layer][k],
              null: threads.nulls[layer],
            },
          ],
    ),
  );
  /** @type {Map<number, [number, number]>} */
  const sizes = new Map(); // layers and share of each thread
  for (const { thread, share } of columns.flat()) {
    const [n, total] = sizes.get(thread) ?? [0, 0];
    sizes.set(thread, [n + 1, total + share]);
  }
  const size = (/** @type {number} */ thread) => sizes.get(thread) ?? [0, 0];
  for (const column of columns) {
    column.sort((a, b) => {
      const [x, y] = [size(a.thread), size(b.thread)];
      return y[0] - x[0] || y[1] - x[1] || a.thread - b.thread;
    });
  }
  return columns;
}

/** Middle of a layer's strips. @param {Frame} frame @param {number} n layers @param {number} at */
export function middle({ width, side, node }, n, at) {
  const room = width - 2 * side - node;
  return side + node / 2 + (n > 1 ? (room * at) / (n - 1) : room / 2);
}

/** Strips of all layers, as high as their share. @param {Member[][]} columns @param {Frame} frame @returns {Strip[][]} */
export function layOut(columns, frame) {
  const room = frame.height - frame.top - frame.bottom;
  const has = (/** @type {number} */ at, /** @type {number} */ thread) =>
    (columns[at] ?? []).some((m) => m.thread === thread);
  return columns.map((column, at) => {
    const gap = Math.min(GAP, (0.25 * room) / Math.max(1, column.length));
    const total = column.reduce((sum, { share }) => sum + share, 0) || 1;
    const inner = room - gap * Math.max(0, column.length - 1);
    const x = middle(frame, columns.length, at) - frame.node / 2;
    let y = frame.top;
    return column.map((member) => {
      const height = (inner * member.share) / total;
      const ends = {
        first: at > 0 && !has(at - 1, member.thread),
        last: at < columns.length - 1 && !has(at + 1, member.thread),
      };
      const strip = { ...member, ...ends, x, y, width: frame.node, height };
      y += height + gap;
      return strip;
    });
  });
}

const n = (/** @type {number} */ v) => v.toFixed(1);

/** Path of the ribbon between two strips of a thread. @param {Strip} a @param {Strip} b */
export function ribbon(a, b) {
  const [x, end] = [a.x + a.width, b.x];
  const m = (x + end) / 2;
  return (
    `M${n(x)} ${n(a.y)}C${n(m)} ${n(a.y)} ${n(m)} ${n(b.y)} ${n(end)} ${n(b.y)}V${n(b.y + b.height)}` +
    `C${n(m)} ${n(b.y + b.height)} ${n(m)} ${n(a.y + a.height)} ${n(x)} ${n(a.y + a.height)}Z`
  );
}

/** Path of the taper where a thread begins (before its strip) or ends. @param {Strip} strip @param {number} length below 0 before it */
export function taper({ x, y, width, height }, length) {
  const from = length < 0 ? x : x + width;
  const [near, tip, mid] = [from + length / 3, from + length, y + height / 2];
  return `M${n(from)} ${n(y)}Q${n(near)} ${n(y)} ${n(tip)} ${n(mid)}Q${n(near)} ${n(y + height)} ${n(from)} ${n(y + height)}Z`;
}

/** Black or white, whichever is easier to read on a colour. @param {string} colour #rrggbb */
export function inkOn(colour) {
  const [r, g, b] = [1, 3, 5].map((i) => (parseInt(colour.slice(i, i + 2), 16) / 255) ** 2.2);
  return 0.2126 * r + 0.7152 * g + 0.0722 * b > 0.179 ? "#000" : "#fff";
}

/**
 * The strip that a key leads to: along the thread, or the nearest in the next layer where it has none there; up and down
 * in the layer; the first and the last layer.
 * @param {Strip[][]} strips @param {number} at @param {Strip} strip @param {string} key
 * @returns {Strip | undefined}
 */
export function next(strips, at, strip, key) {
  if (key === "ArrowUp" || key === "ArrowDown") {
    const column = strips[at];
    return column[column.indexOf(strip) + (key === "ArrowUp" ? -1 : 1)];
  }
  /** @type {Record<string, number>} */
  const columns = { ArrowLeft: at - 1, ArrowRight: at + 1, Home: 0, End: strips.length - 1 };
  const column = strips[columns[key] ?? -1] ?? [];
  const centre = (/** @type {Strip} */ s) => s.y + s.height / 2;
  const far = (/** @type {Strip} */ s) => Math.abs(centre(s) - centre(strip));
  return column.find((s) => s.thread === strip.thread) ?? [...column].sort((a, b) => far(a) - far(b))[0];
}
