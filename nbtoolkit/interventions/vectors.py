"""Steering vectors: differences of means, concepts at their typical strength, and differences of concepts."""

from __future__ import annotations

import numpy as np

from ..errors import MethodError
from ..text.words import contains
from ..types import ConceptDictionary, Representations
from ..types.arguments import checked

Array = np.ndarray
FEWEST = 2  # responses with a word, and without it


@checked
def difference_of_means(source: Representations, target: Representations, *, layer: int = -1) -> Array:
    """Coarse steering vector, mean(target) − mean(source): (d_model,).

    Parameters
    ----------
    source, target
        Representations of the two behaviours.
    layer
        The layer; negative indices count from the last.

    References
    ----------
    Khayatan et al., "Analyzing Finetuning Representation Shift for Multimodal LLMs Steering", ICCV 2025 (arXiv
    2501.03012), section 4.

    Examples
    --------
    >>> a, b = (Representations(np.full((2, 1, 3), c), "xy", [""] * 2, [0] * 2) for c in (1.0, 4.0))
    >>> difference_of_means(a, b, layer=0).tolist()
    [3.0, 3.0, 3.0]
    """
    return target.layer(layer).mean(0, dtype=np.float64) - source.layer(layer).mean(0, dtype=np.float64)


@checked
def concept_pair(cd: ConceptDictionary, i: int, j: int) -> Array:
    """Fine steering vector from concept i to concept j, u_j − u_i: (d_model,). The authors' code has the opposite sign.

    Parameters
    ----------
    cd
        The dictionary.
    i, j
        Rows of the concepts.

    Raises
    ------
    MethodError
        The dictionary has no decoder, or no such concept.

    References
    ----------
    Khayatan et al., arXiv 2501.03012, section 4.

    Examples
    --------
    >>> concept_pair(ConceptDictionary(np.eye(2), np.eye(2), ["a", "b"], 1, "KMeans"), 0, 1).tolist()
    [-1.0, 1.0]
    """
    cd.require_decoder("a steering vector between concepts")
    return cd.concept(j).astype(np.float64) - cd.concept(i)


@checked
def concept_unit(cd: ConceptDictionary, k: int) -> Array:
    """A concept at its typical strength, (d_model,): the unit in which the Explorer steers a concept.

    The typical coefficient is the mean of the positive coefficients of the concept over the samples of the dictionary; of a
    concept without a positive one, the mean of their absolute values. Added with scale 1, a state gains as much of the concept
    as a sample that uses it has on average; with scale -1 such a sample loses it.

    Parameters
    ----------
    cd
        The dictionary.
    k
        Row of the concept.

    Raises
    ------
    MethodError
        The dictionary has no decoder, there is no such concept, or no sample uses it.

    References
    ----------
    Steering in multiples of a feature's activation: Templeton et al., "Scaling monosemanticity", Transformer Circuits 2024.

    Examples
    --------
    >>> concept_unit(ConceptDictionary(np.eye(2), np.array([[4.0, 0], [2, 1], [0, 0]]), ["a", "b", "c"], 1, "SemiNMF"), 0).tolist()
    [3.0, 0.0]
    """
    cd.require_decoder("steering a concept")
    return typical_coefficient(cd, k) * cd.concept(k).astype(np.float64)


@checked
def typical_coefficient(cd: ConceptDictionary, k: int) -> float:
    """Mean coefficient of a concept over the samples that use it, no unit; see :func:`concept_unit`.

    Parameters
    ----------
    cd
        The dictionary.
    k
        Row of the concept.

    Raises
    ------
    MethodError
        There is no such concept, or no sample uses it.

    Examples
    --------
    >>> typical_coefficient(ConceptDictionary(np.eye(2), np.array([[4.0, 0], [2, 1]]), ["a", "b"], 1, "SemiNMF"), 0)
    3.0
    """
    cd.concept(k)
    own = cd.coefficients[:, k].astype(np.float64)
    own = own[np.isfinite(own)]
    used = own[own > 0] if (own > 0).any() else np.abs(own[own != 0])
    if not len(used) or not np.abs(cd.concept(k)).any():
        raise MethodError(
            f"No sample uses concept {k} of layer {cd.layer}; expected one with a coefficient to steer by."
        )
    return float(used.mean())


@checked
def word_contrast(reps: Representations, word: str, *, layer: int = -1) -> Array:
    """Mean state of the samples whose response contains a word, less that of the others, (d_model,).

    Parameters
    ----------
    reps
        The representations.
    word
        The word.
    layer
        The layer; negative indices count from the last.

    Raises
    ------
    MethodError
        Fewer than two responses contain the word, or lack it.

    References
    ----------
    Difference of means as a steering vector: Khayatan et al., arXiv 2501.03012, section 4; among the strongest baselines in Wu
    et al., "AxBench", ICML 2025.

    Examples
    --------
    >>> reps = Representations(np.arange(8.0).reshape(4, 1, 2), "abcd", ["in snow", "in sun", "snow", "sun"], [0] * 4)
    >>> word_contrast(reps, "snow", layer=0).tolist()
    [-2.0, -2.0]
    """
    has = np.array([contains(word, text) for text in reps.captions], bool)
    n = int(has.sum())
    if min(n, len(has) - n) < FEWEST:
        raise MethodError(
            f"{word!r} is in {n} of {len(has)} responses; expected at least {FEWEST} with it and {FEWEST} without it."
        )
    states = reps.layer(layer)
    return np.asarray(states[has].mean(0, dtype=np.float64) - states[~has].mean(0, dtype=np.float64))
