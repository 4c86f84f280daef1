// @ts-check
/** The host of a view of a study; panes are rebuilt when the study changes. */

import { commit, onChange } from "./dom.js";
import { Frame, place } from "./frame.js";
import { StudyData } from "./study.js";
import { VIEWS } from "./views.js";

const REST = 200; // milliseconds that the first paint has for itself

/**
 * Show the view that `_kind` names.
 * @param {import("./types.js").Model} model @param {HTMLElement} el @param {import("./types.js").StudySource} source
 * @returns {() => void} a function that cleans up
 */
export const show = (model, el, source) => place(el, new Host(model, source));

class Host extends Frame {
  /** @param {import("./types.js").Model} model @param {import("./types.js").StudySource} source */
  constructor(model, source) {
    /** @type {Set<() => void>} */
    const renamed = new Set();
    super(model, source, renamed);
    this.renamed = renamed; // listeners to names, which follow threads
    this.source = source;
    this.start();
  }

  /** "/" leads to the search from everywhere in the view, but where one writes. @param {KeyboardEvent} event */
  onKey(event) {
    const box = /** @type {HTMLElement | null} */ (this.root.querySelector("input[type=search]"));
    const writing = /** @type {HTMLElement} */ (event.target).matches("input:not([type=range]), textarea, select");
    if (event.key !== "/" || event.ctrlKey || event.metaKey || event.altKey || writing || !box) return;
    event.preventDefault();
    if (this.model.get("tab") !== undefined) commit(this.model, { tab: "concepts" });
    box.focus();
  }

  /** Build the panes from what the study holds now; it may gain layers. */
  build() {
    const signal = this.renew();
    if (!signal) return;
    const data = new StudyData(this.model, this.source, signal);
    const ctx = this.context(data, signal);
    ctx.arrive(() => {
      const view = new VIEWS[this.model.get("_kind")](ctx);
      this.fill(/** @type {Node} */ (view.el));
      if (view.beside) this.root.after(view.beside);
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
