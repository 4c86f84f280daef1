"""What the page of a concept shows beside its activations: its words and the most negative ones, with logits."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..storage.study import Study

NO_LOGITS = "This study has no logits: it is of an earlier version. Make it again for them."


def reply(study: Study, layer: int, concept: int) -> dict[str, Any]:
    """The page of one concept.

    Parameters
    ----------
    study
        The study.
    layer, concept
        One of its layers, and a row of the dictionary.
    """
    study.dictionary(layer).concept(concept)  # refused where there is none
    return words(study, layer, [concept])


def words(study: Study, layer: int, numbers: Sequence[int]) -> dict[str, Any]:
    """Words of concepts with their logits, and the words of the most negative logits.

    Parameters
    ----------
    study
        The study.
    layer
        One of its layers.
    numbers
        Rows of the concepts.

    Returns
    -------
    dict
        Number of a concept to ``words`` and ``negative``, lists of a word and its logit; ``reason`` where the study has no
        logits, which are then null.
    """
    g = study.grounding(layer)
    pages: dict[str, Any] = {} if g.logits else {"reason": NO_LOGITS}
    for k in numbers:
        logits = [round(v, 2) for v in g.logits[k]] if g.logits else [None] * len(g.words[k])
        negative = g.negative[k] if g.negative else []
        lowest = [round(v, 2) for v in g.negative_logits[k]] if g.negative_logits else [None] * len(negative)
        least = list(map(list, zip(negative, lowest, strict=True)))
        pages[str(k)] = {"words": list(map(list, zip(g.words[k], logits, strict=True))), "negative": least}
    return pages
