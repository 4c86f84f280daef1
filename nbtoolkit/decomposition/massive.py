"""Massive coordinates and outlier rows of hidden states, which would rule every scale that is taken from the data.

A few coordinates of a language model's residual stream can be a thousand times as large as the others, in every sample and
almost constant (Sun et al. 2024). The row norm, and with it the weight of the sparsity and the tolerance, is then theirs alone.
"""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from .blocks import Blocks

Array = np.ndarray
MASSIVE = 30.0  # times the typical coordinate
OUTLIER = 10.0  # times the median row norm
_MIN_COORDINATES, _MIN_ROWS = 64, 20  # below, nothing is typical
_MAX_SHARE = 0.02  # of the coordinates, and of the rows: more of them are no exception
_ROWS = 256  # are enough to see coordinates that are massive in every row


def coordinate_scale(X: Any) -> Array | None:
    """Factors that bring massive coordinates to the size of a typical one; warns of them.

    A coordinate is massive if its median magnitude over samples is more than 30 times that of a typical coordinate.

    Parameters
    ----------
    X : (n_samples, n_features)
        Representations; 256 rows, evenly spaced, are read.

    Returns
    -------
    (n_features,) float64 array or None
        1 for other coordinates; None where no coordinate is massive, or so many that they are no exception.

    References
    ----------
    Sun et al., "Massive Activations in Large Language Models", COLM 2024, arXiv 2402.17762.

    Examples
    --------
    >>> import warnings
    >>> X = np.ones((50, 100))
    >>> X[:, 7] = 1000
    >>> with warnings.catch_warnings(action="ignore"):
    ...     scale = coordinate_scale(X)
    >>> scale[6:9].tolist()
    [1.0, 0.001, 1.0]
    """
    rows = np.asarray(X[:: max(1, X.shape[0] // _ROWS)][:_ROWS], np.float64)
    medians = np.median(np.abs(rows), axis=0)
    typical = float(np.median(medians))
    massive = np.flatnonzero(medians > MASSIVE * typical)
    if X.shape[1] < _MIN_COORDINATES or not typical > 0 or not 0 < len(massive) <= _largest_number(X.shape[1]):
        return None
    squares = np.square(rows).sum(0)
    _warn("Massive coordinates", "they are scaled to the size of the others", massive, squares)
    scale = np.ones(X.shape[1])
    scale[massive] = typical / medians[massive]
    return scale


def regular_norm(X: Blocks) -> tuple[float, int]:
    """Mean row norm without outlier rows, which are shortened from then on; warns of them.

    An outlier row is more than ten times as long as the median row.

    Parameters
    ----------
    X
        Representations; ``X.longest`` is set where there are outlier rows.

    Returns
    -------
    float, int
        The mean norm, in the unit of X, and the number of outlier rows.

    Examples
    --------
    >>> import warnings
    >>> from nbtoolkit.decomposition.blocks import Blocks
    >>> X = Blocks(np.diag([1.0] * 99 + [50.0]), measure=True)
    >>> with warnings.catch_warnings(action="ignore"):
    ...     regular_norm(X)
    (1.0, 1)
    """
    norms = X.norms()
    outliers = np.flatnonzero(norms > OUTLIER * np.median(norms))
    if X.n < _MIN_ROWS or not 0 < len(outliers) <= _largest_number(X.n):
        return float(norms.mean()), 0
    _warn("Outlier rows", "the concepts are learnt with them shortened", outliers, np.square(norms))
    regular = np.delete(norms, outliers)
    X.longest = float(regular.max())
    return float(regular.mean()), len(outliers)


def warn_of_dead_concepts(
    n_dead: int, n_concepts: int, advice: str = "Use fewer concepts, or a smaller alpha.", *, stacklevel: int = 6
) -> None:
    """Warn of concepts that no training sample uses.

    Parameters
    ----------
    n_dead, n_concepts
        Number of dead concepts, and of all.
    advice
        What to do.
    stacklevel
        Number of callers up to the one that the warning names.
    """
    if n_dead:
        warnings.warn(
            f"{n_dead} of {n_concepts} concepts are dead: no sample uses them. {advice}", stacklevel=stacklevel
        )


def _largest_number(n: int) -> float:
    """Exceptions are at most 2 % of all, and one may always be."""
    return max(1, _MAX_SHARE * n)


def _warn(what: str, consequence: str, indices: Array, squares: Array) -> None:
    """Warn with the first indices and their share of the squared norm."""
    share = squares[indices].sum() / squares.sum()
    first = ", ".join(str(i) for i in indices[:5]) + (f" and {len(indices) - 5} more" if len(indices) > 5 else "")
    text = f"{what} ({first}) have {share:.1%} of the squared norm of the representations: {consequence}."
    warnings.warn(text, stacklevel=7)
