"""Metrics: scores as plain functions of arrays, words and callables; ``evaluate`` collects those of one dictionary."""

from __future__ import annotations

import importlib
from typing import Any

from ..types import Score as Score

# Adding a metric: its function in a file of this folder, its line here, and a test. Files are named differently from
# their functions: a file that is imported would hide a function of the same name.
_SUBMODULES = {
    "Agreement": "matching",
    "Comparison": "statistics",
    "Curve": "deletion",
    "LayerMatch": "layer_matching",
    "Shift": "shift",
    "Stability": "runs",
    "Threads": "across_layers",
    "active_concepts": "sparsity",
    "bert_score": "bert_scores",
    "c_deletion": "deletion",
    "c_insertion": "deletion",
    "caption_clip_score": "heldout",
    "captions_bert_score": "heldout",
    "clip_score": "clip_scores",
    "compare": "statistics",
    "compare_dictionaries": "matching",
    "concept_shift": "shift",
    "constant_clip_score": "heldout",
    "correspondence": "clip_scores",
    "dictionary_interval": "statistics",
    "evaluate": "evaluation",
    "exceedance": "nulls",
    "exchanged": "nulls",
    "explained_variance": "reconstruction",
    "faithfulness": "faithful_maps",
    "gaussian_surrogate": "nulls",
    "holm": "statistics",
    "hoyer": "sparsity",
    "match": "matching",
    "match_layers": "layer_matching",
    "matched_cosines": "matching",
    "naming": "known_factors",
    "of_top_concepts": "heldout",
    "on_common_samples": "statistics",
    "overlap": "word_overlap",
    "random_order": "nulls",
    "random_rows": "nulls",
    "randomization_check": "randomized_weights",
    "rotated": "nulls",
    "specificity": "known_factors",
    "stability": "runs",
    "t_overlap": "shift",
    "threads": "across_layers",
    "top_words_bert_score": "heldout",
    "top_words_clip_score": "heldout",
    "word_list": "clip_scores",
}

__all__ = sorted(["Score", *_SUBMODULES])


def __getattr__(name: str) -> Any:
    if name not in _SUBMODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}; it has {', '.join(__all__)}")
    value = getattr(importlib.import_module(f".{_SUBMODULES[name]}", __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
