"""Colours that views and figures share."""

from __future__ import annotations

from typing import Any

import numpy as np

# of Okabe and Ito, then Tol: distinct for all kinds of colour vision; js/src/threads.js has the same
THREADS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#aa4499", "#999933")

# red, green and blue beside zero, and at the end; colour-blind safe (ColorBrewer); js/src/colour_scale.js has the same
BELOW = ((103, 169, 207), (33, 102, 172))
ABOVE = ((239, 138, 98), (178, 24, 43))
OPACITY = 0.85  # at either end; 0 at zero


def colours(shares: Any) -> np.ndarray:
    """Colours of maps, in figures as in the views: blue below zero, red above, by the square root so that weak ones show.

    Parameters
    ----------
    shares
        Values as shares of the largest absolute one, -1 to 1; NaN is transparent.

    Returns
    -------
    numpy.ndarray
        (..., 4): red, green, blue and opacity, 0 to 1.
    """
    shares = np.nan_to_num(np.asarray(shares, float)).clip(-1, 1)
    size = np.abs(shares)[..., None]
    near, end = (np.where(shares[..., None] < 0, low, high) for low, high in zip(BELOW, ABOVE, strict=True))
    return np.concatenate([(near + size * (end - near)) / 255, OPACITY * np.sqrt(size)], -1)
