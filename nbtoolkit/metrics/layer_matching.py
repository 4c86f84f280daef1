"""Matching the concepts of two layers by their activations on the samples of both, against its null."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ..errors import MethodError
from ..types import ConceptDictionary
from ..types.arguments import checked
from ..types.copies import CopiedByFields
from ..types.representations import read_only
from ..types.rows import common_samples
from .matching import assign, similarities
from .nulls import rotated
from .sparsity import energy

Array = np.ndarray
QUANTILE = 0.95  # of the null: a pair is linked above it
MAX_CONCEPTS = 1000  # of a dictionary: the cost of matching grows with the cube
LEAST_ROTATED = 5  # concepts: a rotation of fewer is too often close to the dictionary itself
N_VALUES, N_DRAWS = 2000, (3, 99)  # of the null: values of all draws together, and draws (at least, at most)
N_OTHER = 2000  # samples of the null of other samples, at most
N_COMMON = 3  # samples from which a correlation is defined


@dataclass(frozen=True, eq=False)
class LayerMatch(CopiedByFields):
    """One-to-one matching of the concepts of two dictionaries by their activations on the samples of both.

    Attributes
    ----------
    layers
        The layer of each.
    partners : (n_concepts,)
        Partner of each concept of the first dictionary; -1 without one.
    similarity : (n_concepts,)
        Pearson's correlation of the activations with the partner's, -1 to 1, no unit; NaN without a partner. Where
        activations are signed, pairs are matched by its absolute value, and a negative one says that the sign is reversed.
    null
        95 % quantile of the similarities of matched pairs under the null, 0 to 1; NaN with fewer than three common samples.
    n_samples
        Number of common samples.
    """

    layers: tuple[int, int]
    partners: Array
    similarity: Array
    null: float
    n_samples: int

    def __post_init__(self) -> None:
        for name in ("partners", "similarity"):
            object.__setattr__(self, name, read_only(getattr(self, name)))

    @property
    def linked(self) -> Array:
        """Concepts of the first dictionary whose similarity with the partner is above the null, (n_concepts,) of bool."""
        above = np.abs(np.nan_to_num(self.similarity)) > (np.inf if np.isnan(self.null) else self.null)
        return np.asarray(above & (self.partners >= 0))


@checked
def match_layers(a: ConceptDictionary, b: ConceptDictionary, *, random_state: Any = 0) -> LayerMatch:
    """Match the concepts of two dictionaries one to one by the correlation of their activations on the samples of both.

    The null matches the concepts with random mixtures of the concepts of ``b`` (rotated about their mean, which keeps mean and
    covariance; from five concepts on) and with the concepts of ``b`` on other samples (which keeps the activations); the
    stricter counts. A pair is linked above the 95 % quantile of the similarities of all pairs matched under the null. The
    level is that of one pair: of the concepts of two dictionaries that have nothing in common, at most 5 % are linked.

    Parameters
    ----------
    a, b
        The dictionaries: of two layers, methods or models.
    random_state
        Seed of the null: an int, a ``numpy.random.Generator``, or None.

    Returns
    -------
    LayerMatch
        The matching. Concepts that no common sample uses, and those with NaN or infinity, have similarity 0 with all others.

    Raises
    ------
    MethodError
        A dictionary of more than 1,000 concepts.

    References
    ----------
    As for :func:`nbtoolkit.metrics.stability`.

    Examples
    --------
    >>> V = np.random.default_rng(0).gamma(1, size=(50, 6))
    >>> a, b = (ConceptDictionary(np.eye(6), v, [str(i) for i in range(50)], 1, "SemiNMF") for v in (V, V[:, ::-1]))
    >>> match_layers(a, b).partners.tolist()
    [5, 4, 3, 2, 1, 0]
    """
    check_size(a)
    check_size(b)
    rows, others = common_samples(a.row_keys, b.row_keys)
    layers = (a.layer, b.layer)
    result, values = np.full(a.n_concepts, -1), np.full(a.n_concepts, np.nan)
    if len(rows) < N_COMMON:
        return LayerMatch(layers, result, values, float("nan"), len(rows))
    # by importance, so that the order of the concepts plays no part in the draws
    order, other_order = (np.argsort(-energy(cd), kind="stable") for cd in (a, b))
    V, W = (_centred(x) for x in (a.activations[rows][:, order], b.activations[others][:, other_order]))
    fold = np.abs if (a.activations < 0).any() or (b.activations < 0).any() else np.asarray
    similarity = similarities(V, W)
    partners, _ = assign(fold(similarity))
    null = max(0.0, _null(V, W, fold, np.random.default_rng(random_state)))
    paired = partners >= 0
    result[order[paired]] = other_order[partners[paired]]
    values[order[paired]] = similarity[np.flatnonzero(paired), partners[paired]]
    return LayerMatch(layers, result, values, null, len(rows))


def check_size(cd: ConceptDictionary) -> None:
    """Refuse a dictionary that is too large to match.

    Parameters
    ----------
    cd
        The dictionary.

    Raises
    ------
    MethodError
        It has more than 1,000 concepts.
    """
    if cd.n_concepts > MAX_CONCEPTS:
        raise MethodError(
            f"Layer {cd.layer} has {cd.n_concepts:,} concepts; expected at most {MAX_CONCEPTS:,} to match concepts of layers. Use a smaller dictionary."
        )


def _centred(activations: Array) -> Array:
    """Activations (n_concepts, n_samples) less their means, each scaled to at most 1; 0 where one is not finite."""
    V = np.array(activations.T, np.float64)
    V[~np.isfinite(V).all(1)] = 0
    V /= np.maximum(np.abs(V).max(1, keepdims=True, initial=0), np.finfo(float).tiny)
    V -= V.mean(1, keepdims=True)
    V[np.abs(V).max(1, initial=0) < 1e-12] = 0  # constant but for rounding
    return V


def _null(V: Array, W: Array, fold: Any, rng: np.random.Generator) -> float:
    """95 % quantile of the similarities of pairs that are matched under the stricter of the two nulls."""
    live = np.flatnonzero(W.any(1))
    draws = range(int(np.clip(-(-N_VALUES // max(1, len(V))), *N_DRAWS)))
    rows = rng.permutation(V.shape[1])[:N_OTHER]
    few, others = V[:, rows], W[:, rows]
    values = [[_matched(fold(similarities(few, others[:, rng.permutation(len(rows))]))) for _ in draws]]
    if len(live) >= LEAST_ROTATED:
        inner, gram = V @ W[live].T, W[live] @ W[live].T
        length = np.linalg.norm(V, axis=1, keepdims=True)
        mixtures = [rotated(np.eye(len(live)), rng) for _ in draws]
        values.append([_matched(fold(_correlations(inner, gram, length, M))) for M in mixtures])
    return max(float(np.quantile(np.concatenate(v), QUANTILE, method="higher")) for v in values)


def _correlations(inner: Array, gram: Array, length: Array, mixture: Array) -> Array:
    """Correlations of concepts with mixtures of others, from inner products and the lengths of the concepts."""
    squares = np.einsum("ij,jk,ik->i", mixture, gram, mixture, optimize=True)
    return np.asarray(inner @ mixture.T / np.maximum(length * np.sqrt(np.maximum(squares, 0)), 1e-30))


def _matched(similarity: Array) -> Array:
    values = assign(similarity)[1]
    return values[np.isfinite(values)]
