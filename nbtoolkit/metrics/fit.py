"""How much of the representations a dictionary rebuilds."""

from __future__ import annotations

import numpy as np


def explained_variance(states: np.ndarray, rebuilt: np.ndarray) -> float:
    """1 − ‖Z − Ẑ‖² / ‖Z − mean(Z)‖²: about the mean of every dimension, at most 1, no unit.

    Parameters
    ----------
    states, rebuilt : (n, d_model)
        Z and its reconstruction.

    Examples
    --------
    >>> Z = np.array([[1.0, 0.0], [3.0, 0.0]])
    >>> explained_variance(Z, Z), explained_variance(Z, np.full_like(Z, [2.0, 0.0]))
    (1.0, 0.0)
    """
    Z = np.asarray(states, np.float64)
    total = float(np.square(Z - Z.mean(0)).sum())
    return 1.0 - float(np.square(Z - rebuilt).sum()) / max(total, 1e-300)
