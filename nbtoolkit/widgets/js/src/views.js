// @ts-check
/** The registry: a view by the name that Python calls its `kind`. A view is a class with an element, `el`. */

import { ConceptGallery } from "./concept_gallery.js";
import { Explorer } from "./explorer.js";
import { lazy } from "./lazy.js";
import { LayerSlider } from "./layer_slider.js";
import { SampleAttribution } from "./sample_attribution.js";

const ConceptMap = lazy("ConceptMap");
const ConceptRiver = lazy("ConceptRiver");
const DictionaryComparison = lazy("DictionaryComparison");

/** @type {Record<string, new (ctx: import("./types.js").Context) => { el: HTMLElement | DocumentFragment, beside?: HTMLElement }>} */
export const VIEWS = {
  concept_gallery: ConceptGallery,
  concept_river: ConceptRiver,
  concept_map: ConceptMap,
  dictionary_comparison: DictionaryComparison,
  explorer: Explorer,
  layer_slider: LayerSlider,
  sample_attribution: SampleAttribution,
};
