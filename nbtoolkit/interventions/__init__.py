"""Interventions: ablate, patch and steer the residual stream for as long as a ``with`` block lasts, and their effects."""

from .ablation import ablate
from .effects import Effect, LayerEffects, effect, layer_effects, word_difference
from .knockout import attention_knockout
from .knockout_context import knock_out
from .means import mean_contributions
from .patch_mask import mask_patches
from .patching import activation_patching
from .path_effects import path_effects
from .residual import patch, steer
from .selectivity import Selectivity, causal_selectivity
from .unembedding import unembedding_direction
from .vectors import concept_pair, concept_unit, difference_of_means, typical_coefficient, word_contrast

__all__ = [
    "Effect",
    "LayerEffects",
    "Selectivity",
    "ablate",
    "activation_patching",
    "attention_knockout",
    "causal_selectivity",
    "concept_pair",
    "concept_unit",
    "difference_of_means",
    "effect",
    "knock_out",
    "layer_effects",
    "mask_patches",
    "mean_contributions",
    "patch",
    "path_effects",
    "steer",
    "typical_coefficient",
    "unembedding_direction",
    "word_contrast",
    "word_difference",
]
