// @ts-check
/** The host of a view: one root element, one live region, one error banner; panes are rebuilt when the study changes. */

import { GONE } from "./channel.js";
import { commit, h, onChange } from "./dom.js";
import { StudyData } from "./study.js";
import { VIEWS } from "./views.js";
import { language, translate, translator, visible } from "./words.js";

const REST = 200; // milliseconds that the first paint has for itself

/**
 * Show the view that `_kind` names.
 * @param {import("./types.js").Model} model @param {HTMLElement} el @param {import("./types.js").StudySource} source
 * @returns {() => void} a function that cleans up
 */
export function show(model, el, source) {
  const host = new Host(model, source);
  el.classList.add("nbt");
  el.append(host.root);
  return () => host.close();
}

class Host {
  /** @param {import("./types.js").Model} model @param {import("./types.js").StudySource} source */
  constructor(model, source) {
    /** @type {Set<() => void>} */
    this.renamed = new Set(); // listeners to names, which follow threads
    this.model = lenient(model, () => this.warn(GONE), this.renamed);
    this.source = source;
    const lang = language(this.model.get("_meta").locale || navigator.language);
    this.t = translator();
    this.ending = new AbortController();
    this.panes = new AbortController();
    this.live = h("p", { class: "nbt-live", role: "status", "aria-live": "polite" });
    this.trouble = h("span");
    this.banner = h("p", { class: "nbt-error", role: "alert", hidden: true }, this.trouble, this.dismiss());
    this.foreign = lang !== "en"; // until its texts are there
    const kind = this.model.get("_kind").replaceAll("_", "-");
    this.root = h(
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
          this.toSearch(event);
        },
      },
      this.banner,
      this.live,
    );
    this.listen("msg:custom", (/** @type {any} */ message) => {
      if (message?.kind === "failure") this.warn(`Error: ${message.text}`);
    });
    // the front end reports a restart; a message that is sent then fails
    this.listen("comm_live_update", () => this.model.send({ kind: "hello" }));
    this.root.classList.add(`nbt-live-${model.get("_view")}`); // hides the picture that the notebook's file has (reopening.py)
    if (this.foreign) this.translate();
    else this.build();
    onChange({ model: this.model, signal: this.ending.signal }, ["_meta"], () => this.build());
  }

  /** Build the panes once the texts in the reader's language are there: what is in English waits for nothing. */
  async translate() {
    const texts = await this.source.texts().catch(() => ({})); // without a kernel, which the panes report
    this.t = translator(texts);
    this.banner.lastElementChild?.setAttribute("aria-label", this.t`dismiss`);
    this.foreign = false;
    if (!this.ending.signal.aborted) this.build();
  }

  /** @param {string} event @param {(...args: any[]) => void} callback */
  listen(event, callback) {
    this.model.on(event, callback);
    this.ending.signal.addEventListener("abort", () => this.model.off(event, callback));
  }

  /** "/" leads to the search from everywhere in the view, but where one writes. @param {KeyboardEvent} event */
  toSearch(event) {
    const box = /** @type {HTMLElement | null} */ (this.root.querySelector("input[type=search]"));
    const writing = /** @type {HTMLElement} */ (event.target).matches("input:not([type=range]), textarea, select");
    if (event.key !== "/" || event.ctrlKey || event.metaKey || event.altKey || writing || !box) return;
    event.preventDefault();
    if (this.model.get("tab") !== undefined) commit(this.model, { tab: "concepts" });
    box.focus();
  }

  dismiss() {
    const onclick = () => {
      this.banner.hidden = true;
    };
    return h("button", { type: "button", class: "nbt-button", text: "×", "aria-label": this.t`dismiss`, onclick });
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

  /** Build the panes from what the study holds now; it may gain layers. */
  build() {
    this.panes.abort();
    if (this.foreign || !("token" in this.model.get("_meta"))) return; // the kernel closes the view
    this.panes = new AbortController();
    const { signal } = this.panes;
    const { token, model } = this.model.get("_meta");
    if (model) this.root.dataset.about = this.t`“${token}” in ${model}`; // of what a saved chart is
    const data = new StudyData(this.model, this.source, signal);
    const ctx = this.context(data, signal);
    ctx.arrive(() => {
      const view = new VIEWS[this.model.get("_kind")](ctx);
      this.root.replaceChildren(this.banner, view.el, this.live);
      setTimeout(() => signal.aborted || this.complete(data), REST);
    });
  }

  /** Fetch what the first paint did without. @param {StudyData} data */
  async complete(data) {
    const came = await data.follow().catch((error) => this.say(String(error)));
    if (came && !data.signal.aborted) for (const f of this.renamed) f();
    this.source.panes().catch(() => {}); // requested again when a pane is selected, and reported then
    const ahead = () => data.ahead().catch(() => {}); // requested again when the layer is selected
    onChange(data, ["layer"], () => setTimeout(ahead, REST));
    data.prefetch().then(ahead);
  }

  /** @param {StudyData} data @param {AbortSignal} signal @returns {import("./types.js").Context} */
  context(data, signal) {
    const { model } = this;
    const { source } = data;
    const here = () => data.has(model.get("layer"));
    return {
      model,
      source,
      signal,
      meta: data.meta,
      t: this.t,
      marks: makeMarks(),
      say: (text) => this.say(text),
      more: (which, then) =>
        data.more(which).then(
          (came) => {
            if (came && !signal.aborted) then?.();
          },
          (error) => this.say(String(error)),
        ),
      every: (then) => {
        data.every().then(
          () => !signal.aborted && then(),
          (error) => this.say(String(error)),
        );
      },
      arrive: (callback) => {
        if (here()) callback();
        else
          data.fetch(model.get("layer")).then(
            () => here() && !signal.aborted && callback(),
            (error) => this.say(String(error)),
          );
      },
    };
  }

  close() {
    this.panes.abort();
    this.ending.abort();
    this.source.close();
    this.root.remove();
  }
}

/** JupyterLab acts on keys that reach it: an arrow would move its active cell. @param {KeyboardEvent} event */
function containKeys(event) {
  if (!(event.ctrlKey || event.metaKey || event.altKey)) event.stopPropagation();
}

/** @returns {import("./types.js").Marks} */
function makeMarks() {
  /** @type {Map<number, string>} */
  let marks = new Map();
  /** @type {(() => void)[]} */
  const listeners = [];
  return {
    get: (concept) => marks.get(concept),
    set: (next) => {
      marks = next;
      for (const f of listeners) f();
    },
    onChange: (callback) => listeners.push(callback),
  };
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
