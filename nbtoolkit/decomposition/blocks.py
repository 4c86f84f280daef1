"""Rows of a matrix in blocks, so that the matrix may be larger than memory."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from .activations import MAX_SEPARATE_ROWS

Array = np.ndarray
BLOCK_ROWS = 512  # of 4,096 columns they stay in the cache between two products


def is_small_and_valid(X: Any, estimator: Any) -> bool:
    """Fast path for small, valid arrays: a plain finite matrix of the fitted width that needs no further check.

    Parameters
    ----------
    X
        The input of ``transform``.
    estimator
        The fitted scikit-learn estimator.

    Returns
    -------
    bool
        False does not mean invalid: the array then takes the general path.
    """
    return (
        type(X) is np.ndarray
        and X.ndim == 2
        and 0 < len(X) <= MAX_SEPARATE_ROWS
        and X.dtype in (np.float32, np.float64)
        and X.shape[1] == getattr(estimator, "n_features_in_", None)
        and not hasattr(estimator, "feature_names_in_")
        and bool(np.isfinite(X).all())
    )


def _squared_norms(rows: Array, first: int) -> Array:
    """Squared norm (n,) of every row in float64; ``first`` is the index of the first row, for the error message."""
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
    """Iterator over blocks of rows, as (slice, block), in one buffer: a new buffer per block would cost page faults.

    Parameters
    ----------
    X : (n, d)
        An array, possibly memory-mapped; float16 is read as float32.
    measure
        Whether the first pass over all rows also checks that they are finite and computes their norms; see :meth:`norms`.

    Attributes
    ----------
    n, d, size
        Rows, columns and entries.
    dtype
        float64 where X is, else float32.
    """

    def __init__(self, X: Array, measure: bool) -> None:
        self.X = X
        self.n, self.d = X.shape
        self.size = X.size
        self.dtype = np.dtype(np.float64 if X.dtype == np.float64 else np.float32)
        self._copy = X.dtype != self.dtype or isinstance(X, np.memmap)
        self._measure, self._norms = measure, (0.0, 0.0)

    def __iter__(self) -> Iterator[tuple[slice, Array]]:
        buffer = np.empty((min(BLOCK_ROWS, self.n), self.d), self.dtype) if self._copy else None
        total, lengths = 0.0, 0.0
        for start in range(0, self.n, BLOCK_ROWS):
            rows = slice(start, min(start + BLOCK_ROWS, self.n))
            block = self.X[rows]
            if buffer is not None:
                block = buffer[: rows.stop - start]
                block[:] = self.X[rows]
            if self._measure:
                squares = _squared_norms(block, start)
                total += float(squares.sum())
                lengths += float(np.sqrt(squares).sum())
            yield rows, block
        if self._measure:
            self._norms, self._measure = (total, lengths / self.n), False

    def norms(self) -> tuple[float, float]:
        """‖X‖² and the mean norm of a row, from the first pass over all rows, which is made here if none was made before.

        Returns
        -------
        float, float
            In the squared unit and in the unit of X.

        Raises
        ------
        ValueError
            NaN or infinity, with its row and column.
        """
        if self._measure:
            for _ in self:
                continue
        return self._norms

    def require_finite(self, values: Array) -> Array:
        """Check values computed from some rows; if they are not finite, all rows are searched for the cause.

        Parameters
        ----------
        values : (m, …)
            Rows of X, or numbers computed from them.

        Returns
        -------
        (m, …) array
            The values themselves.

        Raises
        ------
        ValueError
            NaN or infinity in X, with its row and column.
        """
        if not np.isfinite(values).all():
            self.norms()
        return values

    def take(self, rows: Array) -> Array:
        """Some rows of X; all of them are not copied where X is in memory in this dtype.

        Parameters
        ----------
        rows : (m,)
            Indices, ascending, without repetition.

        Returns
        -------
        (m, d) array
            The rows, in ``dtype``.
        """
        if len(rows) == self.n:
            return self.X if not self._copy else np.asarray(self.X, self.dtype)
        return np.asarray(self.X[rows], self.dtype)

    def project(self, basis: Array | None, rows: Array) -> Array:
        """Some rows of X @ basis; of X itself where there is no basis.

        Parameters
        ----------
        basis : (d, rank)
            An orthonormal basis, or None.
        rows : (m,)
            Indices, ascending, without repetition.

        Returns
        -------
        (m, rank) array
            Coordinates of the rows.
        """
        if basis is None:
            return self.take(rows)
        out = np.empty((len(rows), basis.shape[1]), self.dtype)
        if len(rows) == self.n:
            for part, block in self:
                np.matmul(block, basis, out=out[part])
            return out
        for start in range(0, len(rows), BLOCK_ROWS):
            np.matmul(self.take(rows[start : start + BLOCK_ROWS]), basis, out=out[start : start + BLOCK_ROWS])
        return out
