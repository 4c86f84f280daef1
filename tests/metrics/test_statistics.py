"""Scores with their uncertainty, and metrics on data with known values."""

import numpy as np
import pytest
from scipy import stats

import nbtoolkit as nbt
from nbtoolkit.metrics import (
    Score,
    active_concepts,
    compare,
    hoyer,
    matched_cosines,
    specificity,
    stability,
)


def test_mean_deviation_and_interval_of_a_score(rng):
    values = rng.normal(3, 2, 400)
    score = Score(values, "x")
    low, high = score.interval()
    assert score.mean == pytest.approx(values.mean()) and score.std == pytest.approx(values.std())
    reference = stats.bootstrap(
        (values,), np.mean, method="percentile", n_resamples=4000, rng=np.random.default_rng(1)
    ).confidence_interval
    assert (low, high) == pytest.approx(tuple(reference), abs=0.03)
    assert repr(score).startswith("x 2.") and repr(score).endswith("n = 400")


def test_an_interval_has_the_level_that_is_asked_for(rng):
    """The mean of 400 values is nearly normal: half the interval is the normal quantile times the standard error."""
    score = Score(rng.normal(3, 2, 400))
    for level in (0.5, 0.9):
        low, high = score.interval(level)
        expected = stats.norm.ppf((1 + level) / 2) * score.std / 20
        assert (high - low) / 2 == pytest.approx(expected, rel=0.08)


def test_undefined_values_do_not_count():
    score = Score([1.0, np.nan, 3.0])
    assert (score.mean, len(score.defined)) == (2.0, 2) and Score([np.nan]).interval() != Score([1.0]).interval()
    assert Score([2.0, 2.0]).interval() == (2.0, 2.0) and np.isnan(Score([]).mean)


def test_comparison_equals_scipys_t_test_and_the_permutation_test(rng):
    a, b = rng.normal(0.4, 1, 30), rng.normal(0, 1, 30)
    comparison = compare(Score(a), Score(b))
    assert (comparison.t, comparison.t_p) == pytest.approx(tuple(stats.ttest_ind(a, b)))
    assert comparison.difference == pytest.approx(a.mean() - b.mean())
    assert comparison.permutation_p == pytest.approx(stats.ttest_rel(a, b).pvalue, abs=0.03)
    assert np.isnan(compare(Score(a), Score(b[:20])).permutation_p)
    with pytest.raises(nbt.NbtoolkitError, match="has 1 defined values; expected at least 2"):
        compare(Score([1.0, np.nan]), Score(b))


def test_the_null_is_rarely_rejected(rng):
    rejected = [
        compare(Score(rng.normal(size=20)), Score(rng.normal(size=20)), n_resamples=199).t_p < 0.05 for _ in range(200)
    ]
    assert 0.01 <= np.mean(rejected) <= 0.11


def test_sparsity():
    V = np.array([[1.0, 0, 0, 0], [1, 1, 1, 1], [0, 0, 0, 0], [-2, 0, 0, 1]])
    assert active_concepts(V).values.tolist() == [1, 4, 0, 2]
    assert hoyer(V).values[:2].round(9).tolist() == [1, 0] and np.isnan(hoyer(V).values[2])
    with pytest.raises(nbt.NbtoolkitError, match="expected at least 2 for Hoyer's sparsity"):
        hoyer(V[:, :1])


def test_a_concept_is_active_above_a_millionth_of_the_largest_activation():
    assert active_concepts(np.array([[1.0, -2e-6, 5e-7]])).values.tolist() == [2]
    assert active_concepts(np.array([[1000.0, 5e-4], [1.0, 2e-3]])).values.tolist() == [1, 2]


def test_specificity_follows_the_paper():
    V = np.array([[10.0, 0.0], [6.0, 0.0], [5.0, 0.0], [1.0, 0.0]])
    truth = np.array([[True, True], [True, True], [True, True], [False, True]])
    scores = specificity(V, truth)
    assert scores.values[0] == 1.0 and np.isnan(
        scores.values[1]
    )  # 5.0 is not above half of 10; a dead concept has none
    assert specificity(V, ~truth).values[0] == 0.0 and specificity(V, truth, 0.0).values[0] == 0.75
    with pytest.raises(nbt.NbtoolkitError, match=r"truth has shape \(4, 1\); expected that of the activations"):
        specificity(V, truth[:, :1])


def test_stability_of_the_same_and_of_unrelated_dictionaries(rng):
    U = rng.normal(size=(6, 200))
    shuffled = U[rng.permutation(6)] * 3.0
    scores, null = stability([U, shuffled, U])
    np.testing.assert_allclose(scores.values, 1.0)
    assert abs(null.mean) < 0.2 and len(scores.values) == 18
    other, null = stability([U, rng.normal(size=(6, 200))])
    assert abs(other.mean - null.mean) < 0.1
    assert np.isnan(matched_cosines(U, U[:4])).sum() == 2
    with pytest.raises(nbt.NbtoolkitError, match="expected at least 2 runs"):
        stability([U])
