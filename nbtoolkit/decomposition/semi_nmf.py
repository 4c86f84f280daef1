"""Semi-NMF, the decomposition of CoX-LMM, as a scikit-learn estimator.

    minimise ‖X − VU‖² + λ‖V‖₁   subject to V ≥ 0, ‖u_k‖₂ ≤ 1          (Parekh et al. 2024, section 3.2)

Alternating exact block minimisation, extrapolated with restarts: on a sample of the rows in the basis of their leading
singular vectors, then on all rows in that basis, then in the full space. X is only read block by block, so it may be a
memory-mapped file; the activations for a fixed dictionary are exact.
"""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted, validate_data
from threadpoolctl import threadpool_limits

from .activations import ExactEncoder
from .alternating import alternate, full_space_passes, initial_activations, leading_basis
from .base import Dictionary
from .blocks import Blocks, is_small_and_valid, on_host
from .massive import coordinate_scale, regular_norm, warn_of_dead_concepts
from .starts import Starts
from .updates import objective_from_products, update_concepts

Array = np.ndarray
_FULL_SPACE_PASSES = 2  # at most, after the iterations in the basis
_MAX_ROWS_IN_MEMORY = 100_000  # iterated on in the basis; further rows only take part in the full space
_MAX_STORED_ACTIVATIONS = 25_000_000  # between the passes over all rows
_SMALL_SIZE = 4_000_000  # entries of X below which threads cost more than they save, and all rows are one sample


class SemiNMF(Dictionary):
    """Semi-NMF with sparse non-negative activations and unit-ball concepts: the method of CoX-LMM.

    Parameters
    ----------
    n_components
        Number of concepts (20 in the paper).
    alpha
        Weight of the sparsity, in the unit of X: a number gives the objective as printed. ``"auto"``: λ = 0.2 × the mean
        row norm; massive coordinates are then scaled down in it, and outlier rows are shortened while concepts are learnt.
    convention
        Loss that ``alpha`` is relative to: ``"paper"``, the loss as printed (``alpha`` is λ); ``"sklearn"``, half of it,
        as in ``DictionaryLearning`` and the authors' code (``alpha`` is λ / 2).
    max_iter, tol
        Stop after this many iterations, or when ten of them lower the objective by less than ``tol`` times its value.
    init
        ``"kmeans++"`` (distant rows of X, scaled to unit norm), ``"random"`` directions, or an array
        (n_components, n_features).
    n_init
        Number of starting points; the lowest objective wins, because the problem has many local minima. Two are run to
        convergence; if their objectives differ, the others are screened by a few iterations, the best third (all, up to
        1,000 rows) is run to convergence, too, and the best is refined to a tenth of ``tol``. ``"auto"``: 10 where
        rows × concepts are at most 40,000, 4 up to 100,000, else 1.
    random_state
        Seed of every random choice: an int, a ``RandomState``, or None.

    Attributes
    ----------
    components_ : (n_components, n_features)
        U; the concept of largest total activation Σ_i v_ik‖u_k‖₂ first.
    alpha_ : float
        λ of the paper, as used.
    objective_ : float
        ‖X − VU‖² + λ‖V‖₁ at the end (after ``partial_fit``: of the last block).
    objective_path_ : (n_iter_ + 1,)
        The objective on the rows that are iterated on; it never rises.
    reconstruction_err_ : float
        Frobenius norm ‖X − VU‖.
    n_iter_ : int
        Number of iterations.
    n_dead_ : int
        Number of concepts that no training sample uses.
    scale_ : (n_features,) or None
        S in ‖(X − VU)S‖² + λ‖V‖₁, ‖u_k S‖₂ ≤ 1: factors of massive coordinates; None where there are none.
    n_outliers_ : int
        Number of outlier rows.
    n_samples_seen_ : int
        Number of rows read by ``fit`` or by all calls of ``partial_fit``.

    References
    ----------
    Parekh et al., "A Concept-Based Explainability Framework for Large Multimodal Models", NeurIPS 2024, section 3.2.

    Examples
    --------
    >>> X = np.random.default_rng(0).normal(size=(30, 8))
    >>> SemiNMF(3, alpha=0.1, random_state=0).fit_transform(X).shape
    (30, 3)
    """

    def __init__(
        self,
        n_components: int = 20,
        *,
        alpha: float | str = "auto",
        convention: str = "paper",
        max_iter: int = 1000,
        tol: float = 1e-4,
        init: str | Array = "kmeans++",
        n_init: int | str = "auto",
        random_state: Any = None,
    ) -> None:
        self.n_components = n_components
        self.alpha = alpha
        self.convention = convention
        self.max_iter = max_iter
        self.tol = tol
        self.init = init
        self.n_init = n_init
        self.random_state = random_state

    def fit(self, X: Any, y: Any = None) -> SemiNMF:
        """Learn the concepts of X.

        Parameters
        ----------
        X : (n_samples, n_features)
            Representations: an array, a torch tensor, or a memory-mapped array.
        y
            Ignored; scikit-learn's convention.

        Returns
        -------
        SemiNMF
            The fitted estimator itself.
        """
        blocks = self._blocks(X, reset=True)
        with threadpool_limits(1 if blocks.size < _SMALL_SIZE else None):
            self._learn(blocks)
        return self

    def partial_fit(self, X: Any, y: Any = None) -> SemiNMF:
        """Continue learning from a further block of rows; every row has the same weight, whatever the size of its block.

        Parameters
        ----------
        X : (n_samples, n_features)
            Representations; the first block needs at least ``n_components`` rows, from which the concepts start.
        y
            Ignored; scikit-learn's convention.

        Returns
        -------
        SemiNMF
            The fitted estimator itself.
        """
        first = not hasattr(self, "_products")
        blocks = self._blocks(X, reset=first)
        if first:
            if blocks.n < self.n_components:
                raise ValueError(
                    f"The first block has n_samples={blocks.n}; expected at least n_components={self.n_components}."
                )
            self._learn(blocks)
            self._products, self.n_samples_seen_ = (0.0, 0.0), 0
        blocks = Blocks(blocks.X, True, self.scale_)
        rows = blocks.require_finite(blocks.take(np.arange(blocks.n)))
        scale = 1.0 if self.scale_ is None else self.scale_
        V = ExactEncoder(self.components_ * scale).encode(rows, self.alpha_)
        self._products = A, B = self._products[0] + V.T @ V, self._products[1] + V.T @ rows
        U = update_concepts(A, B, self.components_.astype(np.float64) * scale)
        squared_norm = float(np.square(rows, dtype=np.float64).sum())
        self.objective_ = objective_from_products(V.T @ V, V.T @ rows, U, float(V.sum()), squared_norm, self.alpha_)
        self.n_samples_seen_ += blocks.n
        self.n_dead_ = int((np.diag(A) <= 0).sum())
        self._set_components((U / scale).astype(self.components_.dtype))
        return self

    def transform(self, X: Any) -> Array:
        """Exact activations for the concepts.

        Parameters
        ----------
        X : (n_samples, n_features)
            Representations, as for :meth:`fit`.

        Returns
        -------
        (n_samples, n_components) array
            V, at least 0.
        """
        if is_small_and_valid(X, self):
            return self._encoder().encode(X, self.alpha_).astype(X.dtype)
        check_is_fitted(self, "components_")
        blocks, encoder = self._blocks(X, reset=False), self._encoder()
        V = np.empty((blocks.n, len(self.components_)), blocks.dtype)
        for rows, block in blocks:
            V[rows] = encoder.encode(block, self.alpha_)
        return V

    def inverse_transform(self, V: Any) -> Array:
        """Reconstruction V @ U.

        Parameters
        ----------
        V : (n_samples, n_components)
            Activations.

        Returns
        -------
        (n_samples, n_features) array
            Reconstructed representations.
        """
        check_is_fitted(self, "components_")
        return np.asarray(V) @ self.components_

    def _learn(self, X: Blocks) -> None:
        rng = check_random_state(self.random_state)
        self.scale_ = coordinate_scale(X.X) if isinstance(self.alpha, str) else None
        X = X if self.scale_ is None else Blocks(X.X, True, self.scale_)
        self.alpha_ = lam = self._lambda(X)
        k = self.n_components
        m = X.n if X.size <= _SMALL_SIZE else min(X.n, max(4096, 40 * k))
        sample = X.require_finite(X.take(X.subset(m, rng)))
        rank = k + max(44, k // 2)
        basis = None if rank >= min(X.d, m) else leading_basis(sample, rank, rng)  # (d, rank)
        P = sample if basis is None else sample @ basis
        init = self.init if self.scale_ is None or isinstance(self.init, str) else np.asarray(self.init) * self.scale_
        starts = Starts(init, self.n_init, k, self.n_features_in_, self.max_iter, self.tol)
        fit = starts.best(P, basis, X.n, lam, rng)
        U, W, path = fit.U, fit.W, fit.path
        if m < X.n:
            P = X.require_finite(X.project(basis, X.subset(min(X.n, _MAX_ROWS_IN_MEMORY), rng)))
            W = initial_activations(P, U, lam, 8)
            U, W, path, _ = alternate(P, U, W, lam, max(1, self.max_iter // 8), self.tol)
        if basis is not None:
            U = U @ basis.T
        if basis is not None or W.shape[1] < X.n:
            if W.shape[1] < X.n:  # activations of all rows start at 0; too many of them are not stored
                W = np.zeros((k, X.n if X.n * k <= _MAX_STORED_ACTIVATIONS else 0), U.dtype)
            least_gain = (10 if m == X.n else 300) * self.tol  # the next pass gains about a thirtieth of it
            U = full_space_passes(X, U, W if W.size else None, lam, _FULL_SPACE_PASSES, least_gain)
        if not fit.converged:
            text = f"Semi-NMF stopped after max_iter={self.max_iter} iterations before reaching tol={self.tol}."
            warnings.warn(text, ConvergenceWarning, stacklevel=4)
        self.objective_path_, self.n_iter_, self.n_samples_seen_ = np.array(path), len(path) - 1, X.n
        self._finish(X, U, W if W.shape[1] == X.n else None)

    def _finish(self, X: Blocks, U: Array, W: Array | None) -> None:
        """Sort the concepts, and compute the objective with the exact activations of all rows at their own length."""
        X.longest = None
        encoder, A, inner = ExactEncoder(U), np.zeros((len(U), len(U))), 0.0
        sums, largest = np.zeros(len(U)), np.zeros(len(U))
        for rows, block in X:
            products = block @ U.T
            V = encoder.solve(products - self.alpha_ / 2, None if W is None else W[:, rows])
            A += V.T @ V
            inner += float(np.sum(V * products))
            sums += V.sum(0)
            largest = np.maximum(largest, V.max(0))
        U64 = U.astype(np.float64)
        error = max(0.0, X.squared_norm() - 2 * inner + float(np.sum(A * (U64 @ U64.T))))
        self.objective_, self.reconstruction_err_ = error + self.alpha_ * float(sums.sum()), float(np.sqrt(error))
        self.n_dead_ = int((largest <= 0).sum())
        order = np.argsort(-sums * np.linalg.norm(U, axis=1), kind="stable")
        self._set_components((U[order] if self.scale_ is None else U[order] / self.scale_).astype(X.dtype))
        warn_of_dead_concepts(self.n_dead_, len(U))

    def _set_components(self, U: Array) -> None:
        """Set the concepts with their encoder: a single sample then takes a fraction of a millisecond."""
        self.components_, self._cache = U, (U, ExactEncoder(U, self.scale_))

    def _encoder(self) -> ExactEncoder:
        cache: Any = getattr(self, "_cache", (None, None))
        if cache[0] is self.components_:
            return cache[1]
        return ExactEncoder(self.components_, getattr(self, "scale_", None))  # studies of release 0.1 have no scale_

    def _lambda(self, X: Blocks) -> float:
        """λ of the paper; checks the settings that it depends on."""
        if not (isinstance(self.n_components, int | np.integer) and self.n_components >= 1):
            raise ValueError(f"n_components is {self.n_components!r}; expected a whole number of at least 1.")
        if self.convention not in ("paper", "sklearn"):
            raise ValueError(
                f"convention is {self.convention!r}; expected 'paper' (alpha is λ) or 'sklearn' (alpha is λ / 2)."
            )
        auto = isinstance(self.alpha, str) and self.alpha == "auto"
        if not auto and (isinstance(self.alpha, str) or not self.alpha >= 0):
            raise ValueError(f"alpha is {self.alpha!r}; expected a number of at least 0 or 'auto'.")
        mean, self.n_outliers_ = regular_norm(X) if auto else (0.0, 0)
        return 0.2 * mean if auto else float(self.alpha) * (2 if self.convention == "sklearn" else 1)

    def _blocks(self, X: Any, reset: bool) -> Blocks:
        """Validate X without copying a memory-mapped array."""
        X = on_host(X)
        if not (isinstance(X, np.memmap) and X.ndim == 2 and X.dtype.kind == "f"):
            X = validate_data(self, X, dtype=[np.float64, np.float32], reset=reset)
        elif reset:
            self.n_features_in_ = X.shape[1]
        elif X.shape[1] != self.n_features_in_:
            raise ValueError(
                f"X has {X.shape[1]} features, but SemiNMF is expecting {self.n_features_in_} features as input."
            )
        return Blocks(X, measure=reset or isinstance(X, np.memmap))  # validate_data has checked the others
