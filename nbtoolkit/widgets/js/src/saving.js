// @ts-check
/** A chart as a file: SVG with its styles written out, or PNG. */

import { h } from "./dom.js";

const STYLES = [
  "fill",
  "stroke",
  "stroke-width",
  "stroke-dasharray",
  "opacity",
  "font-size",
  "font-family",
  "font-weight",
  "text-anchor",
];
const SCALE = 3; // pixels of a PNG for each unit of the chart

/** A colour as SVG 1.1 knows it, with its opacity. @param {string} colour @returns {[string, number]} */
function plain(colour) {
  const mixed = /^color\(srgb ([\d.]+) ([\d.]+) ([\d.]+)(?: \/ ([\d.]+))?\)$/.exec(colour);
  if (mixed)
    return [
      `rgb(${mixed
        .slice(1, 4)
        .map((v) => Math.round(255 * Number(v)))
        .join(",")})`,
      Number(mixed[4] ?? 1),
    ];
  const clear = /^rgba\((.*),\s*([\d.]+)\)$/.exec(colour);
  return clear ? [`rgb(${clear[1]})`, Number(clear[2])] : [colour, 1];
}

/** The chart alone, as text. @param {SVGSVGElement} svg */
export function asSvg(svg) {
  const copy = /** @type {SVGSVGElement} */ (svg.cloneNode(true));
  const [from, to] = [svg, copy].map((root) => [root, ...root.querySelectorAll("*")]);
  from.forEach((node, i) => {
    const style = getComputedStyle(node),
      target = to[i];
    for (const name of STYLES) {
      const value = style.getPropertyValue(name);
      if (name !== "fill" && name !== "stroke") {
        target.setAttribute(name, value);
        continue;
      }
      const [colour, opacity] = plain(value);
      target.setAttribute(name, colour);
      if (opacity < 1) target.setAttribute(`${name}-opacity`, String(opacity));
    }
    target.removeAttribute("class");
  });
  for (const target of to.filter((_, i) => from[i].classList.contains("nbt-hit"))) target.remove(); // areas to point at
  const [x, y, width, height] = (svg.getAttribute("viewBox") ?? "0 0 1 1").split(" ");
  copy.setAttribute("xmlns", "http://www.w3.org/2000/svg");
  copy.setAttribute("width", width);
  copy.setAttribute("height", height);
  let ground = /** @type {Element | null} */ (svg);
  while (ground && plain(getComputedStyle(ground).backgroundColor)[1] < 0.99) ground = ground.parentElement;
  copy.prepend(
    h("svg:rect", { x, y, width, height, fill: ground ? plain(getComputedStyle(ground).backgroundColor)[0] : "white" }),
  );
  return new XMLSerializer().serializeToString(copy);
}

const KEYS = /** @type {Record<string, string>} */ ({ bar: "■ ", dot: "● ", line: "– – " });

/** A legend as text. @param {Iterable<Node>} nodes @returns {string} */
const asText = (nodes) =>
  [...nodes]
    .map((node) => KEYS[/nbt-key-(\w+)/.exec(/** @type {any} */ (node).className)?.[1] ?? ""] ?? node.textContent)
    .join("");

/**
 * A chart as it is saved: with the word and the model, names of its axes, and its legend.
 * @param {SVGSVGElement} svg @param {HTMLElement} place in the page, hidden: only there the copy has its styles
 * @param {{ title: string, x: string, y: string, legend?: Element | null, span?: number }} names span of the horizontal axis, where a legend is beside it
 * @returns {SVGSVGElement}
 */
export function poster(svg, place, { title, x, y, legend, span }) {
  const [, , width, height] = (svg.getAttribute("viewBox") ?? "").split(" ").map(Number);
  const copy = /** @type {SVGSVGElement} */ (svg.cloneNode(true));
  const text = (/** @type {string} */ name, /** @type {object} */ at, /** @type {string} */ words) =>
    h("svg:text", { class: name, ...at, text: words });
  const about = svg.closest("[data-about]")?.getAttribute("data-about");
  copy.setAttribute("viewBox", `-18 -42 ${width + 18} ${height + 58}`);
  copy.append(
    text("nbt-drawn-title", { x: -10, y: -26 }, [about, title].filter(Boolean).join(": ")),
    text("nbt-tick", { x: -10, y: -11 }, legend ? asText(legend.childNodes) : ""),
    text("nbt-tick", { x: (span ?? width) / 2, y: height + 10, "text-anchor": "middle" }, x),
    text("nbt-tick", { transform: `translate(-8 ${height / 2}) rotate(-90)`, "text-anchor": "middle" }, y),
  );
  place.replaceChildren(copy);
  return copy;
}

/** Download what an object URL has. @param {string} url @param {string} name */
export function download(url, name) {
  h("a", { href: url, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}

/**
 * A drawing as pixels.
 * @param {SVGSVGElement} svg @param {number} scale pixels for each unit
 * @returns {Promise<HTMLCanvasElement>}
 */
export async function raster(svg, scale) {
  const image = new Image();
  image.src = URL.createObjectURL(new Blob([asSvg(svg)], { type: "image/svg+xml" }));
  await image.decode();
  const canvas = h("canvas", { width: image.width * scale, height: image.height * scale });
  canvas.getContext("2d").drawImage(image, 0, 0, canvas.width, canvas.height);
  URL.revokeObjectURL(image.src);
  return canvas;
}

/**
 * Two small buttons that save a chart.
 * @param {import("./types.js").Translator} t @param {() => SVGSVGElement | null} chart @param {string} name of the file
 * @param {number} [scale] pixels of a PNG for each unit of the chart
 */
export function saving(t, chart, name, scale = SCALE) {
  const svg = () => {
    const el = chart();
    return el && new Blob([asSvg(el)], { type: "image/svg+xml" });
  };
  const png = async () => {
    const el = chart();
    if (!el) return;
    const canvas = await raster(el, scale);
    canvas.toBlob((/** @type {any} */ made) => download(URL.createObjectURL(made), `${name}.png`));
  };
  const button = (/** @type {string} */ text, /** @type {string} */ title, /** @type {() => void} */ onclick) =>
    h("button", { type: "button", class: "nbt-save", text, "aria-label": title, title, onclick });
  return h(
    "span",
    { class: "nbt-saving" },
    button("SVG", t`save as SVG`, () => {
      const blob = svg();
      if (blob) download(URL.createObjectURL(blob), `${name}.svg`);
    }),
    button("PNG", t`save as PNG`, png),
  );
}
