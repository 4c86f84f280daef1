// @ts-check
/** The river as SVG: a column per layer, a strip per concept, ribbons between concepts of one thread. */

import { h } from "./dom.js";
import { inkOn, layOut, membersByLayer, middle, ribbon, taper } from "./river_layout.js";

const LABEL = 7; // pixels of height from which a strip has a word
const LARGEST = 11; // pixels of a word
const SMALLEST = 8.5; // pixels of a word that is made smaller to be whole
const BESIDE = 8; // pixels of a word beside a strip
const PICTURE = 17; // and from which an image
const LETTER = 0.57; // of the size of a word
const TIP = 16; // length of a taper

/**
 * @typedef {import("./river_layout.js").Strip} Strip
 * @typedef {{ svg: SVGSVGElement, strips: Strip[][], groups: Map<number, SVGElement[]>, nodes: Map<string, SVGElement> }} Drawing elements by thread, and strips by `layer:concept`
 */

/**
 * @param {import("./pane.js").Pane} pane @param {{ width: number, height: number, heading?: string, legend?: string }} size
 * @param {Map<number, string>} pictures URLs of small images by row
 * @returns {Drawing}
 */
export function drawRiver(pane, { width, height, heading, legend }, pictures) {
  const { meta, t } = pane;
  const pitch = width / meta.layers.length;
  const frame = { width, height, top: heading ? 58 : 4, bottom: legend ? 58 : 22, side: heading ? 24 : 6, node: 0 };
  frame.node = Math.min(heading ? 120 : 92, Math.max(12, pitch * (pitch < 60 ? 0.5 : pitch < 140 ? 0.72 : 0.6)));
  const members = membersByLayer(/** @type {any} */ (meta.threads), meta.concepts, meta.layers);
  const strips = layOut(members, frame);
  /** @type {Drawing["groups"]} */
  const groups = new Map();
  const grouped = (/** @type {number} */ thread, /** @type {SVGElement} */ el) => {
    if (!groups.has(thread)) groups.set(thread, []);
    groups.get(thread)?.push(el);
    return el;
  };
  const flow = (/** @type {Strip} */ s, /** @type {string} */ d, at = 0) =>
    grouped(
      s.thread,
      h("svg:path", { class: "nbt-flow", d, fill: pane.colour(s.k, s.layer), "data-thread": s.thread, "data-at": at }),
    );
  const ribbons = strips.flatMap((column, at) =>
    column.flatMap((s) => {
      const after = strips[at + 1]?.find((other) => other.thread === s.thread);
      return [
        ...(after ? [flow(s, ribbon(s, after), at)] : []),
        ...(s.first ? [flow(s, taper(s, -TIP), at)] : []),
        ...(s.last ? [flow(s, taper(s, TIP), at)] : []),
      ];
    }),
  );
  /** @type {Drawing["nodes"]} */
  const nodes = new Map();
  const words = wordsBeside(pane, strips, pitch - frame.node);
  strips.forEach((column, at) => {
    column.forEach((s, i) => nodes.set(`${s.layer}:${s.k}`, grouped(s.thread, node(pane, s, pictures, words[at][i]))));
  });
  const axis = meta.layers.map((layer, at) =>
    h("svg:text", {
      class: "nbt-tick nbt-river-layer",
      x: middle(frame, meta.layers.length, at),
      y: height - (legend ? 40 : 7),
      "text-anchor": "middle",
      "data-layer": layer,
      text: pitch > 60 ? t`layer ${layer}` : layer,
    }),
  );
  const texts = [
    heading ? h("svg:text", { class: "nbt-river-heading", x: 24, y: 36, text: heading }) : null,
    legend ? h("svg:text", { class: "nbt-tick nbt-river-legend", x: 24, y: height - 14, text: legend }) : null,
  ];
  const svg = h(
    "svg:svg",
    { viewBox: `0 0 ${width} ${height}`, width, height, class: "nbt-river-svg" },
    ...ribbons,
    ...nodes.values(),
    ...axis,
    ...texts,
  );
  return { svg, strips, groups, nodes };
}

/** A name in so many letters: its first words, whole where they fit. @param {string} name @param {number} room */
export function shortened(name, room) {
  if (name.length <= room) return name;
  const whole = name.slice(0, room + 1).lastIndexOf(" · ");
  return whole > 0 ? name.slice(0, whole) : `${name.slice(0, Math.max(0, room - 1))}…`;
}

/** @typedef {{ el: SVGElement, y: number, length: number }} Beside a word beside its strip; its middle and length in pixels */

/** Words beside the strips of all columns. @param {import("./pane.js").Pane} pane @param {Strip[][]} strips @param {number} room */
function wordsBeside(pane, strips, room) {
  /** @type {(Beside | null)[][]} */
  const columns = [];
  for (const [at, column] of strips.entries()) {
    const before = at > 0 && at === strips.length - 1 ? columns[at - 1].filter((word) => word !== null) : null;
    columns.push(besides(pane, column, room, before));
  }
  return columns.map((column) => column.map((word) => word?.el ?? null));
}

/**
 * The words of strips too small for one, in the room after them, before them in the last column; none where it would meet another.
 * @param {import("./pane.js").Pane} pane @param {Strip[]} column @param {number} room
 * @param {Beside[] | null} before words in the same room from the other side: in the last column
 * @returns {(Beside | null)[]}
 */
function besides(pane, column, room, before) {
  let bottom = -Infinity;
  return column.map(({ x, y, width, height, k, layer }) => {
    const middle = y + height / 2;
    const letters = Math.floor((room - 3) / (LETTER * BESIDE));
    const text = shortened(pane.name(k, layer), letters);
    const length = LETTER * BESIDE * text.length;
    if (height >= LABEL || text.endsWith("…") || middle - BESIDE / 2 < bottom) return null;
    if (before?.some((word) => meet(word, { y: middle, length }, room))) return null;
    bottom = middle + BESIDE / 2;
    const el = h("svg:text", {
      class: "nbt-river-beside",
      "aria-hidden": "true",
      x: before ? x - 2 : x + width + 2,
      y: middle + BESIDE / 3,
      "text-anchor": before ? "end" : "start",
      text,
    });
    return { el, y: middle, length };
  });
}

/** Whether words from both sides of a room meet. @param {{ y: number, length: number }} a @param {{ y: number, length: number }} b @param {number} room */
export const meet = (a, b, room) => Math.abs(a.y - b.y) < BESIDE && a.length + b.length > room - 8;

/** @param {import("./pane.js").Pane} pane @param {Strip} s @param {Map<number, string>} pictures @param {SVGElement | null} beside its word, where it is too small for one */
function node(pane, s, pictures, beside) {
  const { x, y, width, height, k, layer } = s;
  const colour = pane.colour(k, layer);
  const url = pictures.get(pane.meta.concepts[layer][k].exemplars[0]);
  const name = pane.name(k, layer);
  const place = height >= PICTURE && width >= 20 && url ? Math.min(height - 2, width * (width < 40 ? 1 : 0.3), 34) : 0;
  const first = name.split(" ")[0].length;
  const fits = (/** @type {number} */ taken) => (width - taken - 7) / (LETTER * first); // size of the first word
  const side = width >= 40 && fits(place) < SMALLEST ? 0 : place; // the word before the image
  const size = Math.min(LARGEST, Math.max(LABEL + 0.5, height - 1), Math.max(SMALLEST, fits(side)));
  const room = Math.floor((width - side - 6.9) / (LETTER * size));
  return h(
    "svg:g",
    {
      class: "nbt-strip-node",
      role: "option",
      "data-thread": s.thread,
      "data-k": k,
      "data-layer": layer,
      tabindex: -1,
    },
    h("svg:title", { text: spoken(pane, s) }),
    h("svg:rect", { x, y, width, height: Math.max(0.6, height), rx: Math.min(3, height / 2), fill: colour }),
    side ? h("svg:image", { href: url, x: x + 1, y: y + (height - side) / 2, width: side, height: side }) : null,
    height >= LABEL && room > 2
      ? h("svg:text", {
          class: "nbt-river-word",
          "aria-hidden": "true",
          x: x + side + 4,
          y: y + height / 2 + size / 3,
          fill: inkOn(colour),
          style: { fontSize: `${size}px` },
          text: shortened(name, room),
        })
      : beside,
  );
}

/** @param {import("./pane.js").Pane} pane @param {Strip} s */
function spoken(pane, s) {
  const { t } = pane;
  const name = t`layer ${s.layer}: ${pane.name(s.k, s.layer)}`;
  const link =
    s.similarity === null
      ? s.first
        ? t`begins here`
        : ""
      : t`similarity with the layer before ${s.similarity}, null ${s.null ?? "–"}`;
  const parts = [name, t`${Math.round(100 * s.share)} % of all activation`, link, s.last ? t`ends here` : ""];
  return parts.filter(Boolean).join("; ");
}
