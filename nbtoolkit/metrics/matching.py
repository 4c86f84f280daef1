"""Matching the concepts of two dictionaries, against concepts of the same mean and covariance, and against random rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np
from scipy.optimize import linear_sum_assignment

from ..errors import MethodError
from ..types import ConceptDictionary, Score
from ..types.arguments import checked
from ..types.nulls import RANDOM_ACTIVATIONS, RANDOM_MIXTURES, RANDOM_ROWS
from ..types.rows import common_samples
from ..types.rules import Rule
from .nulls import exceedance, exchanged, less_mean, n_draws, null_score, random_rows, rotated

Array = np.ndarray
MEASURES = ("cosine", "activation")


@checked
def match(a: Annotated[Array, Rule("n_a d")], b: Annotated[Array, Rule("n_b d")]) -> tuple[Array, Array]:
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
    return assign(similarities(a, b))


@checked
def matched_cosines(a: Annotated[Array, Rule("n_a d")], b: Annotated[Array, Rule("n_b d")]) -> Array:
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
        Mean similarity of the matched pairs, per draw of random mixtures of the concepts of ``b``.
    centred : (n_a,)
        Similarity with the best partner after the mean over the concepts is subtracted in both dictionaries, which a
        common offset cannot raise.
    centred_null
        Its null, by the same draws.
    floor
        Mean similarity of ``a`` with random rows of the states of ``b`` as concepts, per draw; None without states.
    """

    measure: str
    similarity: Array
    partners: Array
    values: Array
    null: Score
    centred: Array
    centred_null: Score
    floor: Score | None = None

    @property
    def score(self) -> Score:
        """Similarities of the matched pairs."""
        return Score(self.values, f"{self.measure} of matched concepts")

    @property
    def centred_score(self) -> Score:
        """Centred similarities of the matched pairs."""
        return Score(self.centred, f"centred {self.measure} of matched concepts")

    @property
    def p(self) -> float:
        """Monte Carlo p-value of the mean similarity against its null."""
        return exceedance(self.score.mean, self.null.values)

    @property
    def centred_p(self) -> float:
        """The same of the centred similarity."""
        return exceedance(self.centred_score.mean, self.centred_null.values)


@checked
def compare_dictionaries(
    a: ConceptDictionary,
    b: ConceptDictionary,
    *,
    measure: str = "auto",
    states: Annotated[Array, Rule("n d")] | None = None,
    random_state: Any = 0,
) -> Agreement:
    """Match the concepts of two dictionaries: of two layers, methods, models or random states.

    The null is that of :func:`nbtoolkit.metrics.stability`: the concepts of ``b`` are rotated at random about their mean,
    which keeps mean and covariance, or exchanged; for ``"activation"`` their activations are rotated, or put on the samples
    in another order, which keeps the activations themselves. The stricter counts.

    Parameters
    ----------
    a, b
        The two dictionaries.
    measure
        ``"cosine"``, ``"activation"``, or ``"auto"``: cosine for two dictionaries of one layer and model, else activation.
    states : (n_samples, d_model)
        The states that ``b`` was learnt from, in the order of its samples, for the floor.
    random_state
        Seed of the nulls: an int, a ``numpy.random.Generator``, or None.

    Returns
    -------
    Agreement
        The matching, and its null.

    Raises
    ------
    MethodError
        An unknown measure, cosine of concepts of different widths, activation with fewer than three common samples, or
        states of another shape than those of ``b``.

    References
    ----------
    As for :func:`nbtoolkit.metrics.stability`.

    Examples
    --------
    >>> a = ConceptDictionary(np.eye(3), np.eye(3), list("xyz"), 1, "SemiNMF")
    >>> compare_dictionaries(a, ConceptDictionary(np.eye(3)[::-1], np.eye(3), list("xyz"), 1, "PCA")).partners.tolist()
    [2, 1, 0]
    """
    if measure not in (*MEASURES, "auto"):
        raise MethodError(f"measure is {measure!r}; expected 'auto', {' or '.join(map(repr, MEASURES))}.")
    width, other_width = a.concepts.shape[1], b.concepts.shape[1]
    if states is not None and np.shape(states) != (len(b.sample_ids), other_width):
        raise MethodError(
            f"states has shape {np.shape(states)}; expected ({len(b.sample_ids)}, {other_width}), a row per sample of b."
        )
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
    rng, similarity = np.random.default_rng(random_state), similarities(vectors, others)
    draws = [(rotated(others, rng), _exchanged(others, measure, rng)) for _ in range(n_draws(others))]
    floor = None
    if states is not None:
        rows = [random_rows(states, b.n_concepts, rng) for _ in draws]
        if measure == "activation":  # of random rows as concepts: inner products with the states
            centre = np.asarray(states)[rows_b] - np.asarray(states)[rows_b].mean(0)
            rows = [u @ centre.T for u in rows]
        floor = null_score([(matched_cosines(vectors, u),) for u in rows], measure, RANDOM_ROWS)
    kind = RANDOM_MIXTURES if measure == "cosine" else RANDOM_ACTIVATIONS
    null, centred_null = (
        null_score([tuple(matched_cosines(f(vectors), f(u)) for u in draw) for draw in draws], name, kind)
        for f, name in ((np.asarray, measure), (less_mean, f"centred {measure}"))
    )
    centred = matched_cosines(less_mean(vectors), less_mean(others))
    return Agreement(measure, similarity, *assign(similarity), null, centred, centred_null, floor)


def _exchanged(vectors: Array, measure: str, rng: np.random.Generator) -> Array:
    """Concepts with their entries exchanged, or the activations of all concepts on the samples in another order."""
    return exchanged(vectors, rng) if measure == "cosine" else vectors[:, rng.permutation(vectors.shape[1])]


def similarities(a: Array, b: Array) -> Array:
    """Cosine of each row of one array with each row of another; of centred activations, Pearson's correlation.

    Parameters
    ----------
    a : (n_a, d)
        Concepts, or their activations less the means.
    b : (n_b, d)
        Others.

    Returns
    -------
    (n_a, n_b) array
        -1 to 1, no unit; 0 for a row of zeros.
    """
    both = (np.asarray(x, np.float64) for x in (a, b))
    U, W = (x / np.maximum(np.linalg.norm(x, axis=1, keepdims=True), 1e-30) for x in both)
    return np.clip(U @ W.T, -1, 1)  # rounding errors above 1 must not decide the matching


def assign(similarity: Array) -> tuple[Array, Array]:
    """One-to-one matching of rows with columns of largest total similarity (Hungarian).

    Parameters
    ----------
    similarity : (n_a, n_b)
        Similarity of each row with each column.

    Returns
    -------
    partners : (n_a,)
        Column of each row; -1 without one.
    values : (n_a,)
        Similarity with it; NaN without one.
    """
    rows, columns = linear_sum_assignment(-similarity)
    partners, values = np.full(len(similarity), -1), np.full(len(similarity), np.nan)
    partners[rows], values[rows] = columns, similarity[rows, columns]
    return partners, values
