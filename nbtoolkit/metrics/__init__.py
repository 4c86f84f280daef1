"""Scores: plain functions of arrays, words and callables; ``evaluate`` collects them for one dictionary."""

from .evaluation import evaluate
from .fit import explained_variance
from .naming import naming
from .overlap import overlap
from .vision import clip_score, word_list

__all__ = ["clip_score", "evaluate", "explained_variance", "naming", "overlap", "word_list"]
