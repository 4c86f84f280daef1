"""A matrix that is read block by block, so that it may be larger than memory."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from .solvers import FEW

Array = np.ndarray
ROWS = 512  # of 4,096 columns they stay in the cache between two products


def few_plain_rows(X: Any, estimator: Any) -> bool:
    """Finite rows of the width that was learnt, in a plain array, and so few that checking them again would take longer than coding them."""
    return (
        type(X) is np.ndarray
        and X.ndim == 2
        and 0 < len(X) <= FEW
        and X.dtype in (np.float32, np.float64)
        and X.shape[1] == getattr(estimator, "n_features_in_", None)
        and not hasattr(estimator, "feature_names_in_")
        and bool(np.isfinite(X).all())
    )


def squared_norms(rows: Array, first: int = 0) -> Array:
    """Squared norm of every row (n,), in float64; ``first`` is the number of the first one, for the error.

    Raises
    ------
    ValueError
        NaN or infinity, with its row and column.
    """
    squares = np.einsum("ij,ij->i", rows, rows).astype(np.float64)
    if not np.isfinite(squares).all():  # or too large for float32 when squared
        squares = np.einsum("ij,ij->i", rows, rows, dtype=np.float64)
    if not np.isfinite(squares).all():
        i = int(np.flatnonzero(~np.isfinite(squares))[0])
        j = int(np.flatnonzero(~np.isfinite(rows[i]))[0])
        what = "NaN" if np.isnan(rows[i, j]) else "infinity"
        raise ValueError(f"Input X contains {what} at row {first + i}, column {j}; expected finite numbers.")
    return squares


class Blocks:
    """Rows of X in blocks, in one buffer: a fresh large block would cost more in page faults than in reading.

    Parameters
    ----------
    X : (n, d)
        An array, possibly mapped from a file; float16 is read as float32.

    measure
        Whether the first pass over all rows also checks and measures them; see :meth:`norms`.

    Attributes
    ----------
    n, d, size
        Rows, columns, and entries.
    dtype
        float32, or float64 where X is.
    """

    def __init__(self, X: Array, measure: bool) -> None:
        self.X = X
        self.n, self.d = X.shape
        self.size = X.size
        self.dtype = np.dtype(np.float64 if X.dtype == np.float64 else np.float32)
        self._copy = X.dtype != self.dtype or isinstance(X, np.memmap)
        self._measure, self._norms = measure, (0.0, 0.0)

    def __iter__(self) -> Iterator[tuple[slice, Array]]:
        buffer = np.empty((min(ROWS, self.n), self.d), self.dtype) if self._copy else None
        total, lengths = 0.0, 0.0
        for start in range(0, self.n, ROWS):
            rows = slice(start, min(start + ROWS, self.n))
            part = self.X[rows]
            if buffer is not None:
                part = buffer[: rows.stop - start]
                part[:] = self.X[rows]
            if self._measure:
                squares = squared_norms(part, start)
                total += float(squares.sum())
                lengths += float(np.sqrt(squares).sum())
            yield rows, part
        if self._measure:
            self._norms, self._measure = (total, lengths / self.n), False

    def norms(self) -> tuple[float, float]:
        """‖X‖² and the mean norm of a row; they are made, and the rows checked, in the first pass over all rows, for whatever purpose.

        Raises
        ------
        ValueError
            NaN or infinity, with its row and column.
        """
        if self._measure:
            for _ in self:
                continue
        return self._norms

    def checked(self, some: Array) -> Array:
        """Give some rows, or what was made of them, back; where they are not finite, look through all for the error."""
        if not np.isfinite(some).all():
            self.norms()
        return some

    def take(self, rows: Array) -> Array:
        """Copy some rows, ascending: (len(rows), d)."""
        if len(rows) == self.n:
            return self.X if not self._copy else np.asarray(self.X, self.dtype)
        return np.asarray(self.X[rows], self.dtype)

    def project(self, basis: Array | None, chosen: Array) -> Array:
        """Chosen rows, ascending, of X @ basis: (len(chosen), rank); of X itself where there is no basis."""
        if basis is None:
            return self.take(chosen)
        out = np.empty((len(chosen), basis.shape[1]), self.dtype)
        if len(chosen) == self.n:
            for rows, block in self:
                np.matmul(block, basis, out=out[rows])
            return out
        for start in range(0, len(chosen), ROWS):
            np.matmul(self.take(chosen[start : start + ROWS]), basis, out=out[start : start + ROWS])
        return out
