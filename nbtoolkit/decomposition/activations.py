"""Exact activations for a fixed dictionary: min_{v ≥ 0} ‖x − vU‖² + λ‖v‖₁ for every row x.

With G = UUᵀ = LLᵀ and h = Ux − λ/2 this is the non-negative least squares problem ‖Lᵀv − L⁻¹h‖². Notation as in
``updates``; H (n, K) has the h of each row.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.linalg import cho_factor
from scipy.linalg.lapack import dtrtrs
from scipy.optimize import nnls

from .updates import coordinate_descent

Array = np.ndarray
MAX_SEPARATE_ROWS = 16  # up to which rows are solved one by one
_ROW_BLOCK = 128  # rows per product with the concepts: in float64 they stay in the cache
_BLOCK_ENTRY_CONCEPTS = 100  # from which coordinates enter an active set in blocks
_ENTERING = 8  # coordinates per block
_MAX_ITERATIONS = 60  # of pivoting, before the remaining rows are solved one by one
_MAX_GATHERED = 250_000  # entries of linear systems solved in one call: they stay in the cache


def exact_activations(X: Array, U: Array, lam: float) -> Array:
    """Exact solution of min_{v ≥ 0} ‖x − vU‖² + λ‖v‖₁ for every row of X.

    Parameters
    ----------
    X : (n_samples, n_features)
        Representations.
    U : (n_concepts, n_features)
        Concepts.
    lam
        λ, the weight of the sparsity, in the unit of X.

    Returns
    -------
    (n_samples, n_concepts) float64 array
        Activations, at least 0.

    Examples
    --------
    >>> exact_activations(np.array([[2.0, -1.0]]), np.eye(2), 1.0).round(6).tolist()
    [[1.5, 0.0]]
    """
    return ExactEncoder(U).encode(X, lam)


class ExactEncoder:
    """Exact activations for a fixed dictionary; what depends on the dictionary alone is computed once, in float64.

    A few rows are solved one by one with SciPy's active-set ``nnls``, many together by block principal pivoting from a
    start by coordinate descent. With many concepts, coordinates enter the active set of a row in blocks
    (:func:`block_active_set`).

    Parameters
    ----------
    U : (n_concepts, n_features)
        Concepts.
    scale : (n_features,)
        Factor of each column of X and U in the objective; None for 1.

    Attributes
    ----------
    gram : (n_concepts, n_concepts)
        G, with a ridge of 1e-12 of its mean diagonal: repeated concepts make it singular.

    References
    ----------
    Kim and Park, "Fast nonnegative matrix factorization: an active-set-like method and comparisons", SIAM J. Sci.
    Comput. 2011 (block principal pivoting).
    """

    def __init__(self, U: Array, scale: Array | None = None) -> None:
        U = U.astype(np.float64) if scale is None else U.astype(np.float64) * scale
        self.gram = G = U @ U.T
        self._U = U if scale is None else U * scale  # (XS)(US)ᵀ = X(US²)ᵀ: X stays as it is
        G[np.diag_indices_from(G)] += 1e-12 * max(float(np.trace(G)) / len(G), 1e-300)
        self._upper = np.ascontiguousarray(np.triu(cho_factor(G)[0]))  # Lᵀ

    def encode(self, X: Array, lam: float) -> Array:
        """Activations of the rows of X.

        Parameters
        ----------
        X : (n_samples, n_features)
            Representations.
        lam
            λ, the weight of the sparsity, in the unit of X.

        Returns
        -------
        (n_samples, n_concepts) float64 array
            At least 0.
        """
        H, buffer = np.empty((len(X), len(self._U))), np.empty((min(_ROW_BLOCK, len(X)), X.shape[1]))
        for start in range(0, len(X), _ROW_BLOCK):
            rows = buffer[: len(X) - start]
            rows[:] = X[start : start + _ROW_BLOCK]
            np.matmul(rows, self._U.T, out=H[start : start + _ROW_BLOCK])
        return self.solve(H - lam / 2)

    def solve(self, H: Array, start: Array | None = None) -> Array:
        """Activations from inner products with the concepts.

        Parameters
        ----------
        H : (n_samples, n_concepts)
            XUᵀ − λ/2.
        start : (n_concepts, n_samples)
            Activations of a similar dictionary to start from; zero where not given.

        Returns
        -------
        (n_samples, n_concepts) float64 array
            At least 0.
        """
        H = H.astype(np.float64, copy=False)
        if len(H) <= MAX_SEPARATE_ROWS:
            return self._one_by_one(H)
        C = np.ascontiguousarray(H.T, np.float32)
        if start is None:
            W, n_passes = np.zeros_like(C), 16 if len(self.gram) < 100 else 32
        else:
            W, n_passes = start.astype(np.float32), 4
        V = coordinate_descent(C, self.gram.astype(np.float32), W, n_passes).T
        return _pivot(H, self.gram, np.ascontiguousarray(V, np.float64), self._one_by_one)

    def _one_by_one(self, H: Array) -> Array:
        if len(self.gram) < _BLOCK_ENTRY_CONCEPTS:
            return np.stack([self._active_set(h) for h in H])
        rows = (block_active_set(h, self.gram) for h in H)
        return np.stack([self._active_set(h) if v is None else v for h, v in zip(H, rows, strict=True)])

    def _active_set(self, h: Array) -> Array:
        return nnls(self._upper, dtrtrs(self._upper, h, trans=1)[0], maxiter=30 * len(h))[0]


def block_active_set(h: Array, G: Array) -> Array | None:
    """Activations of one sample by an active-set method in which several coordinates enter at a time.

    Parameters
    ----------
    h : (n_concepts,)
        Ux − λ/2.
    G : (n_concepts, n_concepts)
        Gram matrix UUᵀ, positive definite.

    Returns
    -------
    (n_concepts,) array or None
        At least 0; None if the active sets repeat instead of converging.

    Examples
    --------
    >>> block_active_set(np.r_[2.0, -np.ones(9)], np.eye(10)).tolist()[:2]
    [2.0, 0.0]
    """
    v, active = np.zeros(len(h)), np.empty(0, int)
    tolerance = 1e-12 * max(1.0, float(np.abs(h).max()))
    for _ in range(_MAX_ITERATIONS):
        slope = h - G[:, active] @ v[active]
        slope[active] = 0
        steepest = np.argpartition(slope, -_ENTERING)[-_ENTERING:]
        entering = steepest[slope[steepest] > tolerance]
        if not len(entering):
            return v
        active = np.concatenate([active, entering])
        values = np.linalg.solve(G[np.ix_(active, active)], h[active])
        while (values < 0).any():
            active = active[values > 0]
            values = np.linalg.solve(G[np.ix_(active, active)], h[active])
        v[:] = 0
        v[active] = values
    return None


def _pivot(H: Array, G: Array, V: Array, one_by_one: Callable[[Array], Array]) -> Array:
    """Block principal pivoting on all rows together, from the guess V (n, K), which the solution overwrites."""
    n, K = H.shape
    active = V > 0
    fewest, patience = np.full(n, K + 1), np.full(n, 3)
    tolerance = 1e-12 * max(1.0, float(np.abs(H).max()))
    remaining = np.arange(n)
    for _ in range(_MAX_ITERATIONS):
        _solve_active(H, G, active, V, remaining)
        slope = V[remaining] @ G - H[remaining]
        infeasible = np.where(active[remaining], V[remaining] < 0, slope < -tolerance)
        count = infeasible.sum(1)
        remaining, infeasible, count = remaining[count > 0], infeasible[count > 0], count[count > 0]
        if not len(remaining):
            return np.maximum(V, 0)
        better = count < fewest[remaining]
        patience[remaining] = np.where(better, 3, patience[remaining] - 1)
        fewest[remaining] = np.minimum(fewest[remaining], count)
        backup = patience[remaining] < 0  # only the last infeasible coordinate is exchanged, which terminates (Murty)
        if backup.any():
            last = K - 1 - infeasible[backup][:, ::-1].argmax(1)
            infeasible[backup] = np.arange(K) == last[:, None]
        active[remaining] ^= infeasible
    V[remaining] = one_by_one(H[remaining])
    return np.maximum(V, 0)


def _solve_active(H: Array, G: Array, active: Array, V: Array, rows: Array) -> None:
    """Least squares over the active coordinates of each row; rows with the same number are solved in one call."""
    sizes = active[rows].sum(1)
    V[rows] = 0
    for p in np.unique(sizes):
        if p == 0:
            continue
        group = rows[sizes == p]
        coordinates = np.nonzero(active[group])[1].reshape(len(group), p)
        step = max(1, _MAX_GATHERED // (p * p))
        for start in range(0, len(group), step):
            part, at = group[start : start + step], coordinates[start : start + step]
            systems = G[at[:, :, None], at[:, None, :]]  # (m, p, p)
            V[part[:, None], at] = np.linalg.solve(systems, np.take_along_axis(H[part], at, 1)[..., None])[..., 0]
