"""CLIPScore of word lists against pictures."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

WEIGHT = 2.5  # Hessel et al. 2021


def word_list(words: Sequence[str]) -> str:
    """Write words the way they are scored: separated by commas (Parekh et al. 2024, appendix C.2)."""
    return ", ".join(words)


def clip_score(cosines: np.ndarray) -> np.ndarray:
    """CLIPScore = 2.5 · max(cos, 0), no unit, from cosines of image and text embeddings.

    References
    ----------
    Hessel et al., "CLIPScore", EMNLP 2021, equation 1; Parekh et al. 2024, appendix C.2.

    Examples
    --------
    >>> clip_score(np.array([0.4, -0.1])).tolist()
    [1.0, 0.0]
    """
    return WEIGHT * np.maximum(cosines, 0.0)
