"""Several starting points for Semi-NMF, whose objective has many local minima: the lowest objective wins.

Notation as in ``updates``; P (n, r) has the rows in a basis of r directions, in memory.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from .alternating import alternate, initial_activations, starting_concepts

Array = np.ndarray
_AUTO = ((40_000, 10), (100_000, 4))  # (largest rows × concepts, starting points), for n_init="auto"
_SCREENING_ITERATIONS = 15  # before starting points are compared
_ALL_TO_THE_END_ROWS = 1000  # up to which every starting point is run to convergence


@dataclass(frozen=True, eq=False)
class Fit:
    """Concepts U (K, r) and activations W (K, n), with the path of the objective that led there.

    Attributes
    ----------
    U : (n_concepts, r)
        Concepts in the basis.
    W : (n_concepts, n_samples)
        Activations.
    path
        The objective at the start and after every iteration, in the squared unit of P.
    converged
        Whether the tolerance was reached.
    """

    U: Array
    W: Array
    path: list[float]
    converged: bool


@dataclass(frozen=True, eq=False)
class Starts:
    """How often, and from where, Semi-NMF starts.

    Parameters
    ----------
    init
        ``"kmeans++"``, ``"random"``, or an array (n_components, n_features).
    n_init
        Number of starting points, or ``"auto"``.
    n_concepts, n_features
        Shape of the concepts.
    max_iter, tol
        Largest number of iterations per starting point, and tolerance relative to the objective.
    """

    init: Any
    n_init: Any
    n_concepts: int
    n_features: int
    max_iter: int
    tol: float

    def best(self, P: Array, basis: Array | None, n_rows: int, lam: float, rng: np.random.RandomState) -> Fit:
        """Lowest end of all starting points.

        Two are run to convergence. If their objectives differ, the others are screened by a few iterations, the best third
        is run to convergence, too (all of them where there are few rows), and the best is refined to a tenth of ``tol``.

        Parameters
        ----------
        P : (n_samples, r)
            Representations in the basis.
        basis : (n_features, r)
            The basis; None where P has the features themselves.
        n_rows
            Number of rows of X, of which P may be a sample.
        lam
            λ, the weight of the sparsity, in the unit of P.
        rng
            Random state of the starting points.

        Returns
        -------
        Fit
            Concepts in the basis, and activations of the rows of P.
        """

        def start() -> tuple[Array, Array]:
            U = self._concepts(P, basis, rng).astype(P.dtype)
            return U, initial_activations(P, U, lam)

        def follow(U: Array, W: Array, path: list[float], tol: float) -> Fit:
            U, W, rest, converged = alternate(P, U, W, lam, max(1, self.max_iter - len(path) + 1), tol)
            return Fit(U, W, [*path[:-1], *rest], converged)

        n_starts = self._number(n_rows)
        if n_starts == 1:
            return follow(*start(), [0.0], self.tol)
        ends = [follow(*start(), [0.0], self.tol) for _ in range(2)]
        values = [end.path[-1] for end in ends]
        if abs(values[0] - values[1]) > self.tol * abs(values[0]):  # where two ends meet, the others would, too
            iterations = min(_SCREENING_ITERATIONS, self.max_iter)
            screening = [Fit(*alternate(P, *start(), lam, iterations, self.tol)) for _ in range(n_starts - 2)]
            screening.sort(key=lambda fit: fit.path[-1])
            n_follow = len(screening) if len(P) <= _ALL_TO_THE_END_ROWS else -(-len(screening) // 3)
            ends += [follow(fit.U, fit.W, fit.path, self.tol) for fit in screening[:n_follow]]
        best = min(ends, key=lambda end: end.path[-1])
        return follow(best.U, best.W, best.path, self.tol / 10)

    def _number(self, n_rows: int) -> int:
        if not isinstance(self.init, str):
            return 1
        if self.n_init == "auto":
            return next((n for largest, n in _AUTO if n_rows * self.n_concepts <= largest), 1)
        if isinstance(self.n_init, str) or not self.n_init >= 1:
            raise ValueError(f"n_init is {self.n_init!r}; expected a whole number of at least 1, or 'auto'.")
        return int(self.n_init)

    def _concepts(self, P: Array, basis: Array | None, rng: np.random.RandomState) -> Array:
        if isinstance(self.init, str):
            if self.init not in ("kmeans++", "random"):
                raise ValueError(
                    f"init is {self.init!r}; expected 'kmeans++', 'random' or an array (n_components, n_features)."
                )
            return starting_concepts(P, self.n_concepts, self.init == "kmeans++", rng)
        U = np.array(self.init, dtype=np.float64)
        if U.shape != (self.n_concepts, self.n_features):
            raise ValueError(
                f"init has shape {U.shape}; expected (n_components, n_features) = ({self.n_concepts}, {self.n_features})."
            )
        U = U if basis is None else U @ basis
        return U / np.maximum(1.0, np.linalg.norm(U, axis=1, keepdims=True))
