// @ts-check
/** Panes that come in a script of their own (lazy.js): what is not there at the first paint. */

export { ConceptMap } from "./concept_map.js";
export { DictionaryComparison } from "./dictionary_comparison.js";
