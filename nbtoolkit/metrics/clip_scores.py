"""CLIPScore of word lists and images."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Annotated, Any

import numpy as np

from ..errors import MethodError
from ..types import Grounding, Score
from ..types.arguments import checked
from ..types.nulls import RANDOM_WORDS, SHUFFLED_WORDS
from ..types.rules import Rule

Array = np.ndarray
Embedder = Callable[[Sequence[str]], Array]  # from sample ids or texts to unit embeddings (n, d)


def embeddings(embed: Embedder, texts: Sequence[str], width: int | None = None) -> Array:
    """Embeddings of texts or samples, as rows.

    Parameters
    ----------
    embed
        From texts, or sample ids, to unit embeddings (n, d).
    texts
        The texts or ids.
    width
        d of the embeddings that they are compared with, where it is known.

    Raises
    ------
    MethodError
        The function gives another number of rows, or rows of another width.
    """
    rows = embed(texts)
    E = rows if isinstance(rows, np.ndarray) else np.asarray(rows)
    if E.ndim != 2 or len(E) != len(texts) or E.dtype.kind not in "fiu" or width not in (None, E.shape[1]):
        raise MethodError(
            f"The embeddings of {len(texts)} texts or samples have shape {E.shape}; expected ({len(texts)}, {width or 'd'}) numbers. "
            "Embed texts and images with one scorer, as nbt.load_scorer gives it."
        )
    return E


_WEIGHT = 2.5  # Hessel et al. 2021, equation 1


@checked
def word_list(words: Sequence[str]) -> str:
    """Words as they are scored: separated by commas.

    Parameters
    ----------
    words
        The words of a concept, best first.

    Returns
    -------
    str
        The text that is embedded.

    References
    ----------
    Parekh et al. 2024, appendix C.2.

    Examples
    --------
    >>> word_list(["sun", "sea"])
    'sun, sea'
    """
    return ", ".join(words)


@checked
def clip_score(cosines: Annotated[Array, Rule(finite=False)]) -> Array:
    """CLIPScore = 2.5 · max(cos, 0), 0 to 2.5, no unit.

    Parameters
    ----------
    cosines : (…)
        Cosines of image and text embeddings, -1 to 1.

    Returns
    -------
    (…) array
        One CLIPScore per cosine; NaN where that is.

    References
    ----------
    Hessel et al., "CLIPScore", EMNLP 2021, equation 1; Parekh et al. 2024, appendix C.2.

    Examples
    --------
    >>> clip_score(np.array([0.4, -0.1])).tolist()
    [1.0, 0.0]
    """
    return _WEIGHT * np.maximum(cosines, 0.0)


@checked
def correspondence(
    grounding: Grounding,
    images: Embedder,
    texts: Embedder,
    *,
    random_words: Sequence[Sequence[str]] | None = None,
    random_state: Any = 0,
) -> tuple[Score, Score]:
    """CLIPScore of each concept's exemplars with its words, and with the same number of random words.

    Parameters
    ----------
    grounding
        Words and exemplars.
    images, texts
        From sample ids, and from texts, to unit embeddings (n, d) of a scorer.
    random_words
        Random words of each concept, drawn from the whole vocabulary by the paper's rule R_k:
        ``nbt.baselines.random_words(model, grounding, …).words``. Without them they are drawn from the words of this
        dictionary, which is a stricter null where concepts are few or share words; its name and ``preserves`` say so.
    random_state
        Seed of words that are drawn from the dictionary: an int, a ``numpy.random.Generator``, or None.

    Returns
    -------
    Score, Score
        One value per concept, 0 to 2.5, no unit: the mean over its exemplars; NaN without words or exemplars.

    Raises
    ------
    MethodError
        Random words for another number of concepts.

    References
    ----------
    Parekh et al., "A Concept-Based Explainability Framework for Large Multimodal Models", NeurIPS 2024, section 4
    ("Evaluating concept grounding") and Figure 3.

    Examples
    --------
    >>> g = Grounding([["sun"], ["sea"]], [["a"], ["b"]])
    >>> correspondence(g, lambda ids: np.eye(2)[[ord(i) - 97 for i in ids]], lambda texts: np.eye(2))[0].values.tolist()
    [2.5, 2.5]
    """
    if random_words is not None and len(random_words) != len(grounding.words):
        raise MethodError(
            f"random_words has {len(random_words)} lists; expected {len(grounding.words)}, one per concept."
        )
    rng = np.random.default_rng(random_state)
    concepts = [k for k in range(len(grounding.words)) if grounding.words[k] and grounding.exemplars[k]]
    own, random = np.full(len(grounding.words), np.nan), np.full(len(grounding.words), np.nan)
    if concepts:
        own_words = [grounding.words[k] for k in concepts]
        others = _random_lists(own_words, random_words, concepts, rng)
        ids = sorted({i for k in concepts for i in grounding.exemplars[k]})
        image_embeddings, row = embeddings(images, ids), {i: r for r, i in enumerate(ids)}
        for values, lists in ((own, own_words), (random, others)):
            text_embeddings = embeddings(texts, [word_list(words) for words in lists], image_embeddings.shape[1])
            for j, k in enumerate(concepts):
                if not lists[j]:
                    continue
                exemplars = image_embeddings[[row[i] for i in grounding.exemplars[k]]]
                values[k] = clip_score(exemplars @ text_embeddings[j]).mean()
    null = SHUFFLED_WORDS if random_words is None else RANDOM_WORDS
    return Score(own, "clip_score"), Score(random, f"clip_score of {null.name}", null.preserves)


def _random_lists(
    own: Sequence[Sequence[str]],
    random_words: Sequence[Sequence[str]] | None,
    concepts: Sequence[int],
    rng: np.random.Generator,
) -> list[list[str]]:
    """As many random words as each of the concepts with words has."""
    if random_words is not None:
        return [list(random_words[k])[: len(words)] for k, words in zip(concepts, own, strict=True)]
    pool = sorted({word for words in own for word in words})
    return [rng.choice(pool, min(len(pool), len(words)), replace=False).tolist() for words in own]
