"""Nulls that preserve what they must: rotations, Gaussian surrogates, random rows, random orders; and their p-value."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

import numpy as np

from ..errors import MethodError
from ..types import Score
from ..types.arguments import checked
from ..types.nulls import Null
from ..types.rules import MaybeNaN, Number, Rule

Array = np.ndarray
N_DRAWS, N_DRAWS_LARGE = 99, 19  # of a null; of dictionaries with more concepts than LARGE
LARGE = 100
BLOCK = 64  # concepts that are rotated among themselves


@checked
def exceedance(observed: MaybeNaN, null: Array, *, two_sided: bool = False) -> float:
    """Monte Carlo p-value of an observed value against draws of its null: (1 + #{draws ≥ observed}) / (1 + #draws).

    Parameters
    ----------
    observed
        The observed value.
    null : (n_draws,)
        The same under the null.
    two_sided
        Compare absolute values.

    Returns
    -------
    float
        1 / (1 + n_draws) to 1; NaN where the observed value is NaN, or without draws.

    References
    ----------
    Phipson and Smyth, "Permutation p-values should never be zero", Statistical Applications in Genetics and Molecular
    Biology 2010, equation 2.

    Examples
    --------
    >>> exceedance(3.0, np.array([1.0, 2.0, 4.0]))
    0.5
    """
    draws = np.asarray(null, np.float64)
    draws = draws[~np.isnan(draws)]
    if np.isnan(observed) or not len(draws):
        return float("nan")
    if two_sided:
        observed, draws = abs(observed), np.abs(draws)
    return float((1 + (draws >= observed).sum()) / (1 + len(draws)))


@checked
def rotated(concepts: Annotated[Array, Rule("k d")], random_state: Any = 0) -> Array:
    """Random rotation of concepts among each other, about their mean: mean and covariance stay exactly as they are.

    Concepts that are independent Gaussian draws have the same distribution before and after. More than 64 concepts are
    rotated in random groups of at most 64. Zero rows (dead concepts) remain zero.

    Parameters
    ----------
    concepts : (n_concepts, d)
        Concepts, or their activations (n_concepts, n_samples).
    random_state
        Seed: an int, a ``numpy.random.Generator``, or None.

    Returns
    -------
    (n_concepts, d) array
        Random mixtures, in the unit of the concepts.

    References
    ----------
    Langsrud, "Rotation tests", Statistics and Computing 2005, section 2.

    Examples
    --------
    >>> U = np.random.default_rng(1).normal(size=(5, 3))
    >>> W = rotated(U)
    >>> bool(np.allclose(W.mean(0), U.mean(0)) and np.allclose(np.cov(W.T), np.cov(U.T)))
    True
    """
    rng = np.random.default_rng(random_state)
    result = np.array(concepts, np.float64)
    live = rng.permutation(np.flatnonzero(np.abs(result).any(1)))
    for group in np.array_split(live, max(1, -(-len(live) // BLOCK))):
        if len(group) > 1:
            mean = result[group].mean(0)
            result[group] = mean + _rotation(len(group), rng) @ (result[group] - mean)
    return result


def _rotation(n: int, rng: np.random.Generator) -> Array:
    """A random orthogonal matrix (n, n) that leaves the vector of ones as it is."""
    ones = np.ones((n, 1)) / np.sqrt(n)
    basis = np.linalg.qr(np.concatenate([ones, rng.normal(size=(n, n - 1))], 1))[0][:, 1:]  # of the complement
    q, r = np.linalg.qr(rng.normal(size=(n - 1, n - 1)))
    return ones @ ones.T + basis @ (q * np.sign(np.diag(r))) @ basis.T


@checked
def exchanged(concepts: Annotated[Array, Rule("k d")], random_state: Any = 0) -> Array:
    """Exchange the entries of each coordinate at random among the concepts: the values of every coordinate stay.

    Beside :func:`rotated` for concepts that are not Gaussian, such as sparse ones. Zero rows (dead concepts) remain zero.

    Parameters
    ----------
    concepts : (n_concepts, d)
        The concepts.
    random_state
        Seed: an int, a ``numpy.random.Generator``, or None.

    Returns
    -------
    (n_concepts, d) array
        In the unit of the concepts.

    Examples
    --------
    >>> sorted(exchanged(np.array([[1.0, 5.0], [2.0, 6.0]]))[:, 0].tolist())
    [1.0, 2.0]
    """
    result = np.array(concepts, np.float64)
    live = np.abs(result).any(1)
    result[live] = np.random.default_rng(random_state).permuted(result[live], axis=0)
    return result


@checked
def gaussian_surrogate(states: Annotated[Array, Rule("n d")], random_state: Any = 0, n: Number | None = None) -> Array:
    """Gaussian states with the mean and covariance of given states, to learn dictionaries without structure from.

    Parameters
    ----------
    states : (n_samples, d_model)
        Z.
    random_state
        Seed: an int, a ``numpy.random.Generator``, or None.
    n
        Number of rows; as many as ``states`` if None.

    Returns
    -------
    (n, d_model) array
        In the unit of the states; its expected mean and covariance are those of ``states``.

    Raises
    ------
    MethodError
        Fewer than two states.

    Examples
    --------
    >>> gaussian_surrogate(np.eye(3)).shape
    (3, 3)
    """
    Z = np.asarray(states, np.float64)
    if len(Z) < 2:
        raise MethodError(f"The number of states is {len(Z)}; expected at least 2 to have a covariance.")
    weights = np.random.default_rng(random_state).normal(size=(len(Z) if n is None else n, len(Z)))
    return Z.mean(0) + weights @ (Z - Z.mean(0)) / np.sqrt(len(Z) - 1)


@checked
def random_rows(states: Annotated[Array, Rule("n d", rows=1)], n: Number, random_state: Any = 0) -> Array:
    """Random states as concepts: a dictionary that has learnt nothing.

    Parameters
    ----------
    states : (n_samples, d_model)
        Z.
    n
        Number of concepts; with replacement where there are fewer states.
    random_state
        Seed: an int, a ``numpy.random.Generator``, or None.

    Returns
    -------
    (n, d_model) array
        In the unit of the states.

    Examples
    --------
    >>> random_rows(np.eye(4), 2).sum(1).tolist()
    [1.0, 1.0]
    """
    rng, Z = np.random.default_rng(random_state), np.asarray(states)
    return Z[rng.choice(len(Z), n, replace=len(Z) < n)]


@checked
def random_order(activations: Annotated[Array, Rule("n k")], random_state: Any = 0) -> Array:
    """Random order of the concepts that each sample uses; those of activation 0 come last, in the order of the dictionary.

    Parameters
    ----------
    activations : (n_samples, n_concepts)
        V.
    random_state
        Seed: an int, a ``numpy.random.Generator``, or None.

    Returns
    -------
    (n_samples, n_concepts) array
        The concept of each step, as :func:`nbtoolkit.metrics.c_deletion` takes it.

    Examples
    --------
    >>> random_order(np.array([[0.0, 2.0, 0.0]])).tolist()
    [[1, 0, 2]]
    """
    V = np.asarray(activations)
    keys = np.random.default_rng(random_state).random(V.shape)
    return np.argsort(np.where(V != 0, keys, 2.0), axis=1, kind="stable")


def n_draws(concepts: Array) -> int:
    """Number of draws of a null of matched concepts: 99, or 19 for more than 100 concepts.

    Parameters
    ----------
    concepts : (n_concepts, d)
        The concepts.
    """
    return N_DRAWS if len(concepts) <= LARGE else N_DRAWS_LARGE


def null_score(draws: Sequence[tuple[Array, ...]], name: str, null: Null) -> Score:
    """Mean over the matched concepts, per draw of a null; of several variants the one of largest mean + 1.645 deviations.

    Parameters
    ----------
    draws
        Per draw, the similarities (n_concepts,) of each variant; NaN without a partner.
    name, null
        Name of the similarity, and its null.
    """
    means = np.array(
        [[np.nanmean(v) if np.isfinite(v).any() else np.nan for v in variants] for variants in draws]
    )  # (n_draws, n_variants)
    high = means.mean(0) + 1.645 * means.std(0)  # the 95 % quantile, with less noise than that of the draws
    strictest = int(np.argmax(np.nan_to_num(high, nan=-np.inf)))
    return Score(means[:, strictest], f"{name}, {null.name}", null.preserves)


def less_mean(concepts: Array) -> Array:
    """Concepts less the mean of those that are not dead, (n_concepts, d).

    Parameters
    ----------
    concepts : (n_concepts, d)
        The concepts; zero rows are dead, and remain so.
    """
    U = np.array(concepts, np.float64)
    live = np.abs(U).any(1)
    if live.any():
        U[live] -= U[live].mean(0)
    return U
