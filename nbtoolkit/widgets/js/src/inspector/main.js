// @ts-check
/** The Inspector as anywidget loads it. No state outside the factory: hosts may cache modules. */

import { show } from "./host.js";
import { kernelSource } from "./source.js";

export default () => ({
  /** @param {{ model: any }} arg */
  initialize: ({ model }) => {
    // JupyterLab holds the models of closed widgets in memory: what is large is released
    model.on("destroy", () => {
      for (const [name, none] of Object.entries({ _esm: "", _css: "", _meta: {} })) {
        model.set(name, none, { silent: true });
      }
    });
  },
  /** @param {{ model: any, el: HTMLElement }} arg */
  render: ({ model, el }) => show(model, el, kernelSource(model)),
});
