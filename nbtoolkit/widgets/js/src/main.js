// @ts-check
/** The widget that anywidget loads; one bundle for all views. No state outside the factory: hosts may cache modules. */

import { show } from "./host.js";
import { kernelSource } from "./source.js";

const LARGE = { _esm: "", _css: "", _meta: {} };

export default () => ({
  /** @param {{ model: any }} arg */
  initialize: ({ model }) => {
    // JupyterLab holds the models of closed widgets in memory: what is large is released
    model.on("destroy", () => {
      for (const [name, none] of Object.entries(LARGE)) model.set(name, none, { silent: true });
    });
  },
  /** @param {{ model: any, el: HTMLElement }} arg */
  render: ({ model, el }) => show(model, el, kernelSource(model)),
});
