"""Attribution: of a token's log-probability to concepts, of a state to concepts, and of a concept to image patches."""

from ..targets import Targets, mentions
from .concept_maps import patch_scores, saliencies, saliency
from .concepts import contributions
from .local import Interpretation, Part, interpret, interpret_states
from .measures import Contributions

Mentions = Targets  # the name of release 0.1

__all__ = [
    "Contributions",
    "Interpretation",
    "Part",
    "Targets",
    "contributions",
    "interpret",
    "interpret_states",
    "mentions",
    "patch_scores",
    "saliencies",
    "saliency",
]
