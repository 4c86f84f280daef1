"""Interventions: ablate, patch and steer the residual stream for as long as a ``with`` block lasts, and their effects."""

from .effects import Effect, LayerEffects, effect, layer_effects, word_difference
from .knockout import attention_knockout
from .means import mean_contributions
from .patching import activation_patching
from .path_effects import path_effects
from .residual import ablate, patch, steer
from .selectivity import Selectivity, causal_selectivity
from .vectors import concept_pair, difference_of_means

__all__ = [
    "Effect",
    "LayerEffects",
    "Selectivity",
    "ablate",
    "activation_patching",
    "attention_knockout",
    "causal_selectivity",
    "concept_pair",
    "difference_of_means",
    "effect",
    "layer_effects",
    "mean_contributions",
    "patch",
    "path_effects",
    "steer",
    "word_difference",
]
