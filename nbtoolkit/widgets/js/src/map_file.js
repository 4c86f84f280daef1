// @ts-check
/** The map as a drawing that is saved: the visible points with their colours, and what the colours mean. */

import { h } from "./dom.js";
import { poster, saving } from "./saving.js";

const LEGEND = 190; // units of the drawing to the right of the points, also for names that reach there
const ROW = 18;
const LETTER = 6.5; // width of one, about
const MOST = 28; // letters of a name
const MOST_NAMES = 500;
const FAINT = "#909090";

/** Buttons that save the map. @param {import("./concept_map.js").ConceptMap} map @returns {HTMLElement} */
export function savingMap(map) {
  const { t } = map;
  const place = h("div", { class: "nbt-drawing nbt-drawn", "aria-hidden": "true" });
  const chart = () => {
    const svg = drawing(map);
    place.replaceChildren(svg); // a poster looks around it for the word and the model
    const title = map.ofConcepts
      ? t`map of concepts, layer ${map.get("layer")}`
      : t`map of images, layer ${map.get("layer")}`;
    return poster(svg, place, {
      title,
      x: t`dimension ${1}`,
      y: t`dimension ${2}`,
      legend: map.about,
      span: map.scatter.size[0],
    });
  };
  return h("span", { class: "nbt-map-saving" }, saving(t, chart, "map"), place);
}

/** @param {import("./concept_map.js").ConceptMap} map @returns {SVGSVGElement} */
function drawing(map) {
  const { scatter, items, groups } = map;
  const [width, height] = scatter.size;
  const { bright, radius } = scatter.look;
  const places = Array.from(items, (_, i) => ({ i, x: scatter.at(i)[0], y: scatter.at(i)[1] }));
  const seen = places.filter(({ x, y }) => x > 0 && y > 0 && x < width && y < height);
  const dots = [0, 1].flatMap((lit) =>
    seen
      .filter(({ i }) => bright[i] === lit)
      .map(({ i, x, y }) => {
        const style = lit ? { fill: map.colours[i] } : { fill: FAINT, opacity: 0.25 };
        return h("svg:circle", { cx: x.toFixed(1), cy: y.toFixed(1), r: radius, style });
      }),
  );
  const names = map.ofConcepts && seen.length <= MOST_NAMES ? namesBeside(map, seen, radius + 2) : [];
  const legend = groups.flatMap(({ text, count, colour }, i) => [
    h("svg:circle", { cx: width + 14, cy: ROW * (i + 0.5), r: 5, style: { fill: colour } }),
    h("svg:text", { x: width + 24, y: ROW * (i + 0.5) + 4, text: `${text.slice(0, MOST)} ${count}` }),
  ]);
  const box = h("svg:rect", { width, height, style: { fill: "none", stroke: FAINT } });
  const viewBox = `0 0 ${width + LEGEND} ${height}`;
  return h("svg:svg", { viewBox, class: "nbt-chart" }, box, ...dots, ...names, ...legend);
}

/**
 * Names of concepts, each to the right or left of its point; where neither is free of points and other names, there is none.
 * @param {import("./concept_map.js").ConceptMap} map @param {{ i: number, x: number, y: number }[]} places @param {number} gap
 */
function namesBeside(map, places, gap) {
  /** @type {number[][]} */
  const boxes = places.map(({ x, y }) => [x - gap + 2, y - gap + 2, x + gap - 2, y + gap - 2]);
  return places.flatMap(({ i, x, y }) => {
    const text = map.name(map.items[i]).slice(0, MOST);
    for (const [from, anchor] of [
      [x + gap, "start"],
      [x - gap - LETTER * text.length, "end"],
    ]) {
      const box = [Number(from), y - 6, Number(from) + LETTER * text.length, y + 6];
      if (boxes.some((b) => b[0] < box[2] && box[0] < b[2] && b[1] < box[3] && box[1] < b[3])) continue;
      boxes.push(box);
      const at = anchor === "start" ? x + gap : x - gap;
      return [h("svg:text", { x: at, y: y + 4, style: { textAnchor: anchor }, text })];
    }
    return [];
  });
}
