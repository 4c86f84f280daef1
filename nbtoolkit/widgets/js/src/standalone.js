// @ts-check
/** The exported page: the same views on a model that lives in the page. */

import { followAddress } from "./address.js";
import { show } from "./host.js";
import { storeLabels } from "./labels_file.js";
import { pageModel } from "./page_model.js";
import { pageSource } from "./page_source.js";
import { pageTools } from "./page_tools.js";
import { sheet } from "./sheet.js";
import { StudyData } from "./study.js";
import { language, translator } from "./words.js";

const { state, data } = JSON.parse(document.getElementById("data")?.textContent ?? "{}");
const model = pageModel(state);
const source = pageSource(data);
const t = translator(language(state._meta.locale || navigator.language) === "en" ? {} : data.texts);

let printing = false; // by the button: the sheet is there

/** Make the sheet that is printed in place of the view, of its present state. */
function makeSheet() {
  document.querySelector(".nbt-sheet")?.remove();
  if (!state._meta.metrics) return []; // a comparison is printed as it is
  const ending = new AbortController();
  const { meta, signal } = new StudyData(model, source, ending.signal);
  const made = sheet(/** @type {any} */ ({ model, meta, t, source, signal }), source.url, data.date);
  ending.abort(); // the sheet stays as it is
  document.body.append(made);
  return [...made.querySelectorAll("img")];
}

async function print() {
  await Promise.all(makeSheet().map((image) => image.decode().catch(() => {})));
  printing = true;
  window.print();
  printing = false;
}

if (state.labels) storeLabels(model, data.key);
for (const rule of Object.values(data.rules)) {
  if (rule.kind === "id") Object.assign(rule, { kind: "choice", values: state._meta.ids });
}
followAddress(model, data.rules);
pageTools(model, t, print, data.lacks);
addEventListener("beforeprint", () => printing || makeSheet()); // from the browser's menu
show(model, /** @type {HTMLElement} */ (document.getElementById("view")), source);
Object.assign(window, { nbtoolkit: model });
