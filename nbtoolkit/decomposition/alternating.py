"""Alternating minimisation for Semi-NMF: basis, starting points, accelerated iterations, a pass in the full space.

Notation as in ``solvers``; P (n, r) are the rows in a reduced basis, in memory.
"""

from __future__ import annotations

import numpy as np
from sklearn.cluster import kmeans_plusplus
from sklearn.utils.extmath import row_norms

from .blocks import Blocks
from .solvers import objective_of, sweep_codes, update_concepts

Array = np.ndarray
_CHOICE = 1000  # rows among which the first concepts are chosen


def leading_basis(X: Array, rank: int, rng: np.random.RandomState) -> Array:
    """Span of the leading right singular vectors, by one block power iteration on some rows: (d, rank), orthonormal.

    What it misses, the passes in the full space that follow make up for.
    """
    rows = X[:: max(1, len(X) // max(2048, 6 * rank))]
    random = rng.normal(size=(X.shape[1], rank)).astype(X.dtype)
    return np.linalg.qr(rows.T @ (rows @ random))[0]


def starting_concepts(P: Array, k: int, spread: bool, rng: np.random.RandomState) -> Array:
    """Unit vectors to begin with, (k, r): rows of P far from each other (k-means++), or random directions."""
    U = np.empty((0, P.shape[1]))
    if spread:
        P = P[:: max(1, len(P) // max(_CHOICE, 5 * k))]
        norms = row_norms(P)
        unit = P[norms > 0] / norms[norms > 0, None]
        if len(unit):
            U = kmeans_plusplus(unit, min(k, len(unit)), random_state=rng)[0]
    U = np.concatenate([U, rng.normal(size=(k - len(U), P.shape[1]))])
    U = U + 1e-3 * rng.normal(size=U.shape) / np.sqrt(P.shape[1])  # rows that repeat must not start as one
    return U / np.maximum(1e-12, np.linalg.norm(U, axis=1, keepdims=True))


def first_codes(P: Array, U: Array, lam: float, n_sweeps: int = 5) -> Array:
    """Codes (K, n) by coordinate descent from zero."""
    return sweep_codes(U @ P.T - lam / 2, U @ U.T, np.zeros((len(U), len(P)), P.dtype), n_sweeps)


def alternate(
    P: Array, U: Array, W: Array, lam: float, max_iter: int, tol: float
) -> tuple[Array, Array, list[float], bool]:
    """Minimise over codes and concepts in turn, extrapolated with restarts; accepted iterates never raise the objective.

    Returns
    -------
    U, W
        Concepts and codes.
    path
        The objective at the start and after every iteration.
    converged
        Ten iterations lowered it by less than ``tol`` times itself.

    References
    ----------
    Ang and Gillis, "Accelerating nonnegative matrix factorization algorithms using extrapolation", 2019, algorithm 3.
    """
    beta, cap = 0.5, 1.0
    x2, number = float(np.square(P, dtype=np.float64).sum()), P.dtype.type
    best = _value(P, U, W, lam, x2)[0]
    path, ahead_u, ahead_w = [best], U, W
    for i in range(1, max_iter + 1):
        new_w = sweep_codes(ahead_u @ P.T - lam / 2, ahead_u @ ahead_u.T, ahead_w.copy())
        new_w = np.maximum(0, new_w + number(beta) * (new_w - W))
        _, A, B = _value(P, ahead_u, new_w, lam, x2)
        new_u = update_concepts(A, B, ahead_u.astype(np.float64)).astype(P.dtype)
        now = objective_of(A, B, new_u, float(new_w.sum(dtype=np.float64)), x2, lam)
        if now > best:  # too far: back to the best, and extrapolate less
            ahead_u, ahead_w, cap, beta = U, W, beta, beta / 1.5 if beta > 1e-3 else 0.0
        else:
            ahead_u = new_u + number(beta) * (new_u - U)
            ahead_u /= np.maximum(1, np.linalg.norm(ahead_u, axis=1, keepdims=True)).astype(P.dtype)
            U, W, ahead_w, best = new_u, new_w, new_w, now
            cap, beta = min(1.0, 1.01 * cap), min(cap, 1.05 * beta)
            if i % 10 == 0 and not np.diag(A).all():
                U = ahead_u = revive(P, U, W)
        path.append(best)
        if i >= 10 and path[-11] - best <= tol * abs(best):
            return U, W, path, True
    return U, W, path, False


def _value(P: Array, U: Array, W: Array, lam: float, x2: float) -> tuple[float, Array, Array]:
    A, B = (W @ W.T).astype(np.float64), (W @ P).astype(np.float64)
    return objective_of(A, B, U, float(W.sum(dtype=np.float64)), x2, lam), A, B


def polish(X: Blocks, U: Array, W: Array | None, lam: float) -> tuple[Array, float]:
    """One exact alternation in the full space, reading X once, and by which part the new concepts lower the objective.

    The codes W (K, n) are updated in place, at length where they are all 0; without them they are made and forgotten.
    """
    G, A, B, total = U @ U.T, np.zeros((len(U), len(U))), np.zeros(U.shape), 0.0
    for rows, block in X:
        old = np.zeros((len(U), len(block)), U.dtype) if W is None else np.ascontiguousarray(W[:, rows])
        part = sweep_codes((block @ U.T).T - lam / 2, G, old, 3 if old.any() else 12)
        if W is not None:
            W[:, rows] = part
        A += part @ part.T
        B += part @ block
        total += float(part.sum(dtype=np.float64))
    x2 = X.norms()[0]
    before = objective_of(A, B, U, total, x2, lam)
    U = update_concepts(A, B, U.astype(np.float64)).astype(U.dtype)
    return U, 1 - objective_of(A, B, U, total, x2, lam) / max(before, 1e-300)


def revive(P: Array, U: Array, W: Array) -> Array:
    """Give a concept that no sample uses the direction of the worst explained sample (its codes stay 0)."""
    dead = np.flatnonzero(W.max(1) <= 0)
    residual = P - W.T @ U
    norms = row_norms(residual)
    worst = np.argsort(-norms)[: len(dead)]
    worst = worst[norms[worst] > 1e-9 * max(1e-30, float(row_norms(P).max()))]
    U = U.copy()
    U[dead[: len(worst)]] = residual[worst] / norms[worst, None]
    return U
