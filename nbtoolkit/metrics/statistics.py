"""A score with its uncertainty, and whether two scores differ."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ..errors import MethodError

Array = np.ndarray


@dataclass(frozen=True, eq=False)
class Score:
    """Values of one score, one a sample (or concept), and what they say together.

    Attributes
    ----------
    values : (n,)
        NaN where the score is not defined.
    name
        What was scored.

    Examples
    --------
    >>> Score(np.array([0.4, 0.6, 0.5]), "clip_score")
    clip_score 0.5 ± 0.0816 [0.4, 0.6], n = 3
    """

    values: Array
    name: str = "score"

    def __post_init__(self) -> None:
        object.__setattr__(self, "values", np.asarray(self.values, np.float64).ravel())

    @property
    def defined(self) -> Array:
        """The values that are not NaN."""
        return self.values[~np.isnan(self.values)]

    @property
    def mean(self) -> float:
        """Mean over the samples for which it is defined; NaN where there is none."""
        return float(self.defined.mean()) if len(self.defined) else float("nan")

    @property
    def std(self) -> float:
        """Standard deviation over samples, as the paper's tables give it."""
        return float(self.defined.std()) if len(self.defined) else float("nan")

    def interval(self, level: float = 0.95, n_resamples: int = 2000, random_state: Any = 0) -> tuple[float, float]:
        """Bootstrap interval of the mean, by percentiles.

        References
        ----------
        Efron and Tibshirani, "An Introduction to the Bootstrap", 1993, section 13.3.
        """
        values = self.defined
        if len(values) < 2 or np.ptp(values) == 0:
            return self.mean, self.mean
        rng = np.random.default_rng(random_state)
        means = np.concatenate(
            [
                values[rng.integers(0, len(values), (100, len(values)))].mean(1)
                for _ in range(max(1, n_resamples // 100))
            ]
        )
        low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2])
        return float(low), float(high)

    def __repr__(self) -> str:
        low, high = self.interval()
        return f"{self.name} {self.mean:.3g} ± {self.std:.3g} [{low:.3g}, {high:.3g}], n = {len(self.defined)}"


@dataclass(frozen=True)
class Comparison:
    """Two scores compared.

    Attributes
    ----------
    difference
        Mean of the first less mean of the second.
    t, t_p
        Independent two-sided t-test, the paper's.
    permutation_p
        Two-sided paired permutation test on the same samples; NaN where the samples are not the same.
    """

    difference: float
    t: float
    t_p: float
    permutation_p: float


def compare(a: Score, b: Score, *, n_resamples: int = 9999, random_state: Any = 0) -> Comparison:
    """Tell whether two scores differ.

    Parameters
    ----------
    a, b
        Scores; sample by sample the same ones for the paired test.
    n_resamples
        Random sign flips of the paired test (all of them where there are fewer).

    Raises
    ------
    MethodError
        One of them has fewer than two defined values.

    References
    ----------
    Parekh et al. 2024, appendix D and Table 11 (independent t-test).

    Examples
    --------
    >>> a, b = Score(np.arange(8.0)), Score(np.arange(8.0) - 3)
    >>> round(compare(a, b).permutation_p, 3)
    0.008
    """
    from scipy.stats import permutation_test, ttest_ind

    for score in (a, b):
        if len(score.defined) < 2:
            raise MethodError(f"{score.name} has {len(score.defined)} defined values; expected at least 2 to compare.")
    test = ttest_ind(a.defined, b.defined)
    paired = float("nan")
    if len(a.values) == len(b.values):
        both = ~np.isnan(a.values) & ~np.isnan(b.values)
        gap = a.values[both] - b.values[both]
        if len(gap) >= 2:
            found = permutation_test((gap,), np.mean, permutation_type="samples", n_resamples=n_resamples,
                                     rng=np.random.default_rng(random_state), vectorized=True)  # fmt: skip
            paired = float(found.pvalue)
    return Comparison(a.mean - b.mean, float(test.statistic), float(test.pvalue), paired)
