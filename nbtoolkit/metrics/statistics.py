"""Whether two scores differ."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.stats import permutation_test, ttest_ind

from ..errors import MethodError
from ..types import Score


@dataclass(frozen=True)
class Comparison:
    """Difference of two scores, with its tests.

    Attributes
    ----------
    difference
        Mean of the first minus mean of the second, in the unit of the scores.
    t, t_p
        Statistic and p-value of the independent two-sided t-test, as in the paper.
    permutation_p
        p-value of the two-sided paired permutation test on the same samples; NaN where the samples are not the same.
    """

    difference: float
    t: float
    t_p: float
    permutation_p: float


def compare(a: Score, b: Score, *, n_resamples: int = 9999, random_state: Any = 0) -> Comparison:
    """Test whether two scores differ.

    Parameters
    ----------
    a, b
        Scores; of the same samples in the same order for the paired test.
    n_resamples
        Number of random sign flips of the paired test (all of them where there are fewer).
    random_state
        Seed of the sign flips: an int, a ``numpy.random.Generator``, or None.

    Returns
    -------
    Comparison
        Difference and p-values.

    Raises
    ------
    MethodError
        One of the scores has fewer than two defined values.

    References
    ----------
    Parekh et al., "A Concept-Based Explainability Framework for Large Multimodal Models", NeurIPS 2024, appendix D and
    Table 11 (independent t-test).

    Examples
    --------
    >>> a, b = Score(np.arange(8.0)), Score(np.arange(8.0) - 3)
    >>> round(compare(a, b).permutation_p, 3)
    0.008
    """
    for score in (a, b):
        if len(score.defined) < 2:
            raise MethodError(f"{score.name} has {len(score.defined)} defined values; expected at least 2 to compare.")
    test = ttest_ind(a.defined, b.defined)
    paired = float("nan")
    if len(a.values) == len(b.values):
        both = ~np.isnan(a.values) & ~np.isnan(b.values)
        differences = a.values[both] - b.values[both]
        if len(differences) >= 2:
            paired = float(
                permutation_test(
                    (differences,),
                    np.mean,
                    permutation_type="samples",
                    n_resamples=n_resamples,
                    rng=np.random.default_rng(random_state),
                    vectorized=True,
                ).pvalue
            )
    return Comparison(a.mean - b.mean, float(test.statistic), float(test.pvalue), paired)
