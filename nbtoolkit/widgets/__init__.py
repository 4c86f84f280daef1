"""Views of a study for notebooks and web pages: Explorer, LayerSlider, ConceptGallery, SampleAttribution."""

from __future__ import annotations

from .views import ConceptGallery, Explorer, LayerSlider, SampleAttribution

__all__ = ["ConceptGallery", "Explorer", "LayerSlider", "SampleAttribution"]
