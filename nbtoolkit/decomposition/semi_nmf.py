"""Semi-NMF, the decomposition of CoX-LMM, as a scikit-learn estimator.

    minimise ‖X − VU‖² + λ‖V‖₁   subject to V ≥ 0, ‖u_k‖₂ ≤ 1          (Parekh et al. 2024, section 3.2)

Alternating exact block minimisation, extrapolated with restarts, on a sample of the rows in the basis of their leading
singular vectors, then on all rows in that basis, then polished in the full space. X is only ever read block by block,
so it may be a memory-mapped file; the codes of a fixed dictionary are exact.
"""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted, validate_data
from threadpoolctl import threadpool_limits

from .alternating import alternate, first_codes, leading_basis, polish, starting_concepts
from .base import Dictionary
from .blocks import Blocks, few_plain_rows
from .solvers import ExactCodes, objective_of, update_concepts

Array = np.ndarray
_POLISH = 2  # passes in the full space after the reduced ones
_SHORT = 15  # iterations after which several starting points are compared
_FEW = 1000  # rows for which every one of them goes on to the end
_LIGHT = ((40_000, 10), (100_000, 4))  # rows times concepts up to which so many are tried
_HELD = 100_000  # rows that are iterated on in memory; more are polished and coded block by block
_KEPT = 25_000_000  # codes that are kept between the passes over all rows
_SMALL = 4_000_000  # numbers in X: below it threads only wait for each other


class SemiNMF(Dictionary):
    """Semi-NMF with sparse non-negative activations and unit-ball concepts: the method of CoX-LMM.

    Parameters
    ----------
    n_components
        Number of concepts (20 in the paper).
    alpha
        Weight of the sparsity. ``"auto"`` takes λ = 0.2 × the mean row norm, so that it does not depend on the model's
        scale.
    convention
        What ``alpha`` weighs against: ``"paper"``, the loss as printed (``alpha`` is λ); ``"sklearn"``, half of it, as
        ``DictionaryLearning`` and the authors' code do (``alpha`` is λ / 2).
    max_iter, tol
        Stop after this many iterations, or when ten of them lower the objective by less than ``tol`` times itself.
    init
        ``"kmeans++"`` (spread rows of X, scaled to unit norm), ``"random"`` directions, or an array (n_components, n_features).
    n_init
        Starting points, of which the lowest end is kept, because the problem has many local minima. Two are followed to
        their end; if they end apart, the others are tried for a few iterations, the best third (all, up to 1,000 rows)
        are followed too, and the best end is refined to a tenth of ``tol``. ``"auto"``: 10 where rows × concepts are at
        most 40,000, 4 up to 100,000, else 1.
    random_state
        Seed of every random choice.

    Attributes
    ----------
    components_ : (n_components, n_features)
        U; the concept of largest total activation Σ_i v_ik‖u_k‖₂ first.
    alpha_ : float
        λ of the paper that was used.
    objective_ : float
        ‖X − VU‖² + λ‖V‖₁ at the end (after ``partial_fit``: of the last block).
    objective_path_ : (n_iter_ + 1,)
        The objective on the sample of rows that is iterated on; it never rises.
    reconstruction_err_ : float
        Frobenius norm ‖X − VU‖.
    n_iter_ : int
        Iterations done.
    n_dead_ : int
        Concepts that no training sample uses.
    n_samples_seen_ : int
        Rows that ``fit`` or all calls of ``partial_fit`` have read.

    References
    ----------
    Parekh et al., "A Concept-Based Explainability Framework for Large Multimodal Models", NeurIPS 2024, section 3.2.

    Examples
    --------
    >>> X = np.random.default_rng(0).normal(size=(30, 8))
    >>> SemiNMF(3, alpha=0.1, random_state=0).fit_transform(X).shape
    (30, 3)
    """

    def __init__(self, n_components: int = 20, *, alpha: float | str = "auto", convention: str = "paper", max_iter: int = 1000, tol: float = 1e-4,
                 init: str | Array = "kmeans++", n_init: int | str = "auto", random_state: Any = None) -> None:  # fmt: skip
        self.n_components = n_components
        self.alpha = alpha
        self.convention = convention
        self.max_iter = max_iter
        self.tol = tol
        self.init = init
        self.n_init = n_init
        self.random_state = random_state

    def fit(self, X: Any, y: Any = None) -> SemiNMF:
        """Learn the concepts of X: an array, a torch tensor, or a memory-mapped array (n_samples, n_features)."""
        blocks = self._blocks(X, reset=True)
        with threadpool_limits(1 if blocks.size < _SMALL else None):
            self._learn(blocks)
        return self

    def fit_transform(self, X: Any, y: Any = None) -> Array:
        """Learn the concepts of X and give its exact activations (n_samples, n_components)."""
        return self.fit(X).transform(X)

    def partial_fit(self, X: Any, y: Any = None) -> SemiNMF:
        """Go on learning from a further block of rows; every row counts the same, whatever the size of its block.

        The first block must have at least ``n_components`` rows: the concepts start from it.
        """
        first = not hasattr(self, "_seen")
        blocks = self._blocks(X, reset=first)
        if first:
            if blocks.n < self.n_components:
                raise ValueError(
                    f"The first block has n_samples={blocks.n}; expected at least n_components={self.n_components}."
                )
            self._learn(blocks)
            self._seen, self.n_samples_seen_ = (0.0, 0.0), 0
        rows = blocks.checked(blocks.take(np.arange(blocks.n)))
        V = self._encoder().of(rows, self.alpha_)
        self._seen = A, B = self._seen[0] + V.T @ V, self._seen[1] + V.T @ rows
        U = update_concepts(A, B, self.components_.astype(np.float64))
        x2 = float(np.square(rows, dtype=np.float64).sum())
        self.objective_ = objective_of(V.T @ V, V.T @ rows, U, float(V.sum()), x2, self.alpha_)
        self.n_samples_seen_ += blocks.n
        self.n_dead_ = int((np.diag(A) <= 0).sum())
        self._set_components(U.astype(self.components_.dtype))
        return self

    def transform(self, X: Any) -> Array:
        """Exact activations of X (n, n_features) for the learnt concepts: (n, n_components), not negative."""
        if few_plain_rows(X, self):
            return self._encoder().of(X, self.alpha_).astype(X.dtype)
        check_is_fitted(self, "components_")
        blocks, encoder = self._blocks(X, reset=False), self._encoder()
        out = np.empty((blocks.n, len(self.components_)), blocks.dtype)
        for rows, block in blocks:
            out[rows] = encoder.of(block, self.alpha_)
        return out

    def inverse_transform(self, V: Any) -> Array:
        """Rebuild samples from activations: V (n, n_components) @ U."""
        check_is_fitted(self, "components_")
        return np.asarray(V) @ self.components_

    # --- learning --------------------------------------------------------------------------------------

    def _learn(self, X: Blocks) -> None:
        rng = check_random_state(self.random_state)
        self.alpha_ = lam = self._lambda(X)
        k = self.n_components
        some = X.n if X.size <= _SMALL else min(X.n, max(4096, 40 * k))
        sample = X.checked(X.take(np.arange(X.n) if some == X.n else np.sort(rng.choice(X.n, some, replace=False))))
        rank = k + max(44, k // 2)
        basis = None if rank >= min(X.d, some) else leading_basis(sample, rank, rng)  # (d, rank)
        P = sample if basis is None else sample @ basis
        U, W, path, converged = self._from_best_start(P, basis, X.n, rng)
        if some < X.n:
            more = np.arange(X.n) if X.n <= _HELD else np.sort(rng.choice(X.n, _HELD, replace=False))
            P = X.checked(X.project(basis, more))
            U, W, path, _ = alternate(P, U, first_codes(P, U, lam, 8), lam, max(1, self.max_iter // 8), self.tol)
        if basis is not None:
            U = U @ basis.T
        if basis is not None or W.shape[1] < X.n:
            if W.shape[1] < X.n:  # the codes of all rows begin at 0, and are kept where they are not too many
                W = np.zeros((k, X.n if X.n * k <= _KEPT else 0), U.dtype)
            for _ in range(_POLISH):
                U, gain = polish(X, U, W if W.size else None, lam)
                if gain < (10 if some == X.n else 300) * self.tol:  # the next one gains about a thirtieth of it
                    break
        if not converged:
            warnings.warn(
                f"Semi-NMF stopped after max_iter={self.max_iter} iterations before reaching tol={self.tol}.",
                ConvergenceWarning,
                stacklevel=4,
            )
        self.objective_path_, self.n_iter_, self.n_samples_seen_ = np.array(path), len(path) - 1, X.n
        self._finish(X, U, W if W.shape[1] == X.n else None)

    def _from_best_start(
        self, P: Array, basis: Array | None, n: int, rng: np.random.RandomState
    ) -> tuple[Array, Array, list[float], bool]:
        lam, path = self.alpha_, [0.0]

        def begin() -> tuple[Array, Array]:
            U = self._start(P, basis, rng).astype(P.dtype)
            return U, first_codes(P, U, lam)

        def finish(U: Array, W: Array, before: list[float], tol: float) -> tuple[Array, Array, list[float], bool]:
            U, W, path, converged = alternate(P, U, W, lam, max(1, self.max_iter - len(before) + 1), tol)
            return U, W, [*before[:-1], *path], converged

        tries = self._tries(n)
        if tries == 1:
            return finish(*begin(), path, self.tol)
        ends = [finish(*begin(), path, self.tol) for _ in range(2)]
        values = [end[2][-1] for end in ends]
        if abs(values[0] - values[1]) > self.tol * abs(values[0]):  # two starts that meet speak for the others too
            tried = (alternate(P, *begin(), lam, min(_SHORT, self.max_iter), self.tol) for _ in range(tries - 2))
            starts = sorted((start[:3] for start in tried), key=lambda start: start[2][-1])
            some = starts if len(P) <= _FEW else starts[: -(-len(starts) // 3)]
            ends += [finish(*start, self.tol) for start in some]
        U, W, before, _ = min(ends, key=lambda end: end[2][-1])
        return finish(U, W, before, self.tol / 10)

    def _tries(self, n: int) -> int:
        if not isinstance(self.init, str):
            return 1
        if self.n_init == "auto":
            return next((tries for most, tries in _LIGHT if n * self.n_components <= most), 1)
        if isinstance(self.n_init, str) or not self.n_init >= 1:
            raise ValueError(f"n_init is {self.n_init!r}; expected a whole number of at least 1, or 'auto'.")
        return int(self.n_init)

    def _start(self, P: Array, basis: Array | None, rng: np.random.RandomState) -> Array:
        k = self.n_components
        if isinstance(self.init, str):
            if self.init not in ("kmeans++", "random"):
                raise ValueError(
                    f"init is {self.init!r}; expected 'kmeans++', 'random' or an array (n_components, n_features)."
                )
            return starting_concepts(P, k, self.init == "kmeans++", rng)
        U = np.array(self.init, dtype=np.float64)
        if U.shape != (k, self.n_features_in_):
            raise ValueError(
                f"init has shape {U.shape}; expected (n_components, n_features) = ({k}, {self.n_features_in_})."
            )
        U = U if basis is None else U @ basis
        return U / np.maximum(1.0, np.linalg.norm(U, axis=1, keepdims=True))

    def _finish(self, X: Blocks, U: Array, W: Array | None) -> None:
        """Order the concepts, and state the objective of the exact codes."""
        encoder, A, fit = ExactCodes(U), np.zeros((len(U), len(U))), 0.0
        sums, largest = np.zeros(len(U)), np.zeros(len(U))
        for rows, block in X:
            products = block @ U.T
            V = encoder.solve(products - self.alpha_ / 2, None if W is None else W[:, rows])
            A += V.T @ V
            fit += float(np.sum(V * products))
            sums += V.sum(0)
            largest = np.maximum(largest, V.max(0))
        U64 = U.astype(np.float64)
        error = max(0.0, X.norms()[0] - 2 * fit + float(np.sum(A * (U64 @ U64.T))))
        self.objective_, self.reconstruction_err_ = error + self.alpha_ * float(sums.sum()), float(np.sqrt(error))
        self.n_dead_ = int((largest <= 0).sum())
        order = np.argsort(-sums * np.linalg.norm(U, axis=1), kind="stable")
        self._set_components(U[order].astype(X.dtype))

    def _set_components(self, U: Array) -> None:
        """Set the concepts, with what their codes need: a single sample then takes a fraction of a millisecond."""
        self.components_, self._made = U, (U, ExactCodes(U))

    def _encoder(self) -> ExactCodes:
        made: Any = getattr(self, "_made", (None, None))
        return made[1] if made[0] is self.components_ else ExactCodes(self.components_)

    # --- settings and input ----------------------------------------------------------------------------

    def _lambda(self, X: Blocks) -> float:
        if not (isinstance(self.n_components, int | np.integer) and self.n_components >= 1):
            raise ValueError(f"n_components is {self.n_components!r}; expected a whole number of at least 1.")
        if self.convention not in ("paper", "sklearn"):
            raise ValueError(
                f"convention is {self.convention!r}; expected 'paper' (alpha is λ) or 'sklearn' (alpha is λ / 2)."
            )
        auto = isinstance(self.alpha, str) and self.alpha == "auto"
        if not auto and (isinstance(self.alpha, str) or not self.alpha >= 0):
            raise ValueError(f"alpha is {self.alpha!r}; expected a number of at least 0 or 'auto'.")
        if auto:
            return 0.2 * X.norms()[1]
        return float(self.alpha) * (2 if self.convention == "sklearn" else 1)

    def _blocks(self, X: Any, reset: bool) -> Blocks:
        """Check X, and give it to be read in blocks; a memory-mapped array is not copied."""
        if hasattr(X, "detach"):  # a torch tensor, wherever it is
            X = X.detach().cpu()
            X = (X.float() if X.dtype.itemsize < 4 else X).numpy()
        if not (isinstance(X, np.memmap) and X.ndim == 2 and X.dtype.kind == "f"):
            X = validate_data(self, X, dtype=[np.float64, np.float32], reset=reset)
        elif reset:
            self.n_features_in_ = X.shape[1]
        elif X.shape[1] != self.n_features_in_:
            raise ValueError(
                f"X has {X.shape[1]} features, but SemiNMF is expecting {self.n_features_in_} features as input."
            )
        return Blocks(X, measure=reset or isinstance(X, np.memmap))  # of an array that is only encoded, all is known
