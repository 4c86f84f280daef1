// @ts-check
/** A button that copies the view as a picture of 1200 × 630 pixels; it is saved as a file where the clipboard takes none. */

import { Controls } from "./controls.js";
import { flash } from "./dom.js";
import { download } from "./saving.js";

/** @typedef {import("./controls.js").Least & { say(text: string): void }} Told */

/** @extends {Controls<Told>} */
export class CopyImage extends Controls {
  /** @param {Told} ctx @param {() => Promise<HTMLCanvasElement>} picture @param {() => string} name of the file, without its ending */
  constructor(ctx, picture, name) {
    super(ctx);
    this.picture = picture;
    this.name = name;
    this.el = this.button(this.t`Copy image`, () => this.copy());
  }

  async copy() {
    const { t } = this;
    const png = this.picture().then(
      (canvas) => new Promise((resolve) => canvas.toBlob((/** @type {any} */ blob) => resolve(blob), "image/png")),
    );
    try {
      // at once: some browsers forget that there was a click
      await navigator.clipboard.write([new ClipboardItem({ "image/png": /** @type {any} */ (png) })]);
      this.tell(t`Copied`);
    } catch {
      try {
        download(URL.createObjectURL(await png), `${this.name()}.png`);
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
