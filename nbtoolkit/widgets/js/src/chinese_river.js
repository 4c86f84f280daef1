// @ts-check
/** Texts of the river and of what is matched across layers, in Chinese. */

/** @type {Record<string, string>} */
export const RIVER = {
  River: "河流图",
  "Concept river": "概念河流图",
  "Concepts through the layers": "各层中的概念",
  "“{0}” through the layers": "“{0}”贯穿各层",
  "Point at a strip to see its words and images in every layer.": "指向一条带，查看它在每层的词和图像。",
  "begins here": "从此层开始",
  "ends here": "到此层结束",
  "first layer": "第一层",
  "{0} (null {1})": "{0}（零假设 {1}）",
  "similarity with the layer before, and its null": "与前一层的相似度，及其零假设",
  "layer {0}: {1}": "第 {0} 层：{1}",
  "similarity with the layer before {0}, null {1}": "与前一层的相似度 {0}，零假设 {1}",
  "{0} % of all activation": "占全部激活的 {0} %",
  "{0} threads · {1} links above the null · tapered: begins or ends":
    "{0} 条线索 · {1} 个高于零假设的连接 · 渐尖：开始或结束",
  "“{0}” in {1}: concepts through the layers": "{1} 中的“{0}”：各层的概念",
  "Joined: correlation of the activations above the 95 % quantile of matched random mixtures, per pair. Height: share of activation. Tapered: begins or ends.":
    "相连：激活的相关高于随机混合匹配对的 95 % 分位数（逐对）。高度：激活占比。渐尖：开始或结束。",
  "A column is a layer, a strip a concept, as high as its share; joined strips are one concept that goes on.":
    "每列是一层，每条带是一个概念，高度为其占比；相连的带是延续的同一概念。",
  "no counterpart at layer {0}": "第 {0} 层没有对应概念",
  Compare: "比较",
  "Layer beside the selected one": "与所选层并列的层",
  beside: "对比",
  "Comparison of two layers": "两层的比较",
  "This study has one layer.": "此研究只有一层。",
  "In both layers": "两层皆有",
  "Only at layer {0}": "仅在第 {0} 层",
  "Matched one to one by the correlation of activations over {0} samples; linked above the null, {1} (95 % quantile of matched random mixtures, per pair).":
    "按 {0} 个样本上激活的相关一对一匹配；高于零假设 {1}（随机混合匹配对的 95 % 分位数，逐对）即相连。",
  "layer {0}: {1}; layer {2}: {3}; similarity {4}": "第 {0} 层：{1}；第 {2} 层：{3}；相似度 {4}",
  "This page has only matches of neighbouring layers.": "此页仅含相邻层的匹配。",
};
