// @ts-check
/** Attribution below the bars, as a table that adds up: concepts, the other concepts, the remainder, and all together. */

import { format, h, signed } from "./dom.js";

/** @typedef {import("./types.js").Attribution} Attribution */
/** @typedef {import("./types.js").Translator} Translator */
/** @typedef {{ text: string, effects: [number, number, number] }} Sum a row below the concepts */

/** What is attributed. @param {Translator} t @param {Attribution} attribution */
export function target(t, { quantity, foil }) {
  if (quantity === "logit_difference") return foil ? t`Δ logit difference to “${foil}”` : t`Δ logit difference`;
  return quantity === "logit" ? t`Δ logit` : t`Δ log p`;
}

/**
 * Changes of the target without a concept: by ablation, by integrated gradients, and to first order.
 * @param {Attribution} attribution @param {number} concept @returns {[number, number, number]}
 */
export const effectsOf = (attribution, concept) => [
  -attribution.ablation[concept],
  -attribution.integrated_gradients[concept],
  -attribution.gradient[concept],
];

/**
 * What the concepts that are not listed add, the remainder, and all concepts together: with the listed ones they add up.
 * @param {Translator} t @param {Attribution} attribution @param {number[]} listed
 * @returns {Sum[]}
 */
export function sums(t, attribution, listed) {
  const others = attribution.ablation.map((_, k) => k).filter((k) => !listed.includes(k));
  const used = others.map((k) => effectsOf(attribution, k)).filter((effects) => effects.some((x) => x !== 0));
  const sum = (/** @type {number} */ i) => used.reduce((total, effects) => total + effects[i], 0);
  const { ablation, integrated_gradients, gradient } = attribution.remainder;
  const whole = -attribution.leave_all_out;
  const rows = /** @type {Sum[]} */ ([
    { text: t`remainder`, effects: [-ablation, -integrated_gradients, -gradient] },
    { text: t`all concepts ablated`, effects: [whole, whole, whole] },
  ]);
  if (!used.length) return rows;
  return [{ text: t`other concepts (${used.length})`, effects: [sum(0), sum(1), sum(2)] }, ...rows];
}

/**
 * A row of the table; a dash where a value is not defined.
 * @param {Record<string, any>} props @param {(Node | string)[]} name @param {(number | null)[]} values @param {string} [p] the probability
 * @param {number} [digits]
 */
function line(props, name, values, p, digits = 3) {
  const cells = values.map((value) => h("td", { text: value === null ? "–" : signed(value, digits) }));
  if (p !== undefined) cells.splice(1, 0, h("td", { text: p }));
  return h("tr", props, h("th", { scope: "row" }, ...name), ...cells);
}

/** A probability. @param {number} p */
export const chance = (p) => (p > 0 && p < 0.001 ? p.toExponential(0) : format(p, 3));

/**
 * The probability of the token after a change, where that is of its log-probability.
 * @param {Attribution} attribution @param {number} change in nats
 */
export const after = ({ quantity, probability }, change) =>
  quantity === "log_prob" ? chance(Math.min(1, probability * Math.exp(change))) : undefined;

/**
 * The table: a row per concept, then the sums, and how well the measures agree.
 * @param {Translator} t @param {Attribution} attribution
 * @param {{ concept: number, name: string, colour: string }[]} listed @param {string} token
 */
export function table(t, attribution, listed, token) {
  const { unit, ratio, rank_correlation: rank } = attribution;
  const concepts = listed.map(({ concept, name, colour }) => {
    const swatch = h("span", { class: "nbt-swatch", style: { background: colour } });
    const effects = effectsOf(attribution, concept);
    return line({ "data-concept": concept }, [swatch, name], effects, after(attribution, effects[0]));
  });
  const numbers = listed.map(({ concept }) => concept);
  const none = attribution.quantity === "log_prob" ? "" : undefined;
  const last = sums(t, attribution, numbers).map(({ text, effects }, i, all) => {
    const total = i === all.length - 1;
    return line(
      { class: total ? "nbt-total" : "nbt-sum" },
      [text],
      effects,
      total ? after(attribution, effects[0]) : none,
    );
  });
  const agreements = [
    line({}, [t`ratio of the sum`], [ratio.ablation, ratio.integrated_gradients, ratio.gradient], none, 2),
    line({}, [t`rank correlation`], [null, rank.integrated_gradients, rank.gradient], none, 2),
  ];
  const heads = [t`ablation`, t`integrated gradients`, t`gradient × coefficient`];
  if (none !== undefined) heads.splice(1, 0, t`p without it`);
  return h(
    "table",
    { class: "nbt-attribution" },
    h("caption", {
      text: `${t`${target(t, attribution)}, in ${unit}`}; p(${token}) = ${chance(attribution.probability)}`,
    }),
    h("thead", {}, h("tr", {}, h("td"), ...heads.map((text) => h("th", { scope: "col", text })))),
    h("tbody", {}, ...concepts, ...last),
    h("tbody", { class: "nbt-agreements" }, ...agreements),
  );
}

/** Sentences about an attribution. @param {Translator} t @param {Attribution} attribution @param {string} token */
export function sentences(t, { saturated, probability }, token) {
  return [
    saturated
      ? t`The log-probability of “${token}” is saturated (p = ${format(probability, 4)}), so its logit difference to the strongest competitor is attributed.`
      : "",
    t`Attribution: change without the concept. Remainder: what the sum of the concepts does not account for. Ratio: sum over all concepts ablated. Rank correlation: with ablation.`,
  ];
}
