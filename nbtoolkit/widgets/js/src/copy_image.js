// @ts-check
/** A button that copies the view as a picture of 1200 × 630 pixels; it is saved as a file where the clipboard takes none. */

import { flash } from "./dom.js";
import { Pane } from "./pane.js";
import { download, raster } from "./saving.js";

export class CopyImage extends Pane {
  /** @param {import("./types.js").Context} ctx @param {() => SVGSVGElement | null | undefined} [drawing] that the selected pane is copied as, where it has one */
  constructor(ctx, drawing = () => null) {
    super(ctx);
    this.drawing = drawing;
    this.el = this.button(this.t`Copy image`, () => this.copy());
  }

  /** @returns {Promise<HTMLCanvasElement>} */
  async picture() {
    const svg = this.drawing();
    if (svg) return raster(svg, 1);
    const { Picture } = await this.source.panes();
    return /** @type {any} */ (new Picture(this.ctx)).draw();
  }

  async copy() {
    const { t, meta } = this;
    const png = this.picture().then(
      (canvas) => new Promise((resolve) => canvas.toBlob((/** @type {any} */ blob) => resolve(blob), "image/png")),
    );
    try {
      // at once: some browsers forget that there was a click
      await navigator.clipboard.write([new ClipboardItem({ "image/png": /** @type {any} */ (png) })]);
      this.tell(t`Copied`);
    } catch {
      try {
        download(URL.createObjectURL(await png), `${meta.token} layer ${this.get("layer")}.png`);
        this.tell(t`Saved`);
      } catch (error) {
        this.ctx.say(String(error));
      }
    }
  }

  /** @param {string} text */
  tell(text) {
    flash(this.el, text);
    this.ctx.say(text);
  }
}
