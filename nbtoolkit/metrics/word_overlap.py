"""Overlap of the words of a dictionary's concepts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np

from ..types import Score
from ..types.arguments import checked


@checked
def overlap(words: Sequence[Sequence[str]]) -> Score:
    """Overlap of each concept's words with those of the others: 1/(K−1) Σ_{l≠k} |T_l ∩ T_k| / |T_k|.

    Parameters
    ----------
    words
        The words of each of the K concepts.

    Returns
    -------
    Score
        One value per concept, 0 to 1, no unit, lower is better; NaN for a concept without words, which shares none
        because it has none. The mean is the overlap of the dictionary: NaN where no concept has words.

    References
    ----------
    Parekh et al. 2024, section 4 and Table 2.

    Examples
    --------
    >>> overlap([["sun", "day"], ["sun", "sea"]]).values.tolist()
    [0.5, 0.5]
    """
    sets = [set(w) for w in words]
    count = Counter(word for t in sets for word in t)  # concepts that have the word
    shared = [sum(count[word] - 1 for word in t) / len(t) if t else np.nan for t in sets]
    return Score(np.array(shared) / max(1, len(sets) - 1), "overlap")
