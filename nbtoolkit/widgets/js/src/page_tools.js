// @ts-check
/** What an exported page has around its view: its title in the reader's language, its address, names as a file, print. */

import { flash, h } from "./dom.js";
import { loadLabels, saveLabels } from "./labels_file.js";
import { language, translate, visible } from "./words.js";

/**
 * Put a text into the clipboard, and say so on the button; where that is forbidden, show it to be copied by hand.
 * @param {string} text @param {HTMLElement} button @param {import("./types.js").Translator} t
 */
async function copy(text, button, t) {
  try {
    await navigator.clipboard.writeText(text);
    flash(button, t`Copied`);
  } catch {
    const line = h("input", { class: "nbt-search", readonly: true, value: text, "aria-label": button.textContent });
    button.after(line);
    line.addEventListener("blur", () => line.remove());
    line.focus();
    line.select();
  }
}

/**
 * @param {import("./types.js").Model} model @param {import("./types.js").Translator} t @param {() => Promise<void>} print
 * @param {[number, number, number] | null} [lacks] images in the page, in the study, and the longest side of exemplars, in pixels
 */
export function pageTools(model, t, print, lacks) {
  const { locale, token, model: name } = model.get("_meta");
  const head = /** @type {HTMLElement} */ (document.querySelector(".nbt-page-head"));
  if (language(locale || navigator.language) !== "en") {
    head.lang = "zh-Hans";
    const [title, about] = [...head.children];
    if (name) title.textContent = document.title = visible(t`“${token}” in ${name}`);
    about.textContent = translate(t, about.textContent ?? "");
  }
  const button = (/** @type {string} */ text, /** @type {() => void} */ onclick) =>
    h("button", { type: "button", class: "nbt-button", text, onclick });
  const address = button(t`Copy address`, () => copy(location.href, address, t));
  const load = button(t`Load names`, async () => {
    if (!(await loadLabels(model))) note.textContent = t`This file holds no names of concepts.`;
  });
  const note = h("span", { role: "status" });
  const names = model.get("labels")
    ? [button(t`Save names`, () => saveLabels(model, `${token} names.json`)), load]
    : [];
  const tools = h("div", { class: "nbt-toolbar nbt-page-tools" }, address, button(t`Print`, print), ...names, note);
  head.append(h("div", { class: "nbt" }, tools));
  if (!lacks) return;
  const [n, all, side] = lacks;
  const small = side ? t`Exemplars have at most ${side} pixels a side.` : "";
  head.append(h("p", { text: `${t`This page has ${n} of ${all} images.`} ${small}` }));
}
