"""The paper's figures with matplotlib, from the same data that the views show; each gives the Figure and shows nothing.

Colours are those of Okabe and Ito, which people with any colour vision tell apart.
"""

from .cards import across_layers, concept_cards, local, saliency_map
from .curves import correspondence, curves

__all__ = ["across_layers", "concept_cards", "correspondence", "curves", "local", "saliency_map"]
