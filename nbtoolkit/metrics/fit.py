"""How much of the representations a dictionary rebuilds."""

from __future__ import annotations

import numpy as np

from ..types import Score


def explained_variance(states: np.ndarray, rebuilt: np.ndarray) -> Score:
    """1 − ‖Z − Ẑ‖² / ‖Z − mean(Z)‖²: about the mean of every dimension, at most 1, no unit.

    Parameters
    ----------
    states, rebuilt : (n, d_model)
        Z and its reconstruction.

    Returns
    -------
    Score
        Of each sample 1 − ‖z − ẑ‖² over the mean of ‖z − mean(Z)‖², so that their mean is the explained variance; NaN
        where the samples are all alike.

    Examples
    --------
    >>> Z = np.array([[1.0, 0.0], [3.0, 0.0]])
    >>> explained_variance(Z, Z).mean, explained_variance(Z, np.full_like(Z, [2.0, 0.0])).mean
    (1.0, 0.0)
    """
    Z = np.asarray(states, np.float64)
    spread = float(np.square(Z - Z.mean(0)).sum(1).mean())
    left = np.square(Z - rebuilt).sum(1)
    return Score(1 - left / spread if spread > 0 else np.full(len(Z), np.nan), "explained_variance")
