"""Rows of a matrix in blocks, so that the matrix may be larger than memory."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from .activations import MAX_SEPARATE_ROWS

Array = np.ndarray
BLOCK_ROWS = 512  # of 4,096 columns they stay in the cache between two products


def on_host(X: Any) -> Any:
    """Array of a torch tensor on any device, at least float32; anything else unchanged.

    Parameters
    ----------
    X
        A torch tensor, or an array.
    """
    if not hasattr(X, "detach"):
        return X
    X = X.detach().cpu()
    return (X.float() if X.dtype.itemsize < 4 else X).numpy()


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
    scale : (d,)
        Factor of each column, applied to all that is read; None for 1.

    Attributes
    ----------
    n, d, size
        Rows, columns and entries.
    dtype
        float64 where X is, else float32.
    longest
        Longer rows are read at this norm; None reads all as they are. Set it after :meth:`norms`.
    """

    def __init__(self, X: Array, measure: bool, scale: Array | None = None) -> None:
        self.X = X
        self.longest: float | None = None
        self.n, self.d = X.shape
        self.size = X.size
        self.dtype = np.dtype(np.float64 if X.dtype == np.float64 else np.float32)
        self._scale = None if scale is None else scale.astype(self.dtype)
        self._measure, self._lengths = measure, np.zeros(self.n)

    @property
    def _copy(self) -> bool:
        altered = self._scale is not None or self.longest is not None
        return altered or self.X.dtype != self.dtype or isinstance(self.X, np.memmap)

    def _alter(self, block: Array, rows: slice | Array) -> Array:
        """Scale columns and shorten rows, in place."""
        if self._scale is not None:
            block *= self._scale
        if self.longest is not None:
            block *= np.minimum(1, self.longest / np.maximum(self._lengths[rows], 1e-300))[:, None].astype(self.dtype)
        return block

    def __iter__(self) -> Iterator[tuple[slice, Array]]:
        buffer = np.empty((min(BLOCK_ROWS, self.n), self.d), self.dtype) if self._copy else None
        for start in range(0, self.n, BLOCK_ROWS):
            rows = slice(start, min(start + BLOCK_ROWS, self.n))
            block = self.X[rows]
            if buffer is not None:
                block = buffer[: rows.stop - start]
                block[:] = self.X[rows]
                self._alter(block, rows)
            if self._measure:
                self._lengths[rows] = np.sqrt(_squared_norms(block, start))
            yield rows, block
        self._measure = False

    def norms(self) -> Array:
        """Norm of every row, from the first pass over all rows, which is made here if none was made before.

        Returns
        -------
        (n,) float64 array
            In the unit of X, scaled; at most ``longest``.

        Raises
        ------
        ValueError
            NaN or infinity, with its row and column.
        """
        if self._measure:
            for _ in self:
                continue
        return self._lengths if self.longest is None else np.minimum(self._lengths, self.longest)

    def squared_norm(self) -> float:
        """‖X‖² of what is read, in the squared unit of X."""
        return float(np.square(self.norms()).sum())

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

    def subset(self, m: int, rng: np.random.RandomState) -> Array:
        """Indices of m rows at random, ascending; of all rows without a random choice.

        Parameters
        ----------
        m
            Number of rows, at most n.
        rng
            Random state of the choice.

        Returns
        -------
        (m,) int array
            The indices.
        """
        return np.arange(self.n) if m == self.n else np.sort(rng.choice(self.n, m, replace=False))

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
        if len(rows) == self.n and not self._copy:
            return self.X
        part = slice(None) if len(rows) == self.n else rows
        return self._alter(np.array(self.X[part], self.dtype), part)

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
