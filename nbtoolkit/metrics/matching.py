"""Matching the concepts of two dictionaries, against a null of shuffled concepts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.optimize import linear_sum_assignment

from ..errors import MethodError
from ..types import ConceptDictionary, Score
from ..types.rows import common_samples

Array = np.ndarray
MEASURES = ("cosine", "activation")
N_NULL = 20  # shuffles


def match(a: Array, b: Array) -> tuple[Array, Array]:
    """One-to-one matching of the concepts of two dictionaries with the largest sum of cosines (Hungarian).

    Parameters
    ----------
    a : (n_a, d)
        Concepts, or any vectors that stand for them.
    b : (n_b, d)
        Concepts of the other dictionary.

    Returns
    -------
    partners : (n_a,)
        Index in ``b`` of the partner of each concept of ``a``; -1 without one.
    cosines : (n_a,)
        Cosine with the partner, -1 to 1; NaN without one.

    References
    ----------
    Kuhn, "The Hungarian method for the assignment problem", Naval Research Logistics Quarterly 1955.

    Examples
    --------
    >>> match(np.eye(2), np.array([[0.0, 2.0], [1.0, 0.0]]))[0].tolist()
    [1, 0]
    """
    return _assign(_cosines(a, b))


def matched_cosines(a: Array, b: Array) -> Array:
    """Cosine of each concept with its partner (see :func:`match`).

    Parameters
    ----------
    a : (n_a, d)
        Concepts.
    b : (n_b, d)
        Concepts of the other dictionary.

    Returns
    -------
    (n_a,) array
        -1 to 1; NaN for a concept without a partner.

    Examples
    --------
    >>> matched_cosines(np.eye(2), np.array([[0.0, 2.0], [1.0, 0.0]])).tolist()
    [1.0, 1.0]
    """
    return match(a, b)[1]


def stability(dictionaries: Sequence[Array], *, random_state: Any = 0) -> tuple[Score, Score]:
    """Stability over random states: matched cosines of every pair of runs, and their null.

    Parameters
    ----------
    dictionaries
        U of each run, (n_concepts, d_model).
    random_state
        Seed of the null: an int, a ``numpy.random.Generator``, or None.

    Returns
    -------
    Score, Score
        Matched cosines, -1 to 1; and the same after the entries of each concept of the second run are shuffled, which
        preserves the norm and the values of each concept but not its direction.

    Raises
    ------
    MethodError
        Fewer than two dictionaries.

    Examples
    --------
    >>> U = np.random.default_rng(0).normal(size=(3, 50))
    >>> [round(s.mean) for s in stability([U, U[::-1]])]
    [1, 0]
    """
    if len(dictionaries) < 2:
        raise MethodError(f"The number of dictionaries is {len(dictionaries)}; expected at least 2 runs to compare.")
    rng = np.random.default_rng(random_state)
    pairs = [(a, b) for i, a in enumerate(dictionaries) for b in dictionaries[i + 1 :]]
    values = np.concatenate([matched_cosines(a, b) for a, b in pairs])
    null = np.concatenate([matched_cosines(a, rng.permuted(np.asarray(b), axis=1)) for a, b in pairs])
    return Score(values, "stability"), Score(null, "stability of shuffled concepts")


@dataclass(frozen=True, eq=False)
class Agreement:
    """How well the concepts of two dictionaries match.

    Attributes
    ----------
    measure
        ``"cosine"`` of the concepts, or ``"activation"``: Pearson's correlation over the rows in both dictionaries, paired
        by sample and occurrence.
    similarity : (n_a, n_b)
        -1 to 1, no unit; 0 where a concept is dead.
    partners : (n_a,)
        Best one-to-one matching (Hungarian): the partner of each concept of ``a``; -1 without one.
    values : (n_a,)
        Similarity with the partner; NaN without one.
    null
        The same similarities after one dictionary is shuffled: the entries of its concepts, or its samples.
    """

    measure: str
    similarity: Array
    partners: Array
    values: Array
    null: Score

    @property
    def score(self) -> Score:
        """Similarities of the matched pairs."""
        return Score(self.values, f"{self.measure} of matched concepts")


def compare_dictionaries(
    a: ConceptDictionary, b: ConceptDictionary, *, measure: str = "auto", random_state: Any = 0
) -> Agreement:
    """Match the concepts of two dictionaries: of two layers, methods, models or random states.

    Parameters
    ----------
    a, b
        The two dictionaries.
    measure
        ``"cosine"``, ``"activation"``, or ``"auto"``: cosine for two dictionaries of one layer and model, else activation.
    random_state
        Seed of the null: an int, a ``numpy.random.Generator``, or None.

    Returns
    -------
    Agreement
        The matching, and its null.

    Raises
    ------
    MethodError
        An unknown measure, cosine of concepts of different widths, or activation with fewer than three common samples.

    References
    ----------
    Hungarian matching against a shuffled null, as for stability: Wu et al., "Stability-driven nonnegative matrix
    factorization to interpret spatial gene expression", PNAS 2016.

    Examples
    --------
    >>> a = ConceptDictionary(np.eye(3), np.eye(3), list("xyz"), 1, "SemiNMF")
    >>> compare_dictionaries(a, ConceptDictionary(np.eye(3)[::-1], np.eye(3), list("xyz"), 1, "PCA")).partners.tolist()
    [2, 1, 0]
    """
    if measure not in (*MEASURES, "auto"):
        raise MethodError(f"measure is {measure!r}; expected 'auto', {' or '.join(map(repr, MEASURES))}.")
    width, other_width = a.concepts.shape[1], b.concepts.shape[1]
    same_space = a.layer == b.layer and a.source.model == b.source.model and width == other_width
    if measure == "cosine" or (measure == "auto" and same_space):
        if width != other_width:
            raise MethodError(
                f"The concepts have widths {width} and {other_width}; expected one width. Use measure='activation'."
            )
        measure, vectors, others = "cosine", a.concepts, b.concepts
    else:
        rows_a, rows_b = common_samples(a.row_keys, b.row_keys)
        if len(rows_a) < 3:
            raise MethodError(
                f"The dictionaries have {len(rows_a)} samples in common; expected at least 3 for measure='activation'."
            )
        V, W = a.activations[rows_a], b.activations[rows_b]
        measure, vectors, others = "activation", (V - V.mean(0)).T, (W - W.mean(0)).T
    rng = np.random.default_rng(random_state)
    similarity = _cosines(vectors, others)
    null = [match(vectors, _shuffle(others, measure, rng))[1] for _ in range(N_NULL)]
    return Agreement(measure, similarity, *_assign(similarity), Score(np.concatenate(null), "shuffled"))


def _cosines(a: Array, b: Array) -> Array:
    """Cosine of each row of a (K, d) with each row of b (L, d): (K, L), 0 for a row of zeros."""
    both = (np.asarray(x, np.float64) for x in (a, b))
    U, W = (x / np.maximum(np.linalg.norm(x, axis=1, keepdims=True), 1e-30) for x in both)
    return np.clip(U @ W.T, -1, 1)  # rounding errors above 1 must not decide the matching


def _assign(similarity: Array) -> tuple[Array, Array]:
    """Partners and similarities (K,), (K,) of the best matching of rows with columns, as for :func:`match`."""
    rows, columns = linear_sum_assignment(-similarity)
    partners, values = np.full(len(similarity), -1), np.full(len(similarity), np.nan)
    partners[rows], values[rows] = columns, similarity[rows, columns]
    return partners, values


def _shuffle(vectors: Array, measure: str, rng: np.random.Generator) -> Array:
    """Shuffle the entries of each concept, or the samples of all concepts together."""
    return rng.permuted(vectors, axis=1) if measure == "cosine" else vectors[:, rng.permutation(vectors.shape[1])]
