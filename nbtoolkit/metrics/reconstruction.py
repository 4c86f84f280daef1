"""Share of the representations that a dictionary reconstructs."""

from __future__ import annotations

from typing import Annotated

import numpy as np

from ..types import Score
from ..types.arguments import checked
from ..types.rules import Rule

Array = np.ndarray


@checked
def explained_variance(
    states: Annotated[Array, Rule("n d", rows=1)], reconstruction: Annotated[Array, Rule("n d")]
) -> Score:
    """Explained variance 1 − ‖Z − Ẑ‖² / ‖Z − mean(Z)‖², at most 1, no unit.

    Parameters
    ----------
    states, reconstruction : (n_samples, d_model)
        Z and Ẑ, in one unit.

    Returns
    -------
    Score
        Per sample 1 − ‖z − ẑ‖² over the mean of ‖z − mean(Z)‖², so that the mean is the explained variance; NaN where
        all samples are equal.

    Examples
    --------
    >>> Z = np.array([[1.0, 0.0], [3.0, 0.0]])
    >>> explained_variance(Z, Z).mean, explained_variance(Z, np.full_like(Z, [2.0, 0.0])).mean
    (1.0, 0.0)
    """
    Z = np.asarray(states, np.float64)
    variance = float(np.square(Z - Z.mean(0)).sum(1).mean())
    residual = np.square(Z - reconstruction).sum(1)
    return Score(1 - residual / variance if variance > 0 else np.full(len(Z), np.nan), "explained_variance")
