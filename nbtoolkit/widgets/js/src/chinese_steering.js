// @ts-check
/** Texts of steering and of the list of edits in Chinese; chinese.js has the others. @type {Record<string, string>} */
export const STEERING = {
  Undo: "撤销",
  Redo: "重做",
  "Edits as Python": "编辑的 Python 代码",
  "remove {0} ×": "移除 {0} ×",
  "{0}, layers {1} ({2}{3})": "{0}，层 {1}（{2}{3}）",
  "ablate “{0}”, concept {1}, layer {2}": "消融“{0}”，概念 {1}，第 {2} 层",
  "steer “{0}” {1}, layer {2}": "引导“{0}” {1}，第 {2} 层",
  "log-probability from {0} to {1} nats": "对数概率从 {0} 到 {1} 奈特",
  Before: "之前",
  "Model, before": "模型，之前",
  "Model, after": "模型，之后",
  After: "之后",
  "Control (random, same norm): other words in {0} of {1}, p {2}":
    "对照（随机方向，等范数）：{1} 个中有 {0} 个用词不同，p {2}",
  Intervention: "干预",
  "a word": "一个词",
  "a word…": "一个词……",
  "word to steer by": "用于引导的词",
  "steer by": "引导方向",
  "positions that are steered": "被引导的位置",
  Steer: "引导",
  "select a concept": "请选择一个概念",
  "{0} of its vector": "其向量的 {0} 倍",
  "{0} of its typical coefficient": "其典型系数的 {0} 倍",
  "No edit: move the slider, or ablate a layer.": "没有编辑：移动滑块，或消融一层。",
  "at all positions": "所有位置",
  "at the image": "图像位置",
  "from the word on": "从该词起",
  "This page has stops at −2 and +2 of the strongest concepts of exemplars.":
    "此页面仅含示例图像最强概念在 −2 和 +2 处的结果。",
};
