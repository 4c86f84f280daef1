// @ts-check
/** Texts of the Explorer's frame in Chinese. */

/** @type {Record<string, string>} */
export const FRAME = {
  Intervene: "干预",
  More: "更多",
  Less: "收起",
  "Whole text": "全文",
  "Scores per layer": "各层得分",
};
