"""CLIPScore of word lists against pictures."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..types import Grounding, Score

Embedder = Callable[[Sequence[str]], np.ndarray]

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


def correspondence(
    grounding: Grounding, images: Embedder, texts: Embedder, *, random_state: Any = 0
) -> tuple[Score, Score]:
    """Do a concept's pictures fit its words? CLIPScore of its exemplars with its words, and with as many random ones.

    Parameters
    ----------
    grounding
        Words and exemplars.
    images, texts
        From sample ids, and from texts, to unit embeddings (n, d) of a CLIP judge.
    random_state
        Seed of the random words, drawn from all concepts' words.

    Returns
    -------
    Score, Score
        A value a concept, 0 to 2.5: the mean over its exemplars; NaN for one without words or exemplars.

    References
    ----------
    Parekh et al. 2024, section 4 ("Evaluating concept grounding") and Figure 3.

    Examples
    --------
    >>> g = Grounding([["sun"], ["sea"]], [["a"], ["b"]])
    >>> correspondence(g, lambda ids: np.eye(2)[[ord(i) - 97 for i in ids]], lambda texts: np.eye(2))[0].values.tolist()
    [2.5, 2.5]
    """
    rng = np.random.default_rng(random_state)
    live = [k for k in range(len(grounding.words)) if grounding.words[k] and grounding.exemplars[k]]
    own, random = np.full(len(grounding.words), np.nan), np.full(len(grounding.words), np.nan)
    if live:
        pool = sorted({w for words in grounding.words for w in words})
        chance = [rng.choice(pool, min(len(pool), len(grounding.words[k])), replace=False).tolist() for k in live]
        ids = sorted({i for k in live for i in grounding.exemplars[k]})
        pictures, row = images(ids), {i: r for r, i in enumerate(ids)}
        for values, lists in ((own, [grounding.words[k] for k in live]), (random, chance)):
            said = texts([word_list(words) for words in lists])
            for j, k in enumerate(live):
                values[k] = clip_score(pictures[[row[i] for i in grounding.exemplars[k]]] @ said[j]).mean()
    return Score(own, "clip_score"), Score(random, "clip_score of random words")
