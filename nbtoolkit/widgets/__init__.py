"""Views for notebooks and web pages: Explorer, Inspector, LayerSlider, ConceptGallery, ConceptMap, ConceptRiver, SampleAttribution, DictionaryComparison.

A view is a Python file and a JavaScript file of the same name, its ``kind``: here a subclass of
:class:`nbtoolkit.widgets.study_view.StudyView` whose state traits say what a person can set, there a class that draws them.
A new one needs these two files, a line below and a line in ``js/src/views.js``, then ``npm run build`` in ``js``.
"""

from __future__ import annotations

from .concept_gallery import ConceptGallery
from .concept_map import ConceptMap
from .concept_river import ConceptRiver
from .dictionary_comparison import DictionaryComparison
from .explorer import Explorer
from .inspector import Inspector
from .layer_slider import LayerSlider
from .sample_attribution import SampleAttribution

__all__ = [
    "ConceptGallery",
    "ConceptMap",
    "ConceptRiver",
    "DictionaryComparison",
    "Explorer",
    "Inspector",
    "LayerSlider",
    "SampleAttribution",
]
