// @ts-check
/** The widget that anywidget loads; one bundle for all views. No state outside the factory: hosts may cache modules. */

import { kernelSource } from "./source.js";
import { show } from "./views.js";

export default () => ({
  /** @param {{ model: any }} arg */
  initialize: ({ model }) => { // JupyterLab keeps the models of closed widgets: what weighs is let go of
    model.on("destroy", () => { for (const [name, none] of [["_esm", ""], ["_css", ""], ["_meta", {}]]) model.set(name, none, { silent: true }); });
  },
  /** @param {{ model: any, el: HTMLElement }} arg */
  render: ({ model, el }) => show(model, el, kernelSource(model)),
});
