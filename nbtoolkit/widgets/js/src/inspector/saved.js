// @ts-check
/** The map and the grids as drawings that can be saved, with the word, the model, names of the axes and the scale. */

import { freshId, h } from "../dom.js";
import { colourAt } from "../colour_scale.js";
import { poster, saving } from "../saving.js";
import { shareOf } from "./image_map.js";
import { withUnit } from "./readout.js";

const WIDE = 360; // units of a drawing
const TOP = 24; // units above it, with the scale
const STOPS = 32; // of the scale's colours
const NARROW = 40; // units: too few for the name of some columns
const FEW = 2500; // cells of a drawing that are rectangles, not pixels

/** Colour and opacity of a value. @param {import("./image_map.js").Scale} scale @param {number} value */
function fill(scale, value) {
  const [r, g, b, a] = colourAt(shareOf(scale, value));
  return { fill: `rgba(${r}, ${g}, ${b}, ${a.toFixed(3)})` };
}

/** The scale as a row of colours with its ends, above a drawing. @param {import("../types.js").Translator} t @param {import("./image_map.js").Scale} scale @param {string} unit @param {number} left */
function scaleDrawing(t, scale, unit, left) {
  const { low, high, signed } = scale;
  const id = freshId("scale");
  const bar = { x: left + 50, y: 0, width: 120, height: 10 };
  const text = (/** @type {number} */ x, /** @type {string} */ words, /** @type {string} */ anchor) =>
    h("svg:text", { class: "nbt-tick", x: left + x, y: 9, "text-anchor": anchor, text: words });
  const stops = Array.from({ length: STOPS + 1 }, (_, i) => {
    const [r, g, b, a] = colourAt(shareOf(scale, low + ((high - low) * i) / STOPS));
    return h("svg:stop", { offset: i / STOPS, "stop-color": `rgb(${r},${g},${b})`, "stop-opacity": a.toFixed(3) });
  });
  return [
    h("svg:linearGradient", { id }, ...stops),
    h("svg:rect", { ...bar, style: { fill: "#b4b4b4" } }),
    h("svg:rect", { ...bar, style: { fill: `url(#${id})` } }),
    text(46, withUnit(t, low, ""), "end"),
    text(174, withUnit(t, high, unit), "start"),
    signed ? text(110, "0", "middle") : "",
  ];
}

/** Buttons that save a drawing. @param {import("./pane.js").Pane} pane @param {() => { svg: SVGSVGElement, title: string, x: string, y: string } | null} draw @param {string} name of the file */
export function savingOf(pane, draw, name) {
  const { t } = pane;
  const place = h("div", { class: "nbt-drawing nbt-drawn", "aria-hidden": "true" });
  const made = () => {
    const drawn = draw();
    if (!drawn) return null;
    place.replaceChildren(drawn.svg); // its styles, word and model are those of the page
    return poster(drawn.svg, place, drawn);
  };
  return h("span", { class: "nbt-saved" }, saving(t, made, name), place);
}

/** Buttons that save the map over the image. @param {import("./patch_image.js").PatchImage} image */
export function savingMap(image) {
  return savingOf(image, () => mapDrawing(image), "map");
}

/** @param {import("./patch_image.js").PatchImage} image */
function mapDrawing(image) {
  const { map, boxes, data, t } = image;
  if (!map) return null;
  const tall = Math.round(WIDE / (data.aspect || 1));
  const grey = freshId("grey");
  const rects = boxes.flatMap((box, i) => {
    if (!box || !(i < map.values.length)) return [];
    const [x0, y0, x1, y1] = box;
    const at = { x: x0 * WIDE, y: TOP + y0 * tall, width: (x1 - x0) * WIDE, height: (y1 - y0) * tall };
    return [h("svg:rect", { ...at, style: fill(map.scale, map.values[i]) })];
  });
  const place = { x: 0, y: TOP, width: WIDE, height: tall, preserveAspectRatio: "none" };
  const svg = h(
    "svg:svg",
    { viewBox: `0 0 ${WIDE} ${tall + TOP}`, class: "nbt-chart nbt-drawn" },
    h("svg:filter", { id: grey }, h("svg:feColorMatrix", { type: "saturate", values: "0" })),
    h("svg:image", { href: data.image, ...place, filter: `url(#${grey})` }),
    ...rects,
    ...scaleDrawing(t, map.scale, map.unit, 0),
  );
  const { metric, selection } = image.shown;
  return { svg, title: image.nameOf(metric, selection), x: "", y: "" };
}

/** Buttons that save a grid. @param {import("./grid_panel.js").GridPanel} panel */
export function savingGrid(panel) {
  return savingOf(panel, () => gridDrawing(panel), panel.trait);
}

/** @param {import("./grid_panel.js").GridPanel} panel */
function gridDrawing(panel) {
  const { content, t, grid } = panel;
  if (!content) return null;
  const { rows, n, values, scale, unit, names } = content;
  const [left, step, height] = [22, Math.max(3, WIDE / n), Math.max(8, Math.min(18, 240 / rows.length))];
  const [wide, tall] = [step * n, height * rows.length];
  const cells = () =>
    [...values].map((value, i) => {
      if (Number.isNaN(value)) return "";
      const style = { ...fill(scale, value), opacity: content.faint?.[i] ? "0.35" : "1" };
      const at = {
        x: left + (i % n) * step,
        y: TOP + Math.floor(i / n) * height,
        width: step - 0.5,
        height: height - 0.5,
      };
      return h("svg:rect", { ...at, style });
    });
  const pixels = {
    href: grid.small.toDataURL(),
    x: left,
    y: 0,
    width: wide,
    height: tall,
    preserveAspectRatio: "none",
  };
  const every = Math.ceil(11 / height);
  const labels = rows.map((text, i) =>
    i % every
      ? ""
      : h("svg:text", {
          class: "nbt-tick",
          x: left - 4,
          y: TOP + (i + 0.5) * height + 3.5,
          "text-anchor": "end",
          text,
        }),
  );
  const apart = Math.ceil(16 / (step * Math.max(1, names[0] ? names[0].to - names[0].from : 1)));
  const tops = names.map(({ from, to, text }, j) => {
    if (names.length === n ? j % apart : (to - from) * step < NARROW) return "";
    const at = { x: left + ((from + to) / 2) * step, y: TOP + tall + 12, "text-anchor": "middle" };
    return h("svg:text", { class: "nbt-tick", ...at, text });
  });
  const svg = h(
    "svg:svg",
    { viewBox: `0 0 ${left + wide + 10} ${TOP + tall + 20}`, class: "nbt-chart nbt-drawn" },
    ...(values.length > FEW ? [h("svg:image", { ...pixels, style: { imageRendering: "pixelated" } })] : cells()),
    ...labels,
    ...tops,
    ...scaleDrawing(t, scale, unit, left),
  );
  return {
    svg,
    title: panel.select.selectedOptions[0].textContent,
    x: content.heads ? t`Head` : t`Position`,
    y: t`Layer`,
  };
}
