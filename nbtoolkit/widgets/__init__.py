"""Views of a study for notebooks and web pages: Explorer, LayerSlider, ConceptGallery, SampleAttribution, DictionaryComparison."""

from __future__ import annotations

from .concept_gallery import ConceptGallery
from .dictionary_comparison import DictionaryComparison
from .explorer import Explorer
from .layer_slider import LayerSlider
from .sample_attribution import SampleAttribution

__all__ = ["ConceptGallery", "DictionaryComparison", "Explorer", "LayerSlider", "SampleAttribution"]
