// @ts-check
/** Titles of the instruments, what they do, and their nulls in Chinese: Python sends them. @type {Record<string, string>} */
export const INSTRUMENTS = {
  "Logit lens": "logit 透镜",
  "What the states of every layer and position read as: log-probability of the word, and the most probable ones.":
    "每层每个位置的状态读作什么：该词的对数概率，以及最可能的词。",
  "Attention to the image": "对图像的注意力",
  "How much every head, where it predicts the word, reads from each patch.": "每个头在预测该词处从各图块读取多少。",
  Occlusion: "遮挡",
  "Change of the word when one patch is replaced by the mean patch; positive values support the word.":
    "将一个图块换成平均图块时该词的变化；正值支持该词。",
  "Integrated gradients": "积分梯度",
  "Attribution to every patch along a path from a baseline without content; the scores sum to the change.":
    "沿从无内容基线出发的路径归因到每个图块；得分之和等于总变化。",
  "Concept map": "概念图",
  "Where in the image a concept of the study lies.": "研究中的概念位于图像何处。",
  "Direct logit attribution": "直接 logit 归因",
  "What every head, attention and MLP adds to the word's logit, directly.":
    "每个头、注意力和 MLP 直接加到该词 logit 上的量。",
  Neurons: "神经元",
  "What the strongest neurons add to the word's logit, directly, and the words that each promotes.":
    "最强的神经元直接加到该词 logit 上的量，以及各自促进的词。",
  "What every concept of a layer contributes to the word.": "一层中每个概念对该词的贡献。",
  "Activation patching": "激活修补",
  "How much of the word comes back when states of this image are put into the pass of another.":
    "将此图像的状态放入另一图像的前向过程时，该词恢复多少。",
  "Attention knockout": "注意力敲除",
  "Change of the word when one head, where it predicts the word, cannot read the image.":
    "一个头在预测该词处无法读取图像时该词的变化。",
  "Writers of a concept": "概念的写入者",
  "What every head adds along the concept's direction where the word is predicted.":
    "在预测该词处，每个头沿概念方向增加的量。",
  Faithfulness: "忠实度",
  "Deletion and insertion: does the word change first where the map says that it comes from?":
    "删除与插入：该词是否首先在图所指的来源处发生变化？",
  "placebo image: preserves the model, the question, the response and the positions; the image is an unrelated one":
    "安慰剂图像：保留模型、问题、回答和位置；图像是无关的",
  "image without content: preserves the model, the question, the response, and the size of the image: its negative mixed with noise":
    "无内容图像：保留模型、问题、回答和图像大小；为其负片与噪声的混合",
  "random sub-tokens: preserves the parts, the frozen norms and the kind of the quantity; the words are random":
    "随机子词元：保留各部分、冻结的归一化和量的种类；词是随机的",
  "other sources: preserves the number of sources that are cut, the targets and the layers; the sources are others":
    "其他来源：保留被切断来源的数量、目标和层；来源不同",
  "random order: preserves the patches, their number at every step and the baseline; their order is random":
    "随机顺序：保留图块、每步的数量和基线；顺序是随机的",
  "Select a word, patches, a layer or a head: all maps, grids and bars show one selection; an edit, the response before and after.":
    "选择一个词、图块、层或头：所有图、网格和条形显示同一选择；编辑则显示前后的回答。",
};
