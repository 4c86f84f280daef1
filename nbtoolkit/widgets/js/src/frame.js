// @ts-check
/** What every view stands in: one root element, one live region, one error banner, texts in the reader's language; the panes are built by the host that extends it. */

import { GONE } from "./channel.js";
import { h, onChange } from "./dom.js";
import { language, translate, translator, visible } from "./words.js";

/** @typedef {{ texts(): Promise<Record<string, string>>, close(): void }} FrameSource */

/**
 * Show a view in an element.
 * @param {HTMLElement} el @param {Frame} frame @returns {() => void} a function that cleans up
 */
export function place(el, frame) {
  el.classList.add("nbt");
  el.append(frame.root);
  return () => frame.close();
}

export class Frame {
  /** @param {import("./types.js").Model} model @param {FrameSource} source @param {Set<() => void>} [renamed] gathers listeners to names */
  constructor(model, source, renamed = new Set()) {
    this.model = lenient(model, () => this.lost(), renamed);
    this.home = source;
    const lang = language(this.model.get("_meta").locale || navigator.language);
    this.t = translator();
    this.ending = new AbortController();
    this.panes = new AbortController();
    this.live = h("p", { class: "nbt-live", role: "status", "aria-live": "polite" });
    this.trouble = h("span");
    this.banner = h("p", { class: "nbt-error", role: "alert", hidden: true }, this.trouble, this.dismiss());
    this.foreign = lang !== "en"; // until its texts are there
    this.root = this.makeRoot(lang);
    this.listen("msg:custom", (/** @type {any} */ message) => {
      if (message?.kind === "failure") this.warn(`Error: ${message.text}`);
    });
    // the front end reports a restart; a message that is sent then fails
    this.listen("comm_live_update", () => this.model.send({ kind: "hello" }));
    this.root.classList.add(`nbt-live-${model.get("_view")}`); // hides the picture that the notebook's file has (reopening.py)
  }

  /** @param {string} lang */
  makeRoot(lang) {
    const kind = this.model.get("_kind").replaceAll("_", "-");
    return h(
      "div",
      {
        class: `nbt-root nbt-${kind}`,
        lang,
        "data-lm-suppress-shortcuts": "true",
        // Notebook 7 looks at the element that has the focus only
        onfocusin: (/** @type {{ target: Element }} */ { target }) =>
          target.setAttribute("data-lm-suppress-shortcuts", "true"),
        onkeydown: (/** @type {KeyboardEvent} */ event) => {
          containKeys(event);
          this.onKey(event);
        },
      },
      this.banner,
      this.live,
    );
  }

  /** Build the panes now, or when the texts are there; and again when the meta data change. */
  start() {
    if (this.foreign) this.translate();
    else this.build();
    onChange({ model: this.model, signal: this.ending.signal }, ["_meta"], () => this.build());
  }

  /** Build the panes once the texts in the reader's language are there: what is in English waits for nothing. */
  async translate() {
    const texts = await this.home.texts().catch(() => ({})); // without a kernel, which the panes report
    this.t = translator(texts);
    this.banner.lastElementChild?.setAttribute("aria-label", this.t`dismiss`);
    this.foreign = false;
    if (!this.ending.signal.aborted) this.build();
  }

  /**
   * Begin the panes anew: those that are there end.
   * @returns {AbortSignal | null} of the new ones; null where there is nothing to show yet, or any more
   */
  renew() {
    this.panes.abort();
    if (this.foreign || !("token" in this.model.get("_meta"))) return null; // the kernel closes the view
    this.panes = new AbortController();
    const { token, model } = this.model.get("_meta");
    if (model) this.root.dataset.about = this.t`“${token}” in ${model}`; // of what a saved chart is
    return this.panes.signal;
  }

  /** Every host builds its panes. */
  build() {}

  /** What a host does with a key. @param {KeyboardEvent} _event */
  onKey(_event) {}

  /** @param {Node} el of the view */
  fill(el) {
    this.root.replaceChildren(this.banner, el, this.live);
  }

  /** @param {string} event @param {(...args: any[]) => void} callback */
  listen(event, callback) {
    this.model.on(event, callback);
    this.ending.signal.addEventListener("abort", () => this.model.off(event, callback));
  }

  dismiss() {
    const onclick = () => {
      this.banner.hidden = true;
    };
    return h("button", { type: "button", class: "nbt-button", text: "×", "aria-label": this.t`dismiss`, onclick });
  }

  /** The kernel has gone. */
  lost() {
    this.warn(GONE);
  }

  /** @param {string} text */
  warn(text) {
    this.trouble.textContent = text.endsWith(GONE) ? `Error: ${translate(this.t, GONE)}` : visible(text);
    this.banner.hidden = false;
  }

  /** @param {string} text */
  say(text) {
    if (text.startsWith("Error")) this.warn(text);
    else this.live.textContent = visible(text);
  }

  close() {
    this.panes.abort();
    this.ending.abort();
    this.home.close();
    this.root.remove();
  }
}

/** JupyterLab acts on keys that reach it: an arrow would move its active cell. @param {KeyboardEvent} event */
function containKeys(event) {
  if (!(event.ctrlKey || event.metaKey || event.altKey)) event.stopPropagation();
}

/**
 * A model that can be set after its kernel has gone; then `lost` is called.
 * @param {import("./types.js").Model} model @param {() => void} lost @param {Set<() => void>} renamed gathers listeners to names
 * @returns {import("./types.js").Model}
 */
function lenient(model, lost, renamed) {
  const safe = (/** @type {() => void} */ f) => {
    try {
      f();
    } catch {
      lost();
    }
  };
  return {
    widget_manager: model.widget_manager,
    get: (name) => model.get(name),
    set: (name, value) => model.set(name, value),
    on: (event, callback) => {
      if (event === "change:labels") renamed.add(callback);
      model.on(event, callback);
    },
    off: (event, callback) => {
      renamed.delete(callback);
      model.off(event, callback);
    },
    save_changes: () => safe(() => model.save_changes()),
    send: (...message) => safe(() => model.send(...message)),
  };
}
