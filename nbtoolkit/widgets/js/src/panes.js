// @ts-check
/** Panes that come in a script of their own (lazy.js): what is not there at the first paint. */

export { Compare } from "./compare.js";
export { ConceptMap } from "./concept_map.js";
export { ConceptPage } from "./concept_page.js";
export { ConceptRiver } from "./concept_river.js";
export { DictionaryComparison } from "./dictionary_comparison.js";
export { Intervene } from "./intervene.js";
export { Picture } from "./picture.js";
export { River } from "./river.js";
