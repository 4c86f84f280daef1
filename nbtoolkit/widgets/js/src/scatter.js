// @ts-check
/**
 * Scatter: up to 20,000 points on a canvas, pixel by pixel. Drag pans, Shift and drag (or the lasso's switch) encircles,
 * the wheel zooms once the canvas has the focus; arrows go from point to point.
 */

import { h } from "./dom.js";
import { best, bounds, cost, fit, inside, windowOf, zoomed } from "./points.js";

const REACH = 14; // pixels: how far the pointer may be off
const CLICK = 4; // pixels: a shorter drag is a click
const ZOOM = 1.4;
const FAINT = 0x909090; // of points that are not chosen or do not pass the filter, at a quarter of the opacity
/** @type {Record<string, number[]>} */
const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };

/**
 * @typedef {object} Look of the points
 * @property {ArrayLike<number>} inks colour of each, as 0xbbggrr
 * @property {Uint8Array} bright 1 where a point is chosen and passes the filter
 * @property {number} radius
 * @property {number} current the selected point, or −1
 *
 * @typedef {object} Owner
 * @property {(i: number) => void} point −1 when the pointer leaves
 * @property {(i: number, add: boolean) => void} pick
 * @property {(chosen: number[]) => void} encircle
 * @property {(window: number[]) => void} moved
 * @property {() => void} drawn after every drawing
 */

/** @param {string} colour "#rrggbb" */
export const ink = (colour) => {
  const rgb = parseInt(colour.slice(1), 16);
  return ((rgb & 255) << 16) | (rgb & 0xff00) | (rgb >> 16);
};

export class Scatter {
  /** @param {string} label @param {AbortSignal} signal @param {Owner} owner */
  constructor(label, signal, owner) {
    this.owner = owner;
    /** @type {import("./points.js").Points} */
    this.points = { xs: new Float32Array(), ys: new Float32Array() };
    /** @type {Look} */
    this.look = { inks: [], bright: new Uint8Array(), radius: 3, current: -1 };
    this.frame = { scale: 1, left: 0, top: 0 };
    /** @type {number[]} */
    this.window = [];
    this.lassoing = false;
    this.due = 0;
    /** @type {{ x: number, y: number, path: number[][] | null, frame: import("./points.js").Frame } | null} */
    this.drag = null;
    /** @type {HTMLCanvasElement} */
    this.canvas = h("canvas", {
      class: "nbt-scatter",
      tabindex: 0,
      role: "application",
      "aria-label": label,
      onpointerdown: (/** @type {PointerEvent} */ event) => this.down(event),
      onpointermove: (/** @type {PointerEvent} */ event) => this.move(event),
      onpointerup: (/** @type {PointerEvent} */ event) => this.up(event),
      onpointercancel: () => this.end(),
      onpointerleave: () => this.drag || owner.point(-1),
      onkeydown: (/** @type {KeyboardEvent} */ event) => this.key(event),
      onwheel: (/** @type {WheelEvent} */ event) => this.wheel(event),
    });
    this.el = h("div", { class: "nbt-map-stage" }, this.canvas);
    const sizes = new ResizeObserver(() => this.show(this.window));
    sizes.observe(this.el);
    signal.addEventListener("abort", () => sizes.disconnect());
  }

  get size() {
    return /** @type {[number, number]} */ ([this.canvas.clientWidth, this.canvas.clientHeight]);
  }

  /** Show a part of the map, or all of it. @param {number[]} window */
  show(window) {
    this.window = window;
    const [width, height] = this.size;
    if (!width) return; // it is not laid out yet
    this.frame = fit(window.length ? window : bounds(this.points), width, height);
    this.draw();
  }

  /** @param {import("./points.js").Frame} frame */
  reframe(frame) {
    this.frame = frame;
    this.window = windowOf(frame, ...this.size);
    this.draw();
  }

  /** @param {number} factor about a place, the middle if left out @param {number} [x] @param {number} [y] */
  zoom(factor, x = this.size[0] / 2, y = this.size[1] / 2) {
    this.reframe(zoomed(this.frame, factor, x, y));
    this.owner.moved(this.window);
  }

  /** Draw in the next frame, once. */
  draw() {
    this.due ||= requestAnimationFrame(() => {
      this.due = 0;
      this.paint();
      this.owner.drawn();
    });
  }

  paint() {
    const { canvas, drag, look } = this;
    const ratio = Math.min(2, devicePixelRatio || 1);
    const [width, height] = this.size.map((side) => Math.round(side * ratio));
    if (!width) return;
    if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
    const brush = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
    const image = brush.createImageData(width, height);
    this.stamp(new Uint32Array(image.data.buffer), width, height, ratio);
    brush.putImageData(image, 0, 0);
    brush.setTransform(ratio, 0, 0, ratio, 0, 0);
    brush.strokeStyle = getComputedStyle(canvas).color;
    brush.lineWidth = 2;
    brush.setLineDash([]);
    brush.beginPath();
    if (look.current >= 0) brush.arc(...this.at(look.current), look.radius + 4, 0, 7);
    brush.stroke();
    if (!drag?.path) return;
    brush.setLineDash([4, 3]);
    brush.beginPath();
    for (const [x, y] of drag.path) brush.lineTo(x, y);
    brush.closePath();
    brush.stroke();
  }

  /** Where a point is drawn. @param {number} i @returns {[number, number]} */
  at(i) {
    const { scale, left, top } = this.frame;
    return [left + scale * this.points.xs[i], top - scale * this.points.ys[i]];
  }

  /** Discs into the pixels, those that are not bright first. @param {Uint32Array} pixels @param {number} width @param {number} height @param {number} ratio */
  stamp(pixels, width, height, ratio) {
    const [{ inks, bright, radius }, { xs, ys }] = [this.look, this.points];
    const [scale, left, top] = [this.frame.scale, this.frame.left, this.frame.top].map((v) => v * ratio);
    const edge = Math.ceil(radius * ratio);
    const [offsets, opacities] = [/** @type {number[]} */ ([]), /** @type {number[]} */ ([])];
    for (let y = -edge; y <= edge; y++) {
      for (let x = -edge; x <= edge; x++) {
        const cover = Math.min(1, radius * ratio + 0.5 - Math.hypot(x, y));
        if (cover > 0.1) (offsets.push(y * width + x), opacities.push(Math.round(255 * cover)));
      }
    }
    for (const lit of [0, 1]) {
      for (let i = 0; i < xs.length; i++) {
        const [x, y] = [Math.round(left + scale * xs[i]), Math.round(top - scale * ys[i])];
        if (bright[i] !== lit || x < edge || y < edge || x >= width - edge || y >= height - edge) continue;
        const colour = lit ? inks[i] : FAINT;
        for (let j = 0; j < offsets.length; j++) {
          const [p, opacity] = [y * width + x + offsets[j], opacities[j] >> (lit ? 0 : 2)];
          if (opacity > 127 || opacity >= pixels[p] >>> 24) pixels[p] = (opacity << 24) | colour;
        }
      }
    }
  }

  /** The point at a place. @param {{ offsetX: number, offsetY: number }} event */
  under({ offsetX, offsetY }) {
    return best(this.look.bright, (i) => {
      const [x, y] = this.at(i);
      const far = Math.hypot(x - offsetX, y - offsetY);
      return far < REACH ? far : Infinity;
    });
  }

  /** @param {PointerEvent} event */
  down({ button, offsetX: x, offsetY: y, shiftKey, pointerId }) {
    if (button) return;
    this.drag = { x, y, path: this.lassoing || shiftKey ? [[x, y]] : null, frame: this.frame };
    this.canvas.setPointerCapture(pointerId);
  }

  /** @param {PointerEvent} event */
  move(event) {
    const [{ drag }, { offsetX: x, offsetY: y }] = [this, event];
    if (!drag) return this.owner.point(this.under(event));
    if (!drag.path) {
      const { scale, left, top } = drag.frame;
      return this.reframe({ scale, left: left + x - drag.x, top: top + y - drag.y });
    }
    drag.path.push([x, y]);
    this.draw();
  }

  /** @param {PointerEvent} event */
  up(event) {
    const { drag } = this;
    this.end();
    if (!drag) return;
    const { path, x, y } = drag;
    const i = this.under(event);
    if (Math.hypot(event.offsetX - x, event.offsetY - y) < CLICK && !(path && path.length > 8)) {
      if (i >= 0) this.owner.pick(i, event.shiftKey);
    } else if (path) {
      this.owner.encircle([...this.points.xs.keys()].filter((j) => inside(path, ...this.at(j))));
    } else this.owner.moved(this.window);
  }

  end() {
    this.drag = null;
    this.draw();
  }

  /** @param {WheelEvent} event */
  wheel(event) {
    const { canvas } = this;
    const focused = /** @type {Document} */ (canvas.getRootNode()).activeElement === canvas;
    if (!event.ctrlKey && !focused) return; // the page scrolls
    event.preventDefault();
    this.zoom(Math.exp(-event.deltaY / 400), event.offsetX, event.offsetY);
  }

  /** @param {KeyboardEvent} event */
  key(event) {
    const { look, points, owner } = this;
    const { xs, ys } = points;
    const from = look.current;
    const arrow = ARROWS[event.key];
    /** @type {Record<string, () => void>} */
    const keys = {
      "+": () => this.zoom(ZOOM),
      "-": () => this.zoom(1 / ZOOM),
      0: () => owner.moved([]),
      Escape: () => owner.encircle([]),
    };
    if (arrow) {
      const next = best(look.bright, (i) => (from < 0 ? i : cost(xs[i] - xs[from], ys[i] - ys[from], arrow)));
      if (next >= 0) owner.pick(next, event.shiftKey);
    } else if (event.key in keys) keys[event.key]();
    else return;
    event.preventDefault();
  }
}
