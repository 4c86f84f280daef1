// @ts-check
/** The exported page of an Inspector: interactive for what was computed. */

import { followAddress } from "../address.js";
import { pageModel } from "../page_model.js";
import { pageTools } from "../page_tools.js";
import { language, translator } from "../words.js";
import { show } from "./host.js";
import { pageSource } from "./source.js";
import * as TOOLS from "./tools.js";

const { state, data } = JSON.parse(document.getElementById("data")?.textContent ?? "{}");
const model = pageModel(state);
const t = translator(language(state._meta.locale || navigator.language) === "en" ? {} : data.texts);
followAddress(model, data.rules);
pageTools(model, t, async () => window.print());
show(
  model,
  /** @type {HTMLElement} */ (document.getElementById("view")),
  pageSource(data, async () => TOOLS),
);
Object.assign(window, { nbtoolkit: model });
