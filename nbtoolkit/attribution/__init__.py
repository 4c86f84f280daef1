"""Attribution: of a word to image patches, tokens, layers, heads, neurons and concepts, and of concepts to image patches."""

from ..targets import Targets, mentions
from .attention import attention_to_image
from .concept_maps import patch_scores, saliencies, saliency
from .concepts import contributions
from .gradients import gradient_x_input
from .integrated import integrated_gradients
from .local import Interpretation, Part, interpret, interpret_states
from .logits import direct_logit_attribution
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
    "direct_logit_attribution",
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
