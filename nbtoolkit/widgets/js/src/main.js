// @ts-check
/** The widget that anywidget loads; one bundle for all views. No state outside the factory: hosts may cache modules. */

import { kernelSource } from "./source.js";
import { show } from "./views.js";

export default () => ({
  /** @param {{ model: any, el: HTMLElement }} arg */
  render: ({ model, el }) => show(model, el, kernelSource(model)),
});
