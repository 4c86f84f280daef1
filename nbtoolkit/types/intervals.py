"""Confidence intervals of a mean that cover: Wilson for 0/1 values, Student's t corrected for skewness for others."""

from __future__ import annotations

import numpy as np

from .representations import Array

_SHRINKAGE = 8  # of the skewness towards 0: that of few values is mostly noise where their tails are heavy


def mean_interval(values: Array, level: float = 0.95) -> tuple[float, float]:
    """Confidence interval of the mean of independent values.

    Values that are all 0 or 1 have Wilson's interval. Others have Student's t after Hall's monotone transformation,
    which removes the skewness of the t statistic; the skewness of few values is shrunk towards 0. By simulation
    (``python -m tests.benchmarks.nulls``) a level of 0.95 covers the mean of normal, exponential, Laplace and 0/1 values and
    of skewed differences with 93 to 97 per cent from n = 20, and at least 90 per cent at n = 10. Student's t alone and the
    bootstrap (percentiles, BCa) do not for exponential values, and the transformation alone does not for Laplace values.

    Parameters
    ----------
    values : (n,)
        Without NaN, in any unit.
    level
        Confidence level, 0 to 1.

    Returns
    -------
    float, float
        Lower and upper end, in the unit of the values; NaN for fewer than two values or infinite ones, and both the mean
        where all values are equal and neither 0 nor 1.

    References
    ----------
    Wilson, "Probable inference, the law of succession, and statistical inference", JASA 1927; Hall, "On the removal of
    skewness by transformation", Journal of the Royal Statistical Society B 1992, section 2 (with the quantiles of
    Student's t in place of the normal or bootstrap ones).

    Examples
    --------
    >>> low, high = mean_interval(np.array([0, 0, 0, 1]))
    >>> round(low, 3), round(high, 3)
    (0.046, 0.699)
    """
    n = len(values)
    if n < 2 or not np.isfinite(values).all():
        return float("nan"), float("nan")
    from scipy.stats import binomtest, t  # half a second, which opening a study and a view need not wait for

    if np.isin(values, (0.0, 1.0)).all():
        low, high = binomtest(int(values.sum()), n).proportion_ci(level, method="wilson")
        return float(low), float(high)
    mean, deviation = float(values.mean()), float(values.std(ddof=1))
    if np.ptp(values) == 0:
        return mean, mean
    skewness = n / (n + _SHRINKAGE) * float(np.mean(((values - mean) / values.std()) ** 3))
    quantile = float(t.ppf((1 + level) / 2, n - 1)) / np.sqrt(n)
    low, high = (float(mean - deviation * _hall(u, skewness, n)) for u in (quantile, -quantile))
    return low, high


def _hall(u: float, skewness: float, n: int) -> float:
    """Inverse of Hall's transformation g(T) = T + γT²/3 + γ²T³/27 + γ/6n of the studentized mean T = (x̄ − μ)/s."""
    if abs(skewness) < 1e-6:
        return u
    return float(3 / skewness * (np.cbrt(1 + skewness * (u - skewness / (6 * n))) - 1))
