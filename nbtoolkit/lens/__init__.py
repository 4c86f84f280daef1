"""Lenses: what the states of every layer and position read as, in the vocabulary or among contextual states."""

from .._names import lazy_names

__all__, __getattr__, __dir__ = lazy_names(
    __name__,
    {"logits": ["logit_lens"], "tuned": ["TunedLens"], "contexts": ["contextual"], "banks": ["ContextualBank"]},
)
