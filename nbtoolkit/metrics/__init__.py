"""Scores: plain functions of arrays, words and callables; ``evaluate`` collects them for one dictionary."""

from ..types import Score
from .dictionaries import active_concepts, hoyer, matched_cosines, specificity, stability
from .evaluation import evaluate
from .faithfulness import Curve, c_deletion, c_insertion
from .fit import explained_variance
from .naming import naming
from .overlap import overlap
from .statistics import Comparison, compare
from .testset import (
    caption_clip_score,
    captions_bert_score,
    of_top_concepts,
    top_words_bert_score,
    top_words_clip_score,
)
from .texts import bert_score
from .vision import clip_score, correspondence, word_list

__all__ = [
    "Comparison",
    "Curve",
    "Score",
    "active_concepts",
    "bert_score",
    "c_deletion",
    "c_insertion",
    "caption_clip_score",
    "captions_bert_score",
    "clip_score",
    "compare",
    "correspondence",
    "evaluate",
    "explained_variance",
    "hoyer",
    "matched_cosines",
    "naming",
    "of_top_concepts",
    "overlap",
    "specificity",
    "stability",
    "top_words_bert_score",
    "top_words_clip_score",
    "word_list",
]
