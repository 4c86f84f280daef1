// @ts-check
/** The menu of a view of a study. */

import { Pane } from "./pane.js";
import { raster } from "./saving.js";
import { pythonCall, pythonLiteral } from "./state.js";
import { ViewMenu } from "./view_menu.js";

const ALWAYS = ["layer", "concept", "sample"]; // in the line of Python, whatever they are

export class ViewTools extends Pane {
  /** @param {import("./types.js").Context} ctx @param {() => SVGSVGElement | null | undefined} [drawing] that the selected pane is copied as, where it has one */
  constructor(ctx, drawing = () => null) {
    super(ctx);
    this.drawing = drawing;
    this.el = new ViewMenu(ctx, {
      python: () => this.python(),
      traits: [...ALWAYS, ...Object.keys(this.meta.defaults)],
      picture: () => this.picture(),
      name: () => `${this.meta.token} layer ${this.get("layer")}`,
    }).el;
  }

  /** The line that opens the view as it is: every trait that is not at its default. */
  python() {
    const { defaults, live, samples } = this.meta;
    const differs = (/** @type {string} */ name) => JSON.stringify(this.get(name)) !== JSON.stringify(defaults[name]);
    const names = [...ALWAYS, ...Object.keys(defaults).filter((name) => !ALWAYS.includes(name) && differs(name))];
    const options = Object.fromEntries(names.map((n) => [n, this.get(n)]));
    const { own, name, given, caption } = samples[this.row];
    if (own) delete options.sample; // its id is that of the page's JPEG
    const call = pythonCall(live ? ["study", "model"] : ["study"], options);
    if (!own) return call;
    const captioned = given ? `, caption=${pythonLiteral(caption)}` : "";
    return `view = ${call}; view.explain(${pythonLiteral(name)}${captioned})`;
  }

  /** @returns {Promise<HTMLCanvasElement>} */
  async picture() {
    const svg = this.drawing();
    if (svg) return raster(svg, 1);
    const { Picture } = await this.source.panes();
    return /** @type {any} */ (new Picture(this.ctx)).draw();
  }
}
