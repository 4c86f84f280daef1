"""Attribution: of a token's log-probability to concepts, of a state to concepts, and of a concept to image patches."""

from ..targets import Targets, mentions
from .attention import attention_to_image
from .concept_maps import patch_scores, saliencies, saliency
from .concepts import contributions
from .gradients import gradient_x_input
from .integrated import integrated_gradients
from .local import Interpretation, Part, interpret, interpret_states
from .measures import Contributions
from .occlusion import occlusion

Mentions = Targets  # the name of release 0.1

__all__ = [
    "Contributions",
    "Interpretation",
    "Part",
    "Targets",
    "attention_to_image",
    "contributions",
    "gradient_x_input",
    "integrated_gradients",
    "interpret",
    "interpret_states",
    "mentions",
    "occlusion",
    "patch_scores",
    "saliencies",
    "saliency",
]
