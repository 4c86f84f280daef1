"""Nulls and intervals by simulation: exceeded in about 5 % of runs without effect, and intervals that contain the truth."""

import numpy as np
import pytest

import nbtoolkit as nbt
from nbtoolkit.metrics import exceedance, exchanged, gaussian_surrogate, random_order, random_rows, rotated
from nbtoolkit.types import nulls

from .. import simulations


@pytest.mark.slow
@pytest.mark.parametrize("name", [*simulations.NULLS, *simulations.TESTS])
def test_a_null_is_exceeded_in_about_one_of_twenty_runs_without_effect(name):
    experiment = {**simulations.NULLS, **simulations.TESTS}[name]
    assert 0.01 <= simulations.rate(experiment) <= 0.07


@pytest.mark.slow
@pytest.mark.parametrize("shape", simulations.SHAPES)
def test_intervals_cover(shape):
    assert simulations.coverage(simulations.covers, shape, 10) >= 0.9
    for n in (20, 90):
        assert 0.93 <= simulations.coverage(simulations.covers, shape, n) <= 0.97, n


def test_intervals_of_differences_and_of_methods_cover():
    """A difference of two skewed scores has long tails on both sides, which no correction for skewness removes."""
    assert 0.93 <= simulations.coverage(simulations.difference_covers, 20, n_runs=2000) <= 0.97
    assert 0.93 <= simulations.coverage(simulations.method_covers, n_runs=1000) <= 0.98


def test_the_variance_of_the_dictionary_counts(rng):
    """The interval over samples alone misses the mean of the method in most runs where dictionaries vary."""
    alone = np.mean([abs(rng.normal(0, 0.3) + rng.normal(size=40).mean()) < 2.02 / np.sqrt(40) for _ in range(1000)])
    assert alone < 0.8 < 0.93 <= simulations.coverage(simulations.method_covers, n_runs=1000)


def test_rotations_keep_mean_and_covariance_and_exchanges_the_values_of_each_coordinate(rng):
    U = rng.exponential(size=(150, 7)) + 3  # more than one group
    U[4] = 0
    W, X = rotated(U, 0), exchanged(U, 0)
    for new in (W, X):
        np.testing.assert_allclose(new.mean(0), U.mean(0))
        assert (new[4] == 0).all() and not np.allclose(new, U)
    np.testing.assert_allclose(np.cov(W.T), np.cov(U.T), atol=1e-10)
    np.testing.assert_allclose(np.sort(X, 0), np.sort(U, 0))
    surrogate = gaussian_surrogate(U, 0, n=60_000)
    np.testing.assert_allclose(np.cov(surrogate.T), np.cov(U.T), atol=0.06)
    assert {tuple(row) for row in random_rows(U, 9)} <= {tuple(row) for row in U}
    with pytest.raises(nbt.NbtoolkitError, match="number of states is 1; expected at least 2"):
        gaussian_surrogate(U[:1])


def test_a_random_order_spends_no_step_on_a_concept_that_is_not_used(rng):
    V = rng.normal(size=(30, 8)) * (rng.random((30, 8)) < 0.4)
    order = random_order(V)
    for row, v in zip(order, V, strict=True):
        used = int((v != 0).sum())
        assert sorted(row) == list(range(8)) and (v[row[:used]] != 0).all() and (v[row[used:]] == 0).all()
    assert (random_order(V, 1) != order).any()


def test_monte_carlo_p_values():
    draws = np.array([1.0, 2, 3, np.nan])
    assert exceedance(2.0, draws) == 3 / 4 and exceedance(-9.0, draws, two_sided=True) == 1 / 4
    assert np.isnan(exceedance(np.nan, draws)) and np.isnan(exceedance(1.0, np.array([])))


def test_every_null_says_what_it_preserves():
    named = [value for value in vars(nulls).values() if isinstance(value, nulls.Null)]
    assert len(named) == 18 and all(null.name and null.preserves for null in named)
    assert str(nulls.CONSTANT_WORD).startswith("token alone: preserves the word")
