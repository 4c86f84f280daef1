"""Scores with their uncertainty, and metrics on data with known values."""

import numpy as np
import pytest
from scipy import stats

import nbtoolkit as nbt
from nbtoolkit.metrics import (
    Score,
    active_concepts,
    compare,
    dictionary_interval,
    holm,
    hoyer,
    matched_cosines,
    on_common_samples,
    specificity,
    stability,
)


def test_mean_deviation_and_interval_of_a_score(rng):
    values = rng.normal(3, 2, 400)
    score = Score(values, "x")
    low, high = score.interval()
    assert score.mean == pytest.approx(values.mean()) and score.std == pytest.approx(values.std())
    reference = stats.ttest_1samp(values, 0).confidence_interval()  # Student's t: normal values have little skewness
    assert (low, high) == pytest.approx(tuple(reference), abs=0.01)
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
    assert (score.mean, len(score.defined)) == (2.0, 2) and score.interval() == Score([1.0, 3.0]).interval()
    assert Score([2.0, 2.0]).interval() == (2.0, 2.0) and np.isnan(Score([]).mean)
    for values in ([], [np.nan], [0.4]):  # one value tells nothing about the deviation
        assert np.isnan(Score(values).interval()).all()


def test_the_interval_of_0_and_1_is_wilsons_also_where_all_are_equal():
    expected = stats.binomtest(3, 10).proportion_ci(0.9, method="wilson")
    assert Score([1.0] * 3 + [0.0] * 7).interval(0.9) == pytest.approx(tuple(expected))
    low, high = Score(np.zeros(4)).interval()
    assert low == pytest.approx(0, abs=1e-12) and high > 0.45  # not [0, 0]: four images prove little


def test_the_interval_leans_to_the_long_tail(rng):
    """The mean of few skewed values is more often too small than too large."""
    values = rng.exponential(size=20)
    low, high = Score(values).interval()
    mirrored = Score(-values).interval()
    assert high - values.mean() > values.mean() - low and mirrored == pytest.approx((-high, -low))
    with pytest.raises(nbt.NbtoolkitError, match=r"level is 95; expected a confidence level between 0 and 1"):
        Score(values).interval(95)


def test_comparison_equals_scipys_t_test_and_the_permutation_test(rng):
    a, b = rng.normal(0.4, 1, 30), rng.normal(0, 1, 30)
    comparison = compare(Score(a), Score(b))
    assert (comparison.t, comparison.t_p) == pytest.approx(tuple(stats.ttest_ind(a, b)))
    assert comparison.difference == pytest.approx(a.mean() - b.mean())
    assert comparison.permutation_p == pytest.approx(stats.ttest_rel(a, b).pvalue, abs=0.03)
    assert comparison.p == comparison.permutation_p and (comparison.n, comparison.left_out) == (30, 0)
    assert comparison.effect == pytest.approx((a - b).mean() / (a - b).std(ddof=1))
    assert (comparison.low, comparison.high) == Score(a - b).interval()
    for other in (compare(Score(a), Score(b[:20])), compare(Score(a), Score(b[:20]), paired=False)):
        assert np.isnan(other.permutation_p) and other.p == other.t_p and other.n == 20
        welch = stats.ttest_ind(a, b[:20], equal_var=False).confidence_interval()
        assert (other.low, other.high) == pytest.approx(tuple(welch))
    with pytest.raises(nbt.NbtoolkitError, match="expected the same samples for paired=True"):
        compare(Score(a), Score(b[:20]), paired=True)
    with pytest.raises(nbt.NbtoolkitError, match="has 1 defined values; expected at least 2"):
        compare(Score([1.0, np.nan]), Score(b))


def test_a_difference_is_over_the_samples_where_both_are_defined():
    """The third sample would make the difference of the two means 3.5; of the pairs it is 1."""
    c = compare(Score([2.0, 3.0, np.nan, 5.0]), Score([1.0, 2.0, -9.0, 4.0]))
    assert c.difference == 1 and (c.n, c.left_out) == (3, 1) and np.isnan(c.effect)


def test_replicates_widen_the_interval_to_the_method(rng):
    a, b = rng.normal(1, 1, 40), rng.normal(0, 1, 40)
    again = rng.normal(0, 0.5, (6, 1)) + a
    c = compare(Score(a), Score(b), replicates=(again, np.tile(b, (6, 1))))
    own = compare(Score(a), Score(b))
    assert c.low < own.low and own.high < c.high and c.permutation_p == own.permutation_p
    low, high, p = dictionary_interval(a - b, again - b)
    assert (c.low, c.high, c.method_p) == (low, high, p) and np.isnan(own.method_p)
    assert np.isnan(dictionary_interval(a, again[:1])).all()
    with pytest.raises(nbt.NbtoolkitError, match=r"expected \(n_replicates, 40\) each"):
        compare(Score(a), Score(b), replicates=(again[:, :3], again[:, :3]))


def test_holm_and_common_samples():
    assert np.array_equal(holm([0.2, np.nan, 0.01, 0.6]), [0.4, np.nan, 0.03, 0.6], equal_nan=True)
    assert holm([]).tolist() == [] and holm([0.9, 0.8]).tolist() == [1, 1]
    scores = {"a": Score([1.0, np.nan, 3, 4]), "b": Score([1.0, 2, 3, np.nan]), "rare": Score([np.nan] * 3 + [1.0])}
    common, left_out = on_common_samples(scores)
    assert left_out == 2 and [len(s.defined) for s in common.values()] == [2, 2, 0]
    with pytest.raises(nbt.NbtoolkitError, match=r"The scores have \[3, 4\] values; expected the same samples"):
        on_common_samples({"a": Score([1, 2, 3]), "b": Score([1, 2, 3, 4])})


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
    result = stability([U, shuffled, U])
    scores, null = result
    np.testing.assert_allclose(scores.values, 1.0)
    # Mixtures of six concepts are in the span of all six, which runs on the same states share: the null is high.
    assert 0.4 < null.mean < 0.8 and len(scores.values) == 18 and result.p == result.centred_p == 0.01
    assert null.preserves.startswith("mean and covariance") and len(null.values) == 99
    other = stability([U, rng.normal(size=(6, 200))])
    assert abs(other.values.mean - other.null.mean) < 0.1 and other.p > 0.05
    assert np.isnan(matched_cosines(U, U[:4])).sum() == 2
    with pytest.raises(nbt.NbtoolkitError, match="expected at least 2 runs"):
        stability([U])


def test_a_common_mean_is_no_stability(rng):
    """Dictionaries that share nothing but their mean have high cosines; null, floor and centred cosines say so."""
    mean = 3 * rng.normal(size=100)
    states = mean + rng.normal(size=(60, 100))
    result = stability([mean + rng.normal(size=(6, 100)) for _ in range(2)], states=states)
    assert result.values.mean > 0.85 and abs(result.values.mean - result.null.mean) < 0.02
    assert result.floor.mean > 0.85 and result.floor.preserves and abs(result.centred.mean) < 0.25
    assert stability([mean + rng.normal(size=(6, 100))] * 2).floor is None


def test_a_dictionary_of_other_rows_is_a_floor(rng):
    """It is as high as what all dictionaries of the layer share, here their mean."""
    mean, U = 3 * rng.normal(size=100), rng.normal(size=(6, 100))
    result = stability([mean + U, mean + U[::-1]], other=mean + rng.normal(size=(6, 100)))
    assert result.values.mean == pytest.approx(1) and 0.8 < result.other.mean < 0.97 and len(result.other.values) == 12
    assert "no sample is shared" in result.other.preserves and stability([U, U]).other is None
    with pytest.raises(nbt.NbtoolkitError, match="other has shape"):
        stability([U, U], other=np.eye(3))


def test_what_has_no_interval_or_p_value(rng):
    assert np.isnan(nbt.types.Score(np.array([1, np.inf, 2.0])).interval()).all()
    for p in (-0.1, 2.0, np.inf):
        with pytest.raises(nbt.NbtoolkitError, match="between 0 and 1, or NaN"):
            nbt.metrics.holm([0.01, p])
