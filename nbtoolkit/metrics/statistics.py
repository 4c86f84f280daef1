"""Whether two scores differ: paired tests on the same samples, intervals, effect sizes, and Holm's correction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import stats

from ..errors import MethodError
from ..types import Score
from ..types.arguments import checked
from ..types.rules import Count, MaybeNaN, Replicates, Values

Array = np.ndarray
ENOUGH = 0.5  # share of the samples on which a method has to be defined to be compared


@dataclass(frozen=True)
class Comparison:
    """Difference of two scores, with its interval and tests.

    Attributes
    ----------
    difference
        Mean of the first minus mean of the second, in the unit of the scores; over the samples where both are defined, if
        the samples are the same.
    t, t_p
        Statistic and p-value of the independent two-sided t-test, as in the paper; on paired samples it has little power.
    permutation_p
        p-value of the two-sided paired permutation test on the same samples; NaN where the samples are not the same.
    low, high
        95 % confidence interval of the difference, in its unit: over samples; with replicates over samples and dictionaries.
    effect
        Effect size: mean of the paired differences over their standard deviation (Cohen's d_z), without pairs the
        difference over the pooled standard deviation (Cohen's d); no unit, NaN where nothing varies.
    n
        Number of pairs; without pairs the smaller number of values.
    left_out
        Number of samples where only one of the two is defined, or none.
    method_p
        With replicates, p-value of the difference of the two methods, over samples and dictionaries; else NaN.
    """

    difference: float
    t: float
    t_p: float
    permutation_p: float
    low: float = float("nan")
    high: float = float("nan")
    effect: float = float("nan")
    n: int = 0
    left_out: int = 0
    method_p: float = float("nan")

    @property
    def p(self) -> float:
        """The p-value in front: of the paired permutation test; of the t-test where the samples are not the same."""
        return self.t_p if np.isnan(self.permutation_p) else self.permutation_p


@checked
def compare(
    a: Score,
    b: Score,
    *,
    replicates: tuple[Array, Array] | None = None,
    paired: bool | None = None,
    n_resamples: Count = 9999,
    random_state: Any = 0,
) -> Comparison:
    """Test whether two scores differ.

    Parameters
    ----------
    a, b
        Scores; of the same samples in the same order for the paired test.
    replicates : (n_replicates, n_samples) each
        The same scores with dictionaries of both methods learnt again, with other seeds from resampled training rows
        (replicate by replicate the same). Then the interval is about the methods, not about these two dictionaries; see
        :func:`dictionary_interval`.
    paired
        Whether the samples are the same; if None, where the numbers of values are equal.
    n_resamples
        Number of random sign flips of the paired test (all of them where there are fewer).
    random_state
        Seed of the sign flips: an int, a ``numpy.random.Generator``, or None.

    Returns
    -------
    Comparison
        Difference, interval, effect size and p-values.

    Raises
    ------
    MethodError
        One of the scores has fewer than two defined values, or replicates of another shape.

    References
    ----------
    Parekh et al., "A Concept-Based Explainability Framework for Large Multimodal Models", NeurIPS 2024, appendix D and
    Table 11 (independent t-test); Good, "Permutation, Parametric and Bootstrap Tests of Hypotheses", 2005, section 3.2
    (paired sign flips).

    Examples
    --------
    >>> a, b = Score(np.arange(8.0)), Score(np.arange(8.0) - 3)
    >>> round(compare(a, b).permutation_p, 3), compare(a, b).n
    (0.008, 8)
    """
    for score in (a, b):
        if len(score.defined) < 2:
            raise MethodError(f"{score.name} has {len(score.defined)} defined values; expected at least 2 to compare.")
    same = len(a.values) == len(b.values)
    if paired and not same:
        raise MethodError(
            f"{a.name} has {len(a.values)} values and {b.name} {len(b.values)}; expected the same samples for paired=True."
        )
    both = ~np.isnan(a.values) & ~np.isnan(b.values) if same else np.zeros(len(a.values), bool)
    if not same or paired is False or both.sum() < 2:
        return _independent(a, b)
    differences, n = a.values[both] - b.values[both], int(both.sum())
    test = _t_test(a.values[both], b.values[both])
    flips = stats.permutation_test(
        (differences,),
        np.mean,
        permutation_type="samples",
        n_resamples=n_resamples,
        rng=np.random.default_rng(random_state),
        vectorized=True,
    )
    effect = _ratio(differences.mean(), differences.std(ddof=1))
    (low, high), method_p = Score(differences).interval(), float("nan")
    if replicates is not None:
        first, second = (np.asarray(r, np.float64) for r in replicates)
        if first.shape != second.shape or first.ndim != 2 or first.shape[1] != len(a.values):
            raise MethodError(
                f"replicates have shapes {first.shape} and {second.shape}; expected (n_replicates, {len(a.values)}) each."
            )
        low, high, method_p = dictionary_interval(differences, (first - second)[:, both])
    difference, left_out = float(differences.mean()), len(both) - n
    return Comparison(difference, *test, float(flips.pvalue), low, high, effect, n, left_out, method_p)


def _independent(a: Score, b: Score) -> Comparison:
    """Comparison of scores on different samples: Welch's interval and Cohen's d; NaN for the paired test."""
    x, y = a.defined, b.defined
    low, high = (
        stats.ttest_ind(x, y, equal_var=False).confidence_interval() if np.ptp(x) + np.ptp(y) > 0 else (np.nan,) * 2
    )
    pooled = np.sqrt(((len(x) - 1) * x.var(ddof=1) + (len(y) - 1) * y.var(ddof=1)) / (len(x) + len(y) - 2))
    effect, left_out = _ratio(x.mean() - y.mean(), pooled), len(a.values) - len(x) + len(b.values) - len(y)
    values = a.mean - b.mean, *_t_test(x, y), float("nan"), float(low), float(high), effect
    return Comparison(*values, min(len(x), len(y)), left_out)


def _t_test(x: Array, y: Array) -> tuple[float, float]:
    """Statistic and p-value of the independent t-test; NaN where both samples are constant."""
    if np.ptp(x) + np.ptp(y) == 0:
        return float("nan"), float("nan")
    test = stats.ttest_ind(x, y)
    return float(test.statistic), float(test.pvalue)


def _ratio(difference: float, deviation: float) -> float:
    return float(difference / deviation) if deviation > 0 else float("nan")


@checked
def dictionary_interval(values: Values, replicates: Replicates, level: float = 0.95) -> tuple[float, float, float]:
    """Interval of a method's mean score, over test samples and over the dictionaries that it could have learnt.

    The variance is that of the mean over samples, plus that of the mean score over replicates: dictionaries learnt with
    other seeds from random halves of the training rows. A half of the rows, without replacement, has about the variance
    around the whole that the whole has around the population. Degrees of freedom are Satterthwaite's. The interval
    is at least that of the samples alone, :meth:`nbtoolkit.types.Score.interval`.

    Parameters
    ----------
    values : (n_samples,)
        Score of each test sample by the dictionary of all rows, or a difference of two methods.
    replicates : (n_replicates, n_samples)
        The same by the dictionaries of the replicates; NaN where not defined.
    level
        Confidence level, 0 to 1.

    Returns
    -------
    float, float, float
        Lower and upper end, in the unit of the values; and the two-sided p-value of a mean of 0. NaN with fewer than two
        values or replicates.

    References
    ----------
    Shao and Wu, "A general theory for jackknife variance estimation", Annals of Statistics 1989 (delete-half jackknife);
    Satterthwaite, "An approximate distribution of estimates of variance components", Biometrics Bulletin 1946.

    Examples
    --------
    >>> low, high, p = dictionary_interval(np.array([1.0, 2.0, 3.0]), np.array([[1.0, 2.0, 2.9], [1.0, 2.0, 3.1]]))
    >>> round(low, 2), round(high, 2)
    (-0.48, 4.48)
    """
    x, runs = np.asarray(values, np.float64), np.asarray(replicates, np.float64)
    x = x[~np.isnan(x)]
    means = np.array([row[~np.isnan(row)].mean() for row in runs if not np.isnan(row).all()])
    if len(x) < 2 or len(means) < 2:
        return float("nan"), float("nan"), float("nan")
    parts = np.array([x.var(ddof=1) / len(x), means.var(ddof=1)])
    lowest, highest = Score(x).interval(level)
    if parts.sum() == 0:
        return lowest, highest, float("nan")
    freedom = parts.sum() ** 2 / (parts**2 / (len(x) - 1, len(means) - 1)).sum()
    error = np.sqrt(parts.sum())
    half = stats.t.ppf((1 + level) / 2, freedom) * error
    p = 2 * stats.t.sf(abs(x.mean()) / error, freedom)
    return min(lowest, float(x.mean() - half)), max(highest, float(x.mean() + half)), float(p)


@checked
def holm(p_values: Sequence[MaybeNaN]) -> Array:
    """Holm's adjusted p-values of a family of tests: the chance of any false rejection stays below the level.

    Parameters
    ----------
    p_values : (n_tests,)
        NaN for a test that could not be made: it is not of the family.

    Returns
    -------
    (n_tests,) array
        0 to 1; NaN where there was no p-value.

    Raises
    ------
    MethodError
        A p-value that is not between 0 and 1.

    References
    ----------
    Holm, "A simple sequentially rejective multiple test procedure", Scandinavian Journal of Statistics 1979.

    Examples
    --------
    >>> holm([0.01, 0.04, 0.03]).round(2).tolist()
    [0.03, 0.06, 0.06]
    """
    p = np.array(p_values, np.float64)
    if outside := [float(v) for v in p if v < 0 or v > 1]:
        raise MethodError(f"p_values has {outside}; expected numbers between 0 and 1, or NaN.")
    order = np.argsort(p)[: int((~np.isnan(p)).sum())]
    steps = p[order] * np.arange(len(order), 0, -1)
    p[order] = np.minimum(1.0, np.maximum.accumulate(steps))
    return p


@checked
def on_common_samples(scores: Mapping[str, Score]) -> tuple[dict[str, Score], int]:
    """The same scores on the samples where all of them are defined; NaN on the others.

    A score that is defined on less than half of the samples does not restrict the others, and is all NaN in the result:
    it cannot be compared.

    Parameters
    ----------
    scores
        Name to score, of the same samples in the same order.

    Returns
    -------
    dict, int
        The scores, and the number of samples that were left out.

    Raises
    ------
    MethodError
        Scores of different numbers of samples.

    Examples
    --------
    >>> both, n = on_common_samples({"a": Score([1.0, 2.0, np.nan]), "b": Score([1.0, np.nan, 5.0])})
    >>> both["a"].values.tolist(), n
    ([1.0, nan, nan], 2)
    """
    lengths = {len(s.values) for s in scores.values()}
    if len(lengths) > 1:
        raise MethodError(f"The scores have {sorted(lengths)} values; expected the same samples.")
    n = lengths.pop() if lengths else 0
    compared = {name for name, s in scores.items() if len(s.defined) >= max(1, ENOUGH * n)}
    rows = np.ones(n, bool)
    for name in compared:
        rows &= ~np.isnan(scores[name].values)
    result = {
        name: Score(np.where(rows & (name in compared), s.values, np.nan), s.name, s.preserves)
        for name, s in scores.items()
    }
    return result, int(n - rows.sum())
