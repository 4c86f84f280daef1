// @ts-check
/** An image outside the study, from a file of the reader's or from Python: inKernel to the model, and its concepts. */

import { h, reason } from "./dom.js";
import { Pane } from "./pane.js";

const MAX_SIDE = 1024; // pixels: a larger image is scaled down before it is inKernel
const QUALITY = 0.92; // of the JPEG

export class OutsideImage extends Pane {
  /** @param {import("./types.js").Context} ctx @param {import("./sample_attribution.js").SampleAttribution} sample */
  constructor(ctx, sample) {
    super(ctx);
    this.sample = sample;
    /** @type {{ file: Blob, inKernel: boolean } | null} whether the kernel has it already */
    this.image = null;
    const input = h("input", {
      type: "file",
      accept: "image/*",
      class: "nbt-file",
      onchange: () => {
        if (input.files?.[0]) this.show(input.files[0], false);
        input.value = "";
      },
    });
    this.control = h("label", { class: "nbt-button nbt-own" }, this.t`Open image…`, input);
  }

  /** Show the image that Python gave, if there is one. */
  adopt() {
    const bytes = this.source.job && this.get("_image");
    if (bytes) this.show(new Blob([bytes], { type: "image/jpeg" }), true);
    return Boolean(bytes);
  }

  /** Go back to the study's images. */
  leave() {
    this.image = null;
    if (this.get("_image")) this.commit({ _image: null });
  }

  /** @param {Blob} file @param {boolean} inKernel */
  show(file, inKernel) {
    this.image = { file, inKernel };
    this.explain();
  }

  async explain() {
    if (!this.image) return;
    const { t, sample } = this;
    const { file, inKernel } = this.image;
    sample.clear();
    const mine = sample.turn;
    sample.heading.textContent = t`Your image`;
    try {
      const { jpeg, url } = await smaller(file);
      if (mine !== sample.turn) return;
      sample.overlay.show(url, "");
      const buffers = inKernel ? undefined : [await jpeg.arrayBuffer()];
      const result = await this.source.job?.("explain", { at: this.get("layer") }, undefined, buffers).result;
      if (mine !== sample.turn) return;
      sample.overlay.show(url, result.pieces.join(""));
      sample.response.plain(result.pieces, 1);
      const values = new Float32Array(result.activations);
      const activations = { nConcepts: values.length, values, rest: new Float32Array([result.unexplained ?? NaN]) };
      sample.bars.paint(this.meta.token, activations, 0, null, "");
    } catch (error) {
      if (mine === sample.turn) sample.response.clear(this.failure(error));
    }
  }

  /** @param {unknown} error */
  failure(error) {
    if (error instanceof DOMException) return this.t`This file is not an image that the browser can read.`;
    return reason(this.t, error);
  }
}

/** An image of at most MAX_SIDE pixels a side, to send and to show. @param {Blob} file */
async function smaller(file) {
  const bitmap = await createImageBitmap(file);
  const scale = Math.min(1, MAX_SIDE / Math.max(bitmap.width, bitmap.height));
  const size = { width: Math.round(bitmap.width * scale), height: Math.round(bitmap.height * scale) };
  const canvas = h("canvas", size);
  canvas.getContext("2d").drawImage(bitmap, 0, 0, size.width, size.height);
  /** @type {Blob} */
  const jpeg = await new Promise((resolve) => canvas.toBlob(resolve, "image/jpeg", QUALITY));
  return { jpeg, url: canvas.toDataURL("image/jpeg", QUALITY) };
}
