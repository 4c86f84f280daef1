"""Scores of a dictionary itself: sparsity, specificity, stability."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy.optimize import linear_sum_assignment

from ..errors import MethodError
from ..types import Score

Array = np.ndarray


def active_concepts(activations: Array, threshold: float = 1e-6) -> Score:
    """Number of concepts that each sample uses: |v_k| above ``threshold`` times the largest activation.

    Parameters
    ----------
    activations : (n_samples, n_concepts)
        V.

    Examples
    --------
    >>> active_concepts(np.array([[1.0, 0.0], [0.5, 2.0]])).values.tolist()
    [1.0, 2.0]
    """
    V = np.abs(np.asarray(activations, np.float64))
    return Score((threshold * max(float(V.max(initial=0.0)), 1e-300) < V).sum(1), "active_concepts")


def hoyer(activations: Array) -> Score:
    """Hoyer's sparsity of each sample's activations: (√K − ‖v‖₁/‖v‖₂) / (√K − 1), 0 (all equal) to 1 (one concept).

    NaN for a sample without activations.

    References
    ----------
    Hoyer, "Non-negative matrix factorization with sparseness constraints", JMLR 2004, section 3.1.

    Examples
    --------
    >>> hoyer(np.array([[1.0, 0.0], [1.0, 1.0]])).values.round(6).tolist()
    [1.0, 0.0]
    """
    V = np.abs(np.asarray(activations, np.float64))
    k = V.shape[1]
    if k < 2:
        raise MethodError(f"The activations have {k} concept; expected at least 2 to speak of sparsity.")
    norm = np.linalg.norm(V, axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        return Score((np.sqrt(k) - V.sum(1) / norm) / (np.sqrt(k) - 1), "hoyer")


def specificity(activations: Array, truth: Array, threshold: float = 0.5) -> Score:
    """How monosemantic each concept is: of the samples that use it most, the share that has the property it stands for.

    Parameters
    ----------
    activations : (n_samples, n_concepts)
        V of test samples.
    truth : (n_samples, n_concepts)
        Whether the sample has the property that the concept is said to stand for.
    threshold
        τ, as a share of the concept's largest activation.

    Returns
    -------
    Score
        |C_top ∩ C_true| / |C_top| a concept, with C_top = {v_k > τ}; NaN for a concept that no sample uses.

    References
    ----------
    Parekh et al. 2024, appendix B.

    Examples
    --------
    >>> specificity(np.array([[4.0], [3.0], [1.0]]), np.array([[True], [False], [True]])).values.tolist()
    [0.5]
    """
    V, truth = np.abs(np.asarray(activations, np.float64)), np.asarray(truth, bool)
    if V.shape != truth.shape:
        raise MethodError(f"truth has shape {truth.shape}; expected that of the activations, {V.shape}.")
    top = (threshold * V.max(0) < V) & (V > 0)
    with np.errstate(invalid="ignore"):
        return Score((top & truth).sum(0) / top.sum(0), "specificity")


def match(a: Array, b: Array) -> tuple[Array, Array]:
    """Pair the concepts of two dictionaries (K, d) and (L, d) so that the sum of cosines is largest (Hungarian).

    Returns
    -------
    partners, cosines : (K,), (K,)
        Of every concept of ``a``: -1 and NaN for one that has no partner.
    """
    return assign(cosines(a, b))


def cosines(a: Array, b: Array) -> Array:
    """Cosine of every row of ``a`` (K, d) with every row of ``b`` (L, d): (K, L), 0 for a row of zeros."""
    U, W = (np.asarray(x, np.float64) / np.maximum(np.linalg.norm(x, axis=1, keepdims=True), 1e-30) for x in (a, b))
    return np.clip(U @ W.T, -1, 1)  # a rounding error above is no better match


def assign(similarity: Array) -> tuple[Array, Array]:
    """Pair rows with columns (K, L) so that the sum of their similarities is largest; as :func:`match` otherwise."""
    rows, columns = linear_sum_assignment(-similarity)
    partners, out = np.full(len(similarity), -1), np.full(len(similarity), np.nan)
    partners[rows], out[rows] = columns, similarity[rows, columns]
    return partners, out


def matched_cosines(a: Array, b: Array) -> Array:
    """Cosine of every concept of ``a`` with its partner in ``b`` (:func:`match`); NaN where it has none."""
    return match(a, b)[1]


def stability(dictionaries: Sequence[Array], *, random_state: Any = 0) -> tuple[Score, Score]:
    """How alike dictionaries of several random states are, and how alike they would be by chance.

    Parameters
    ----------
    dictionaries
        U of each run, (n_concepts, d_model).
    random_state
        Seed of the null.

    Returns
    -------
    Score, Score
        Matched cosines of every pair of runs, -1 to 1; and the same after the entries of every concept of the second
        run were shuffled, which keeps each concept's norm and values but not its direction.

    Examples
    --------
    >>> U = np.random.default_rng(0).normal(size=(3, 50))
    >>> [round(s.mean) for s in stability([U, U[::-1]])]
    [1, 0]
    """
    if len(dictionaries) < 2:
        raise MethodError(f"{len(dictionaries)} dictionary was given; expected at least 2 runs to compare.")
    rng = np.random.default_rng(random_state)
    pairs = [(a, b) for i, a in enumerate(dictionaries) for b in dictionaries[i + 1 :]]
    found = np.concatenate([matched_cosines(a, b) for a, b in pairs])
    chance = np.concatenate([matched_cosines(a, rng.permuted(np.asarray(b), axis=1)) for a, b in pairs])
    return Score(found, "stability"), Score(chance, "stability of shuffled concepts")
