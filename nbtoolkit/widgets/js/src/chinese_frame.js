// @ts-check
/** Texts of the Explorer's frame in Chinese. */

/** @type {Record<string, string>} */
export const FRAME = {
  Intervene: "干预",
  Inspect: "检查",
  Inspector: "检查器",
  "Close the Inspector": "关闭检查器",
  "Why does the model say this word about this image? Opens the Inspector below.":
    "模型为什么对这张图像说出这个词？在下方打开检查器。",
  "This page cannot open a second view. Run in a cell:": "此页面无法打开第二个视图。请在单元格中运行：",
  More: "更多",
  Less: "收起",
  "Whole text": "全文",
  "Scores per layer": "各层得分",
};
