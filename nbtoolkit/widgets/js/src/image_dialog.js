// @ts-check
/** The image in a dialog: larger, with the map of the selected concept, its activation and rank, and its neighbours. */

import { Cache } from "./cache.js";
import { dotted, h, signed } from "./dom.js";
import { Pane } from "./pane.js";
import { SampleOverlay } from "./sample_overlay.js";
import { visible } from "./words.js";

const LARGEST = 2; // display pixels per pixel of the image
const HELD = 12; // images in full
const N_WORDS = 8;

export class ImageDialog extends Pane {
  /** @param {import("./types.js").Context} ctx */
  constructor(ctx) {
    super(ctx);
    this.turn = 0;
    /** @type {number[]} rows that the arrows go through */
    this.rows = [];
    /** @type {Cache<string | null>} */
    this.images = new Cache(HELD, (url) => url && URL.revokeObjectURL(url));
    /** @type {HTMLDialogElement} */
    this.el = h("dialog", { class: "nbt-dialog", "aria-label": this.t`Image` });
    this.el.addEventListener("click", (event) => {
      if (event.target === this.el) this.el.close(); // beside the image
    });
    this.el.addEventListener("keydown", (event) => this.onKey(event));
    this.on(["sample", "layer", "concept"], () => this.el.open && this.paint());
  }

  /** Its content, when it is needed first. */
  build() {
    const { t } = this;
    this.overlay = new SampleOverlay(this.ctx, NO_PANE);
    this.heading = h("h3", { class: "nbt-h" });
    this.response = h("p", { dir: "auto" });
    this.words = h("p", { class: "nbt-note" });
    this.facts = h("p", { class: "nbt-note" });
    const { image, frame, select, scale, note } = this.overlay;
    image.addEventListener("load", () => this.fit());
    this.next = this.stepper(t`next image`, "›", () => this.step(1));
    const head = h(
      "div",
      { class: "nbt-sample-head" },
      this.heading,
      this.source.ask && this.get("overlay") !== undefined ? select : null,
      this.stepper(t`previous image`, "‹", () => this.step(-1)),
      this.next,
      this.button(t`Close`, () => this.el.close()),
    );
    this.el.append(head, frame, scale, this.response, this.facts, this.words, note);
  }

  /** @param {KeyboardEvent} event */
  onKey(event) {
    const by = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (!by || /** @type {Element} */ (event.target).matches("select")) return;
    event.preventDefault();
    event.stopPropagation();
    this.step(by);
  }

  /** Select another image. @param {number} by */
  step(by) {
    const { rows, row, meta } = this;
    const n = rows.length;
    this.commit({ token: null, sample: meta.samples[rows[(rows.indexOf(row) + by + n) % n]].id });
  }

  /** Show the selected image. @param {number[]} rows that the arrows go through, where it is among them; else all */
  open(rows) {
    if (!this.overlay) this.build();
    this.rows = rows.includes(this.row) ? rows : [...this.meta.samples.keys()];
    this.paint();
  }

  async paint() {
    const [mine, { source, t, row, overlay }] = [++this.turn, this];
    const [layer, concept] = [this.get("layer"), this.get("concept")];
    try {
      const [{ facts, url }, own] = await Promise.all([source.sample(row), source.ofRow(row, layer)]);
      const all = await source.activations(layer);
      if (mine !== this.turn) return;
      const { caption, id } = own.facts ?? facts;
      this.heading.textContent = this.imageName;
      overlay?.show(url, visible(caption));
      this.response.textContent = visible(caption);
      const rank = concept === null || own.facts?.position === -1 ? "" : this.rank(all, own, concept);
      this.facts.textContent = [own.facts ? "" : visible(id), t`layer ${layer}`, rank].filter(Boolean).join(" · ");
      const words = this.concepts[concept]?.words.slice(0, N_WORDS) ?? [];
      this.words.replaceChildren(...dotted(words, () => false));
      if (!this.el.open) {
        this.el.showModal();
        this.next?.focus(); // the arrow keys are those of the images, not of the overlay
      }
      overlay?.paint();
      const full = await this.images.get(this.meta.samples[row].id, () => this.full(row));
      if (full && mine === this.turn) overlay?.show(full, visible(caption));
    } catch (error) {
      this.ctx.say(String(error));
    }
  }

  /** The image of the data set, where there is a model and it has one. @param {number} row @returns {Promise<string | null>} */
  async full(row) {
    const { id, own } = this.meta.samples[row];
    if (!this.source.job || own) return null;
    const { bytes } = await this.source.job("full_image", { sample: id }).result;
    if (!bytes) return null;
    const large = URL.createObjectURL(new Blob([bytes], { type: "image/jpeg" }));
    this.ctx.signal.addEventListener("abort", () => URL.revokeObjectURL(large));
    return large;
  }

  /** A small image stays small: it would be a blur. */
  fit() {
    const { image, frame } = /** @type {SampleOverlay} */ (this.overlay);
    const { naturalWidth: width, naturalHeight: height } = image;
    frame.style.width = `min(84vw, ${LARGEST * width}px, ${(62 * width) / height}vh)`;
  }

  /**
   * @param {import("./types.js").Activations} all @param {{ activations: import("./types.js").Activations, at: number, facts?: any }} own
   * @param {number} concept
   */
  rank({ values, nConcepts }, { activations, at, facts }, concept) {
    const { t } = this;
    const name = t`concept ${concept}, ${this.name(concept)}`;
    const value = activations.values[at * nConcepts + concept];
    if (!value) return t`${name}: activation 0`;
    const n = values.length / nConcepts;
    const above = Array.from({ length: n }, (_, i) => Math.abs(values[i * nConcepts + concept])).filter(
      (other) => other > Math.abs(value),
    ).length;
    return t`${name}: activation ${signed(value)}, rank ${above + 1} of ${facts ? n + 1 : n} images`;
  }
}

/** What an overlay needs of its pane: here there are no tokens and no bars. */
const NO_PANE = /** @type {any} */ ({ result: null, response: { shade() {} }, bars: { highlight() {} } });
