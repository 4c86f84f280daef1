// @ts-check
/** Photographs of the reader: chosen, dropped or pasted; each is a sample of the view from then on. */

import { h, reason, showThumb } from "./dom.js";
import { Pane } from "./pane.js";

const MAX_SIDE = 1024; // pixels: a larger image is scaled down before it is sent
const MAX_MB = 64; // of a file
const QUALITY = 0.92; // of the JPEG

export class Photographs extends Pane {
  /** @param {import("./types.js").Context} ctx @param {HTMLElement} place an element of the view */
  constructor(ctx, place) {
    super(ctx);
    const { t } = this;
    this.live = Boolean(this.source.job);
    this.turn = 0;
    this.note = h("p", { class: "nbt-note", role: "status", hidden: true });
    this.strip = h("div", { class: "nbt-photos", role: "group", "aria-label": t`Your images` });
    this.adding = h("span");
    const input = h("input", {
      type: "file",
      accept: "image/*",
      multiple: true,
      class: "nbt-file",
      "aria-label": t`+ your image`,
      title: t`or drop an image onto the view, or paste one`,
      onchange: () => {
        this.add([...input.files]);
        input.value = "";
      },
    });
    this.control = this.live ? h("label", { class: "nbt-button nbt-own" }, this.adding, input) : null;
    this.remove = h("button", {
      type: "button",
      class: "nbt-step",
      text: "×",
      hidden: true,
      onclick: () => this.drop(),
    });
    this.on(["photos"], () => this.paint());
    this.on(["sample"], () => {
      this.tell("");
      this.sync();
    });
    queueMicrotask(() => this.listen(place.closest(".nbt-root")));
    this.paint();
  }

  /** The photographs among the samples, with their rows. */
  get own() {
    return this.meta.samples.map((sample, row) => ({ ...sample, row })).slice(this.meta.n_samples);
  }

  /** Show a small image of each. */
  async paint() {
    const [mine, { own }] = [++this.turn, this];
    this.strip.hidden = !own.length;
    this.tiles = own.map(({ id, name }) =>
      h("button", {
        type: "button",
        class: "nbt-photo nbt-waiting",
        "aria-label": name,
        title: name,
        "data-id": id,
        onclick: () => this.commit({ token: null, sample: id }),
      }),
    );
    this.strip.replaceChildren(...this.tiles, this.remove);
    this.sync();
    const thumbs = await this.source.thumbs(own.map(({ row }) => row)).catch(() => new Map());
    if (mine === this.turn) this.tiles.forEach((tile, i) => showThumb(tile, thumbs.get(own[i].row)));
  }

  /** Show which one is selected. */
  sync() {
    const selected = this.own.find(({ id }) => id === this.get("sample"));
    for (const tile of this.tiles ?? []) tile.setAttribute("aria-pressed", String(tile.dataset.id === selected?.id));
    this.adding.textContent = selected ? "+" : this.t`+ your image`; // its name needs the room
    this.remove.hidden = !selected || Boolean(this.source.alone);
    if (selected) this.remove.setAttribute("aria-label", this.t`remove ${selected.name}`);
  }

  /** Files that are dropped onto the view, or pasted while it has the pointer or the focus. @param {Element | null} root */
  listen(root) {
    const { signal } = this.ctx;
    if (!root || this.source.alone) return;
    /** @type {HTMLElement} */ (root).dataset.drop = this.t`Drop the image to see its concepts`;
    const over = (/** @type {boolean} */ value) => root.classList.toggle("nbt-dropping", value && this.live);
    const listeners = {
      dragover: (/** @type {DragEvent} */ event) => {
        if (!event.dataTransfer?.types.includes("Files")) return;
        event.preventDefault(); // else the browser leaves the notebook for the file
        event.stopPropagation();
        over(true);
      },
      dragleave: (/** @type {DragEvent} */ event) =>
        root.contains(/** @type {Node} */ (event.relatedTarget)) || over(false),
      drop: (/** @type {DragEvent} */ event) => {
        if (!event.dataTransfer?.files.length) return;
        event.preventDefault();
        event.stopPropagation();
        over(false);
        this.add([...event.dataTransfer.files]);
      },
    };
    for (const [type, f] of Object.entries(listeners)) {
      root.addEventListener(type, /** @type {EventListener} */ (f), { signal });
    }
    document.addEventListener("paste", (event) => this.paste(root, event), { capture: true, signal });
  }

  /** @param {Element} root @param {ClipboardEvent} event */
  paste(root, event) {
    const files = [...(event.clipboardData?.files ?? [])].filter(({ type }) => type.startsWith("image/"));
    const [first] = /** @type {Element[]} */ (event.composedPath());
    const elsewhere = first?.matches?.("input, textarea, [contenteditable='true'], [contenteditable='true'] *");
    const here = event.composedPath().includes(root) || (!elsewhere && root.matches(":hover"));
    if (!files.length || !here) return;
    event.preventDefault();
    event.stopPropagation();
    this.add(files);
  }

  /** @param {File[]} files */
  async add(files) {
    if (!this.live) {
      this.tell(this.t`An image of yours needs the model: nbt.explore(study, model).`);
      return;
    }
    const { t } = this;
    /** @type {string[]} */
    const failures = [];
    for (const file of files) {
      this.tell(t`Reading ${file.name} …`);
      try {
        if (file.size > MAX_MB * 1e6) throw new Error(t`${file.name} has more than ${MAX_MB} MB.`);
        const jpeg = await smaller(file);
        await this.source.job?.("add_photo", { name: file.name }, undefined, [jpeg]).result;
      } catch (error) {
        failures.push(this.failure(file, error)); // the other files are read all the same
      }
    }
    this.tell([...new Set(failures)].join(" "));
  }

  /** Remove the selected one. */
  async drop() {
    try {
      await this.source.job?.("remove_photo", { sample: this.get("sample") }).result;
      this.control?.querySelector("input")?.focus(); // the button has gone with the image
    } catch (error) {
      this.tell(reason(this.t, error));
    }
  }

  /** Have the model read a text as the response to the selected one. @param {string} caption */
  async caption(caption) {
    try {
      await this.source.job?.("caption_photo", { sample: this.get("sample"), caption }).result;
    } catch (error) {
      this.tell(reason(this.t, error));
    }
  }

  /** @param {string} text "" for none */
  tell(text) {
    this.note.hidden = !text;
    this.note.textContent = text;
  }

  /** @param {File} file @param {unknown} error */
  failure({ name }, error) {
    if (!(error instanceof DOMException)) return reason(this.t, error);
    return this.t`“${name}” is no image that the browser can read; expected JPEG, PNG, WebP or GIF.`;
  }
}

/** An upright JPEG of at most MAX_SIDE pixels a side, on white. @param {Blob} file */
async function smaller(file) {
  const bitmap = await createImageBitmap(file); // turned as its EXIF says; of an animation the first image
  const scale = Math.min(1, MAX_SIDE / Math.max(bitmap.width, bitmap.height));
  const [width, height] = [bitmap.width, bitmap.height].map((side) => Math.max(1, Math.round(side * scale)));
  const canvas = h("canvas", { width, height });
  const brush = canvas.getContext("2d");
  brush.fillStyle = "#fff";
  brush.fillRect(0, 0, width, height);
  brush.drawImage(bitmap, 0, 0, width, height);
  bitmap.close();
  /** @type {Blob} */
  const jpeg = await new Promise((resolve) => canvas.toBlob(resolve, "image/jpeg", QUALITY));
  return jpeg.arrayBuffer();
}
