"""Views of a study for notebooks and web pages: Explorer, LayerSlider, ConceptGallery, SampleAttribution, DictionaryComparison."""

from __future__ import annotations

from .comparison import DictionaryComparison
from .views import ConceptGallery, Explorer, LayerSlider, SampleAttribution

__all__ = ["ConceptGallery", "DictionaryComparison", "Explorer", "LayerSlider", "SampleAttribution"]
