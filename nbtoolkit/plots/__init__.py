"""Figures of the paper with matplotlib, from the data that the views show; each function returns a Figure and shows nothing.

Colours are those of Okabe and Ito, which are distinct for all kinds of colour vision.
"""

from .attribution import attribution
from .cards import across_layers, concept_cards, local
from .curves import correspondence, curves
from .heat_maps import saliency_map
from .measurements import measurement
from .river import river

__all__ = [
    "across_layers",
    "attribution",
    "concept_cards",
    "correspondence",
    "curves",
    "local",
    "measurement",
    "river",
    "saliency_map",
]
