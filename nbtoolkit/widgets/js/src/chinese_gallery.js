// @ts-check
/** Texts of cards, thumbnails, search and attribution in Chinese. */

/** @type {Record<string, string>} */
export const GALLERY = {
  "Caption (given by people)": "描述（由人给出）",
  "near-duplicate of {0}": "与 {0} 近似重复",
  "nearly the same direction, or more than half of its images in common": "方向几乎相同，或超过一半的图像相同",
  "activation {0}": "激活 {0}",
  nowhere: "无处",
  "p without it": "去除后的 p",
  "Search names, words and captions": "搜索名称、词语和描述",
  "in its name": "在名称中",
  "in its words": "在词语中",
  "in a caption": "在描述中",
  "null {0}": "零假设 {0}",
  "n {0}": "n {0}",
  "CLIPScore of the words with the exemplars; null: random words on the same exemplars; n: exemplars":
    "词语与示例的 CLIPScore；零假设：相同示例上的随机词；n：示例数",
  "in {0} of images": "见于 {0} 的图像",
  "Names: the word, or two words, that tell a concept apart from the others of its layer.":
    "名称：使概念区别于同层其他概念的一个或两个词。",
  "each image's largest |score|": "每张图像的最大 |得分|",
  name: "名称",
};
