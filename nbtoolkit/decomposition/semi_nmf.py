"""Semi-NMF, the decomposition of CoX-LMM, as a scikit-learn estimator.

Notation: X (n, d) rows are samples, V (n, K) codes, U (K, d) concepts, G = UUᵀ (K, K), C = XUᵀ (n, K).

    minimise ‖X − VU‖² + λ‖V‖₁   subject to V ≥ 0, ‖u_k‖₂ ≤ 1          (Parekh et al. 2024, section 3.2)

Alternating exact block minimisation (coordinate descent over V, then over the rows of U), extrapolated with
restarts (Ang and Gillis 2019), in the basis of the leading singular vectors of X and polished in the full space.
The codes of a fixed dictionary are exact: a non-negative lasso is a non-negative least squares problem.
"""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from scipy.linalg import cho_factor, solve_triangular
from scipy.optimize import nnls
from sklearn.cluster import kmeans_plusplus
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import check_random_state
from sklearn.utils.extmath import randomized_svd, row_norms
from sklearn.utils.validation import check_is_fitted, validate_data
from threadpoolctl import threadpool_limits

from .base import Dictionary

Array = np.ndarray
_POLISH = 3  # full-space iterations after the reduced ones
_SMALL = 4_000_000  # numbers in X


def sweep_codes(C: Array, G: Array, V: Array, lam: float, n_sweeps: int = 2) -> Array:
    """Coordinate descent on V for a fixed dictionary: each column takes its exact minimiser in turn."""
    V = V.copy()
    diagonal = np.diag(G)
    for _ in range(n_sweeps):
        for k in np.flatnonzero(diagonal > 0):
            V[:, k] = np.maximum(0.0, V[:, k] + (C[:, k] - lam / 2 - V @ G[:, k]) / diagonal[k])
    return V


def update_concepts(A: Array, B: Array, U: Array) -> Array:
    """Coordinate descent on U for A = VᵀV and B = VᵀX: each row takes its exact minimiser on the unit ball."""
    U = U.copy()
    for k in np.flatnonzero(np.diag(A) > 1e-12 * max(1e-300, np.trace(A))):
        u = U[k] + (B[k] - A[k] @ U) / A[k, k]
        U[k] = u / max(1.0, float(np.linalg.norm(u)))
    return U


def exact_codes(X: Array, U: Array, lam: float) -> Array:
    """Solve min_{v ≥ 0} ‖x − vU‖² + λ‖v‖₁ exactly, row by row.

    With G = LLᵀ and h = Ux − λ/2 the problem is min ‖Lᵀv − L⁻¹h‖², solved by SciPy's active-set ``nnls``.
    A tiny ridge (1e-12 of the mean diagonal) keeps G invertible when concepts repeat.
    """
    U, X = U.astype(np.float64), X.astype(np.float64)
    G = U @ U.T
    ridge = 1e-12 * max(np.trace(G) / len(U), 1e-300)
    lower = np.tril(cho_factor(G + ridge * np.eye(len(U)), lower=True)[0])
    targets = solve_triangular(lower, U @ X.T - lam / 2, lower=True)  # (K, n)
    matrix = np.ascontiguousarray(lower.T)
    return np.stack([nnls(matrix, t, maxiter=30 * len(U))[0] for t in targets.T])


def objective(X: Array, V: Array, U: Array, lam: float) -> float:
    """‖X − VU‖² + λ‖V‖₁."""
    return float(np.square(X - V @ U).sum() + lam * V.sum())


class SemiNMF(Dictionary):
    """Semi-NMF with sparse non-negative activations and unit-ball concepts: the method of CoX-LMM.

    Parameters
    ----------
    n_components
        Number of concepts (20 in the paper).
    alpha
        λ of the paper, on the un-halved loss: scikit-learn's ``DictionaryLearning(alpha=a)`` is ``alpha=2 * a``.
        ``"auto"`` takes 0.2 × the mean row norm, so that the sparsity does not depend on the model's scale.
    max_iter, tol
        Stop after this many iterations, or when ten of them lower the objective by less than ``tol`` times itself.
    init
        ``"kmeans++"`` (spread rows of X, scaled to unit norm), ``"random"`` directions, or an array (n_components, n_features).
    random_state
        Seed of the initialisation.

    Attributes
    ----------
    components_ : (n_components, n_features)
        U; the concept of largest total activation Σ_i v_ik‖u_k‖₂ first.
    alpha_ : float
        λ that was used.
    objective_ : float
        ‖X − VU‖² + λ‖V‖₁ at the end.
    reconstruction_err_ : float
        Frobenius norm ‖X − VU‖.
    n_iter_ : int
        Iterations done.
    n_dead_ : int
        Concepts that no training sample uses.

    References
    ----------
    Parekh et al., "A Concept-Based Explainability Framework for Large Multimodal Models", NeurIPS 2024, section 3.2.

    Examples
    --------
    >>> X = np.random.default_rng(0).normal(size=(30, 8))
    >>> SemiNMF(3, alpha=0.1, random_state=0).fit_transform(X).shape
    (30, 3)
    """

    def __init__(self, n_components: int = 20, *, alpha: float | str = "auto", max_iter: int = 300, tol: float = 1e-5,
                 init: str | Array = "kmeans++", random_state: Any = None) -> None:  # fmt: skip
        self.n_components = n_components
        self.alpha = alpha
        self.max_iter = max_iter
        self.tol = tol
        self.init = init
        self.random_state = random_state

    def fit(self, X: Any, y: Any = None) -> SemiNMF:
        """Learn the concepts of X (n_samples, n_features)."""
        self.fit_transform(X)
        return self

    def fit_transform(self, X: Any, y: Any = None) -> Array:
        """Learn the concepts of X and give its exact activations (n_samples, n_components)."""
        X = validate_data(self, X, dtype=[np.float64, np.float32])
        with threadpool_limits(1 if X.size < _SMALL else None):  # short products on many threads only wait
            self._learn(X)
            return self.transform(X)

    def _learn(self, X: Array) -> None:
        rng = check_random_state(self.random_state)
        self.alpha_ = self._lambda(X)
        work = X.astype(np.float64)
        n, d = work.shape
        rank = self.n_components + max(44, self.n_components // 2)
        basis = randomized_svd(work, rank, n_iter=2, random_state=rng)[2] if rank < min(n, d) else None  # (r, d)
        reduced = work if basis is None else work @ basis.T
        U = self._start(reduced, basis, rng)
        U, V, self.n_iter_ = self._alternate(reduced, U)
        if basis is not None:
            U = U @ basis
            for _ in range(_POLISH):
                V = sweep_codes(work @ U.T, U @ U.T, V, self.alpha_, 3)
                U = update_concepts(V.T @ V, V.T @ work, U)
        V = exact_codes(work, U, self.alpha_)
        order = np.argsort(-V.sum(0) * np.linalg.norm(U, axis=1), kind="stable")
        self.components_ = U[order].astype(X.dtype)
        self.objective_ = objective(work, V, U, self.alpha_)
        self.reconstruction_err_ = float(np.linalg.norm(work - V @ U))
        self.n_dead_ = int((V.max(0) <= 0).sum())

    def transform(self, X: Any) -> Array:
        """Exact activations of X (n, n_features) for the learnt concepts: (n, n_components), not negative."""
        check_is_fitted(self)
        X = validate_data(self, X, dtype=[np.float64, np.float32], reset=False)
        return exact_codes(X, self.components_, self.alpha_).astype(X.dtype)

    def inverse_transform(self, V: Any) -> Array:
        """Rebuild samples from activations: V (n, n_components) @ U."""
        check_is_fitted(self)
        return np.asarray(V) @ self.components_

    def _lambda(self, X: Array) -> float:
        if not (isinstance(self.n_components, int | np.integer) and self.n_components >= 1):
            raise ValueError(f"n_components is {self.n_components!r}; expected a whole number of at least 1.")
        if isinstance(self.alpha, str) and self.alpha != "auto":
            raise ValueError(f"alpha is {self.alpha!r}; expected a number of at least 0 or 'auto'.")
        lam = 0.2 * float(row_norms(X).mean()) if isinstance(self.alpha, str) else float(self.alpha)
        if not lam >= 0:
            raise ValueError(f"alpha is {self.alpha!r}; expected a number of at least 0 or 'auto'.")
        return lam

    def _start(self, X: Array, basis: Array | None, rng: np.random.RandomState) -> Array:
        k = self.n_components
        if not isinstance(self.init, str):
            U = np.array(self.init, dtype=np.float64)
            if U.shape != (k, self.n_features_in_):
                raise ValueError(
                    f"init has shape {U.shape}; expected (n_components, n_features) = ({k}, {self.n_features_in_})."
                )
            U = U if basis is None else U @ basis.T
        elif self.init == "kmeans++":
            norms = row_norms(X)
            unit = X[norms > 0] / norms[norms > 0, None]
            U = (
                kmeans_plusplus(unit, min(k, len(unit)), random_state=rng)[0]
                if len(unit)
                else np.empty((0, X.shape[1]))
            )
            U = np.concatenate([U, rng.normal(size=(k - len(U), X.shape[1]))])
            U = U + 1e-3 * rng.normal(size=U.shape) / np.sqrt(X.shape[1])
        elif self.init == "random":
            U = rng.normal(size=(k, X.shape[1]))
        else:
            raise ValueError(
                f"init is {self.init!r}; expected 'kmeans++', 'random' or an array (n_components, n_features)."
            )
        return U / np.maximum(
            1.0 if not isinstance(self.init, str) else 1e-12, np.linalg.norm(U, axis=1, keepdims=True)
        )

    def _alternate(self, X: Array, U: Array) -> tuple[Array, Array, int]:
        """Accelerated alternating minimisation; accepted iterates never raise the objective."""
        lam, beta, cap = self.alpha_, 0.5, 1.0
        V = sweep_codes(X @ U.T, U @ U.T, np.zeros((len(X), len(U))), lam, 5)
        best = objective(X, V, U, lam)
        path, ahead_u, ahead_v = [best], U, V
        for i in range(1, self.max_iter + 1):
            new_v = sweep_codes(X @ ahead_u.T, ahead_u @ ahead_u.T, ahead_v, lam)
            next_v = np.maximum(0.0, new_v + beta * (new_v - V))
            new_u = update_concepts(next_v.T @ next_v, next_v.T @ X, ahead_u)
            new_v = sweep_codes(X @ new_u.T, new_u @ new_u.T, next_v, lam, 1)
            value = objective(X, new_v, new_u, lam)
            if value > best:
                ahead_u, ahead_v, cap, beta = U, V, beta, beta / 1.5
                if beta < 1e-6:
                    beta = 0.0
            else:
                ahead_u, ahead_v = new_u + beta * (new_u - U), np.maximum(0.0, new_v + beta * (new_v - V))
                ahead_u /= np.maximum(1.0, np.linalg.norm(ahead_u, axis=1, keepdims=True))
                U, V, best = new_u, new_v, value
                cap, beta = min(1.0, 1.01 * cap), min(cap, 1.05 * beta)
                U, V = self._revive(X, U, V)
            path.append(best)
            if i >= 10 and path[-11] - best <= self.tol * best:
                return U, V, i
        warnings.warn(
            f"Semi-NMF stopped after max_iter={self.max_iter} iterations before reaching tol={self.tol}.",
            ConvergenceWarning,
            stacklevel=4,
        )
        return U, V, self.max_iter

    @staticmethod
    def _revive(X: Array, U: Array, V: Array) -> tuple[Array, Array]:
        """Give a concept that no sample uses the direction of the worst explained sample (its codes stay 0)."""
        dead = np.flatnonzero(V.max(0) <= 0)
        if len(dead):
            residual = X - V @ U
            worst = np.argsort(-row_norms(residual))[: len(dead)]
            norms = row_norms(residual[worst])
            keep = norms > 1e-9 * max(1e-300, float(row_norms(X).max()))
            U = U.copy()
            U[dead[: len(worst)][keep]] = residual[worst][keep] / norms[keep, None]
        return U, V
