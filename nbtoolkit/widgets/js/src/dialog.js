// @ts-check
/** The full picture in a dialog: what the model said, the rank and the activation of one concept. */

import { format, h } from "./dom.js";
import { conceptName } from "./state.js";

/** @param {import("./types.js").Context} ctx */
export function pictureDialog(ctx) {
  const { model, meta, source, t } = ctx;
  const picture = h("img", { class: "nbt-full", alt: "" });
  const said = h("p", { class: "nbt-full-said" });
  const facts = h("p", { class: "nbt-note" });
  const close = h("button", { type: "button", class: "nbt-button", text: t`Close`, onclick: () => el.close() });
  /** @type {HTMLDialogElement} */
  const el = h("dialog", { class: "nbt-dialog", "aria-label": t`Picture` }, picture, said, facts, close);
  el.addEventListener("click", (event) => { if (event.target === el) el.close(); }); // beside the picture

  /** @param {number} row @param {number | null} concept */
  async function open(row, concept) {
    try {
      const layer = model.get("layer");
      const [{ facts: sample, url }, acts] = await Promise.all([source.sample(row), source.activations(layer)]);
      picture.hidden = !url;
      if (url) picture.src = url;
      picture.alt = sample.caption;
      said.textContent = sample.caption;
      facts.textContent = [sample.id, t`layer ${layer}`, concept === null ? "" : rank(acts, row, concept)].filter(Boolean).join(" · ");
      if (!el.open) el.showModal();
    } catch (error) {
      ctx.say(String(error));
    }
  }

  /** @param {import("./types.js").Activations} acts @param {number} row @param {number} concept */
  function rank(acts, row, concept) {
    const n = acts.values.length / acts.nConcepts;
    const value = Math.abs(acts.values[row * acts.nConcepts + concept]);
    const name = t`concept ${concept}, ${conceptName(meta.concepts[String(model.get("layer"))][concept], concept, meta.token)}`;
    if (!value) return t`${name}: not used here`;
    let above = 0;
    for (let i = 0; i < n; i++) if (Math.abs(acts.values[i * acts.nConcepts + concept]) > value) above++;
    return t`${name}: activation ${format(value)}, number ${above + 1} of ${n} pictures by strength`;
  }
  return { el, open };
}
