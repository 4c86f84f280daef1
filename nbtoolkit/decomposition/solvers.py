"""The inner problems of Semi-NMF, as pure functions.

Notation: X (n, d) rows are samples, W = Vᵀ (K, n) codes, U (K, d) concepts, G = UUᵀ (K, K), C = UXᵀ − λ/2 (K, n),
A = WWᵀ (K, K), B = WX (K, d). Codes are kept transposed: each coordinate is then one contiguous row.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.linalg import cho_factor
from scipy.linalg.lapack import dtrtrs
from scipy.optimize import nnls

Array = np.ndarray
_BLOCK = 32  # coordinates whose products with the others are made in one go, from twice as many on
_ROUNDS = 60  # of principal pivoting, before what is left is solved one by one
_ROWS = 128  # samples whose products with the concepts are made in one go
_MANY = 100  # concepts from which a sample's active set takes in several at a time
_TAKEN = 8  # so many
FEW = 16  # samples that are solved one by one at once
_GATHERED = 250_000  # numbers of gathered systems at a time: they stay in the cache


def sweep_codes(C: Array, G: Array, W: Array, n_sweeps: int = 2) -> Array:
    """Coordinate descent on W for a fixed dictionary, in place: each row takes its exact minimiser in turn."""
    live = np.flatnonzero(np.diag(G) > 0)
    if len(G) < 2 * _BLOCK:
        for _ in range(n_sweeps):
            for k in live:
                step = C[k] - G[k] @ W
                step /= G[k, k]
                step += W[k]
                np.maximum(step, 0, out=W[k])
        return W
    moved = np.empty((_BLOCK, W.shape[1]), W.dtype)
    for _ in range(n_sweeps):
        for start in range(0, len(live), _BLOCK):
            block = live[start : start + _BLOCK]
            inner, rest = G[np.ix_(block, block)], G[block] @ W
            np.subtract(C[block], rest, out=rest)
            for i, k in enumerate(block):
                step = rest[i]
                step -= inner[i, :i] @ moved[:i]
                step /= G[k, k]
                step += W[k]
                np.maximum(step, 0, out=step)
                np.subtract(step, W[k], out=moved[i])
                W[k] = step
    return W


def update_concepts(A: Array, B: Array, U: Array) -> Array:
    """Coordinate descent on U, in place: each row takes its exact minimiser on the unit ball."""
    for k in np.flatnonzero(np.diag(A) > 1e-12 * max(1e-30, float(np.trace(A)))):
        u = U[k] + (B[k] - A[k] @ U) / A[k, k]
        U[k] = u / max(1.0, float(np.linalg.norm(u)))
    return U


def objective(X: Array, V: Array, U: Array, lam: float) -> float:
    """‖X − VU‖² + λ‖V‖₁, for V (n, K)."""
    return float(np.square(X - V @ U).sum(dtype=np.float64) + lam * V.sum(dtype=np.float64))


def objective_of(A: Array, B: Array, U: Array, total: float, x2: float, lam: float) -> float:
    """The objective from A, B, the sum of the codes and ‖X‖², in float64: no residual is formed."""
    U64 = U.astype(np.float64)
    return float(x2 - 2 * np.sum(B * U64) + np.sum(A * (U64 @ U64.T)) + lam * total)


def exact_codes(X: Array, U: Array, lam: float) -> Array:
    """Solve min_{v ≥ 0} ‖x − vU‖² + λ‖v‖₁ exactly, for every row of X: (n, K), in float64."""
    return ExactCodes(U).of(X, lam)


class ExactCodes:
    """Exact codes for a fixed dictionary; what depends on the dictionary alone is made once, in float64.

    A few rows are solved one by one (with G = LLᵀ and h = Ux − λ/2 it is the non-negative least squares problem
    ‖Lᵀv − L⁻¹h‖², SciPy's active-set ``nnls``), many together by block principal pivoting (Kim and Park 2011) from a
    start by coordinate descent. With many concepts, a row's active set takes in several at a time (:func:`growing_set`).

    Attributes
    ----------
    gram : (K, K)
        G, with a ridge of 1e-12 of its mean diagonal: repeated concepts make it singular.
    """

    def __init__(self, U: Array) -> None:
        self._U = U.astype(np.float64)
        self.gram = G = self._U @ self._U.T
        G[np.diag_indices_from(G)] += 1e-12 * max(float(np.trace(G)) / len(G), 1e-300)
        self._upper = np.ascontiguousarray(np.triu(cho_factor(G)[0]))  # Lᵀ

    def of(self, X: Array, lam: float) -> Array:
        """Codes (n, K) of the rows of X."""
        H, part = np.empty((len(X), len(self._U))), np.empty((min(_ROWS, len(X)), X.shape[1]))
        for start in range(0, len(X), _ROWS):  # in float64 a few at a time: they stay in the cache
            rows = part[: len(X) - start]
            rows[:] = X[start : start + _ROWS]
            np.matmul(rows, self._U.T, out=H[start : start + _ROWS])
        return self.solve(H - lam / 2)

    def solve(self, H: Array, near: Array | None = None) -> Array:
        """Codes (n, K) from H = XUᵀ − λ/2; ``near`` (K, n) are codes of a dictionary close to this one, where there are any."""
        H = H.astype(np.float64, copy=False)
        if len(H) <= FEW:
            return self._one_by_one(H)
        C = np.ascontiguousarray(H.T, np.float32)
        start, n_sweeps = (
            (np.zeros_like(C), 16 if len(self.gram) < 100 else 32) if near is None else (near.astype(np.float32), 4)
        )
        start = sweep_codes(C, self.gram.astype(np.float32), start, n_sweeps).T
        return _pivot(H, self.gram, np.ascontiguousarray(start, np.float64), self._one_by_one)

    def _one_by_one(self, H: Array) -> Array:
        if len(self.gram) < _MANY:
            return np.stack([self._active_set(h) for h in H])
        codes = (growing_set(h, self.gram) for h in H)
        return np.stack([self._active_set(h) if v is None else v for h, v in zip(H, codes, strict=True)])

    def _active_set(self, h: Array) -> Array:
        return nnls(self._upper, dtrtrs(self._upper, h, trans=1)[0], maxiter=30 * len(h))[0]


def growing_set(h: Array, G: Array) -> Array | None:
    """Codes (K,) of one sample by an active set that takes in several coordinates at a time; None if it goes in circles."""
    v, free = np.zeros(len(h)), np.empty(0, int)
    tolerance = 1e-12 * max(1.0, float(np.abs(h).max()))
    for _ in range(_ROUNDS):
        slope = h - G[:, free] @ v[free]
        slope[free] = 0
        steepest = np.argpartition(slope, -_TAKEN)[-_TAKEN:]
        new = steepest[slope[steepest] > tolerance]
        if not len(new):
            return v
        free = np.concatenate([free, new])
        some = np.linalg.solve(G[np.ix_(free, free)], h[free])
        while (some < 0).any():
            free = free[some > 0]
            some = np.linalg.solve(G[np.ix_(free, free)], h[free])
        v[:] = 0
        v[free] = some
    return None


def _pivot(H: Array, G: Array, W: Array, one_by_one: Callable[[Array], Array]) -> Array:
    """Block principal pivoting on all rows together; rows W (n, K) begin at a good guess, and are overwritten by the solution."""
    n, K = H.shape
    free = W > 0
    fewest, patience = np.full(n, K + 1), np.full(n, 3)
    tolerance = 1e-12 * max(1.0, float(np.abs(H).max()))
    todo = np.arange(n)
    for _ in range(_ROUNDS):
        _solve_free(H, G, free, W, todo)
        slope = W[todo] @ G - H[todo]
        wrong = np.where(free[todo], W[todo] < 0, slope < -tolerance)
        count = wrong.sum(1)
        todo, wrong, count = todo[count > 0], wrong[count > 0], count[count > 0]
        if not len(todo):
            return np.maximum(W, 0)
        better = count < fewest[todo]
        patience[todo] = np.where(better, 3, patience[todo] - 1)
        fewest[todo] = np.minimum(fewest[todo], count)
        stuck = patience[todo] < 0  # then only the last wrong one changes sides, which must end (Murty)
        if stuck.any():
            last = K - 1 - wrong[stuck][:, ::-1].argmax(1)
            wrong[stuck] = np.arange(K) == last[:, None]
        free[todo] ^= wrong
    W[todo] = one_by_one(H[todo])
    return np.maximum(W, 0)


def _solve_free(H: Array, G: Array, free: Array, W: Array, rows: Array) -> None:
    """Least squares over each row's free coordinates; rows with equally many are solved in one call."""
    sizes = free[rows].sum(1)
    W[rows] = 0
    for p in np.unique(sizes):
        if p == 0:
            continue
        group = rows[sizes == p]
        index = np.nonzero(free[group])[1].reshape(len(group), p)
        for start in range(0, len(group), max(1, _GATHERED // (p * p))):
            part = slice(start, start + max(1, _GATHERED // (p * p)))
            some, at = group[part], index[part]
            systems = G[at[:, :, None], at[:, None, :]]  # (m, p, p)
            W[some[:, None], at] = np.linalg.solve(systems, np.take_along_axis(H[some], at, 1)[..., None])[..., 0]
