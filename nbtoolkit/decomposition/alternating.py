"""Alternating minimisation for Semi-NMF: basis, starting points, accelerated iterations, passes in the full space.

Notation as in ``updates``; P (n, r) has the rows in a basis of r directions, in memory.
"""

from __future__ import annotations

import numpy as np
from sklearn.cluster import kmeans_plusplus
from sklearn.utils.extmath import row_norms

from .blocks import Blocks
from .updates import coordinate_descent, objective_from_products, update_concepts

Array = np.ndarray
_BASIS_ROWS = 2048  # rows from which the basis is computed
_CANDIDATE_ROWS = 1000  # rows among which k-means++ chooses


def leading_basis(X: Array, rank: int, rng: np.random.RandomState) -> Array:
    """Approximate span of the leading right singular vectors, by one block power iteration on a subset of the rows.

    The passes in the full space that follow make up for what it misses.

    Parameters
    ----------
    X : (n_samples, n_features)
        Representations.
    rank
        Dimension of the span.
    rng
        Random state of the starting block.

    Returns
    -------
    (n_features, rank) array
        Orthonormal columns.
    """
    rows = X[:: max(1, len(X) // max(_BASIS_ROWS, 6 * rank))]
    random = rng.normal(size=(X.shape[1], rank)).astype(X.dtype)
    return np.linalg.qr(rows.T @ (rows @ random))[0]


def starting_concepts(P: Array, n_concepts: int, kmeans_init: bool, rng: np.random.RandomState) -> Array:
    """Unit vectors to start from: rows of P far from each other (k-means++), or random directions.

    Parameters
    ----------
    P : (n_samples, r)
        Representations in a basis.
    n_concepts
        Number of concepts.
    kmeans_init
        Whether to choose rows by k-means++; random directions fill up where there are too few rows.
    rng
        Random state of the choice.

    Returns
    -------
    (n_concepts, r) float64 array
        Rows of unit norm.
    """
    U = np.empty((0, P.shape[1]))
    if kmeans_init:
        P = P[:: max(1, len(P) // max(_CANDIDATE_ROWS, 5 * n_concepts))]
        norms = row_norms(P)
        unit = P[norms > 0] / norms[norms > 0, None]
        if len(unit):
            U = kmeans_plusplus(unit, min(n_concepts, len(unit)), random_state=rng)[0]
    U = np.concatenate([U, rng.normal(size=(n_concepts - len(U), P.shape[1]))])
    U = U + 1e-3 * rng.normal(size=U.shape) / np.sqrt(P.shape[1])  # repeated rows must not give identical concepts
    return U / np.maximum(1e-12, np.linalg.norm(U, axis=1, keepdims=True))


def initial_activations(P: Array, U: Array, lam: float, n_passes: int = 5) -> Array:
    """Activations by coordinate descent from zero.

    Parameters
    ----------
    P : (n_samples, r)
        Representations in a basis.
    U : (n_concepts, r)
        Concepts in that basis.
    lam
        λ, the weight of the sparsity, in the unit of P.
    n_passes
        Passes over all coordinates.

    Returns
    -------
    (n_concepts, n_samples) array
        W, at least 0.
    """
    return coordinate_descent(U @ P.T - lam / 2, U @ U.T, np.zeros((len(U), len(P)), P.dtype), n_passes)


def alternate(
    P: Array, U: Array, W: Array, lam: float, max_iter: int, tol: float
) -> tuple[Array, Array, list[float], bool]:
    """Alternating minimisation over activations and concepts, extrapolated with restarts.

    Accepted iterates never raise the objective.

    Parameters
    ----------
    P : (n_samples, r)
        Representations in a basis.
    U : (n_concepts, r)
        Concepts to start from.
    W : (n_concepts, n_samples)
        Activations to start from.
    lam
        λ, the weight of the sparsity, in the unit of P.
    max_iter
        Largest number of iterations.
    tol
        Convergence: ten iterations lower the objective by at most ``tol`` times its value.

    Returns
    -------
    U, W
        Concepts and activations.
    path
        The objective at the start and after every iteration, in the squared unit of P.
    converged
        Whether ``tol`` was reached.

    References
    ----------
    Ang and Gillis, "Accelerating nonnegative matrix factorization algorithms using extrapolation", Neural Computation
    2019, algorithm 3.
    """
    beta, beta_cap = 0.5, 1.0
    squared_norm, cast = float(np.square(P, dtype=np.float64).sum()), P.dtype.type
    best = _value(P, U, W, lam, squared_norm)[0]
    path, U_e, W_e = [best], U, W  # U_e and W_e are the extrapolated iterates
    for i in range(1, max_iter + 1):
        W_new = coordinate_descent(U_e @ P.T - lam / 2, U_e @ U_e.T, W_e.copy())
        W_new = np.maximum(0, W_new + cast(beta) * (W_new - W))
        _, A, B = _value(P, U_e, W_new, lam, squared_norm)
        U_new = update_concepts(A, B, U_e.astype(np.float64)).astype(P.dtype)
        value = objective_from_products(A, B, U_new, float(W_new.sum(dtype=np.float64)), squared_norm, lam)
        if value > best:  # restart from the best iterate, and extrapolate less
            U_e, W_e, beta_cap, beta = U, W, beta, beta / 1.5 if beta > 1e-3 else 0.0
        else:
            U_e = U_new + cast(beta) * (U_new - U)
            U_e /= np.maximum(1, np.linalg.norm(U_e, axis=1, keepdims=True)).astype(P.dtype)
            U, W, W_e, best = U_new, W_new, W_new, value
            beta_cap, beta = min(1.0, 1.01 * beta_cap), min(beta_cap, 1.05 * beta)
            if i % 10 == 0 and not np.diag(A).all():
                U = U_e = _replace_dead_concepts(P, U, W)
        path.append(best)
        if i >= 10 and path[-11] - best <= tol * abs(best):
            return U, W, path, True
    return U, W, path, False


def _value(P: Array, U: Array, W: Array, lam: float, squared_norm: float) -> tuple[float, Array, Array]:
    """Objective, A and B, in float64."""
    A, B = (W @ W.T).astype(np.float64), (W @ P).astype(np.float64)
    return objective_from_products(A, B, U, float(W.sum(dtype=np.float64)), squared_norm, lam), A, B


def full_space_pass(X: Blocks, U: Array, W: Array | None, lam: float) -> tuple[Array, float]:
    """One exact alternation in the full space, reading X once.

    Parameters
    ----------
    X : (n_samples, n_features)
        Representations, in blocks.
    U : (n_concepts, n_features)
        Concepts.
    W : (n_concepts, n_samples)
        Activations to start from, which are overwritten; None computes them per block and does not store them.
    lam
        λ, the weight of the sparsity, in the unit of X.

    Returns
    -------
    U : (n_concepts, n_features)
        The new concepts.
    gain
        Share of the objective by which they lower it, 0 to 1, no unit.
    """
    G, A, B, l1_norm = U @ U.T, np.zeros((len(U), len(U))), np.zeros(U.shape), 0.0
    for rows, block in X:
        start = np.zeros((len(U), len(block)), U.dtype) if W is None else np.ascontiguousarray(W[:, rows])
        part = coordinate_descent((block @ U.T).T - lam / 2, G, start, 3 if start.any() else 12)
        if W is not None:
            W[:, rows] = part
        A += part @ part.T
        B += part @ block
        l1_norm += float(part.sum(dtype=np.float64))
    squared_norm = X.squared_norm()
    before = objective_from_products(A, B, U, l1_norm, squared_norm, lam)
    U = update_concepts(A, B, U.astype(np.float64)).astype(U.dtype)
    return U, 1 - objective_from_products(A, B, U, l1_norm, squared_norm, lam) / max(before, 1e-300)


def full_space_passes(X: Blocks, U: Array, W: Array | None, lam: float, n_passes: int, least_gain: float) -> Array:
    """Passes in the full space until one gains little.

    Parameters
    ----------
    X, U, W, lam
        As for :func:`full_space_pass`.
    n_passes
        Largest number of passes.
    least_gain
        Share of the objective, 0 to 1, no unit: the last pass is the first that gains less.

    Returns
    -------
    (n_concepts, n_features) array
        The new concepts.
    """
    for _ in range(n_passes):
        U, gain = full_space_pass(X, U, W, lam)
        if gain < least_gain:
            break
    return U


def _replace_dead_concepts(P: Array, U: Array, W: Array) -> Array:
    """Direction of the worst explained sample for each concept that no sample uses (its activations stay 0)."""
    dead = np.flatnonzero(W.max(1) <= 0)
    residual = P - W.T @ U
    norms = row_norms(residual)
    worst = np.argsort(-norms)[: len(dead)]
    worst = worst[norms[worst] > 1e-9 * max(1e-30, float(row_norms(P).max()))]
    U = U.copy()
    U[dead[: len(worst)]] = residual[worst] / norms[worst, None]
    return U
