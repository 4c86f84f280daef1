// @ts-check
/** Guided steps: what is said, and how far the reader is. A kernel looks at what is reached; in a page without one, this does. */

import { commit, h, onChange } from "./dom.js";

/** Whether every trait has the value that is asked for, or one of a list. @param {Record<string, any>} check @param {(name: string) => any} get */
export const holds = (check, get) => Object.keys(check).length > 0 && Object.entries(check).every(([name, wanted]) =>
  Array.isArray(wanted) && !Array.isArray(get(name)) ? wanted.includes(get(name)) : JSON.stringify(get(name)) === JSON.stringify(wanted));

/** @param {import("./types.js").Context} ctx */
export function guidePane(ctx) {
  const { model, source, signal, t } = ctx;
  const steps = model.get("steps");
  const where = h("strong"), text = h("span", { role: "status" });
  const next = h("button", { type: "button", class: "nbt-button", onclick: () => go(model.get("step") + 1) });
  const again = h("button", { type: "button", class: "nbt-button", text: t`Start again`, onclick: () => go(0) });
  const bar = h("progress", { max: steps.length, "aria-label": t`steps done` });
  const el = h("section", { class: "nbt-guide", "aria-label": t`Lesson` }, where, text, next, again, bar);

  function paint() {
    const at = model.get("step"), step = steps[at];
    where.textContent = step ? t`Step ${at + 1} of ${steps.length}` : t`All ${steps.length} steps done`;
    text.textContent = step ? step.say : "";
    next.textContent = at === steps.length - 1 ? t`Done` : t`Next`;
    next.hidden = !step || Object.keys(step.check).length > 0;
    again.hidden = Boolean(step);
    bar.value = at;
  }

  /** @param {number} to */
  function go(to) {
    commit(model, { step: to, ...(source.alone ? steps[to]?.set : {}) });
  }

  const now = { model, signal }; // whether what the layer says is there or not
  onChange(now, ["step"], paint);
  if (source.alone) {
    onChange(now, ["layer", "concept", "sample", "metric", "labels", "pinned"], () => {
      const step = steps[model.get("step")];
      if (step && holds(step.check, (n) => model.get(n))) go(model.get("step") + 1);
    });
  }
  paint();
  return el;
}
