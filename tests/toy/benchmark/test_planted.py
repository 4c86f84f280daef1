"""Scores of planted difficulties: graded factors, senses, a spurious pair and distractors."""

import numpy as np
import pytest

from nbtoolkit.toy.benchmark.dictionaries import Candidate
from nbtoolkit.toy.benchmark.oracles import normal_scores, regression
from nbtoolkit.toy.benchmark.planted import distractors, graded, senses, spurious
from nbtoolkit.toy.benchmark.truth import areas, assignment

from .planted import D, direction, rows_of, truth_of

PAIR = (("prop", "frisbee"), ("background", "grass"))


@pytest.fixture(scope="module")
def truth():
    return truth_of()


def activations(rows, directions):
    return rows.reps.layer(0) @ np.stack(directions).T


def test_a_graded_factor_is_a_rank_correlation(truth):
    own = [direction("size"), direction("darkness")]
    score = graded(truth, activations(truth.train, own), activations(truth.test, own))
    assert score.mean > 0.95 and len(score.values) == len(truth.test)
    reverse = graded(truth, -activations(truth.train, own), -activations(truth.test, own))
    assert reverse.mean == pytest.approx(score.mean)  # a concept that falls with the size is one of it
    noise = np.random.default_rng(0).normal(size=(500, 20))
    assert abs(graded(truth, noise[:300], noise[300:]).mean) < 0.25
    numbers = np.stack([truth.train.numbers(name) for name in ("size", "darkness")], 1)
    fit = regression(truth.train.reps.layer(0), normal_scores(numbers))
    assert graded(truth, fit.train, fit.encode(truth.test.reps.layer(0))).mean > 0.9


def test_two_senses_are_two_concepts_and_not_their_pieces():
    truth = truth_of("bat")
    own = [direction("sense=animal"), direction("sense=club")]
    whole = senses(truth, activations(truth.train, own), activations(truth.test, own)).mean
    parts = [direction(f"action={a}") for a in ("flying", "hanging", "lying", "leaning")]
    pieces = senses(truth, activations(truth.train, parts), activations(truth.test, parts)).mean
    one = senses(truth, activations(truth.train, own[:1]), activations(truth.test, own[:1])).mean
    noise = np.random.default_rng(0).normal(size=(500, 20))
    assert whole > 0.3 and pieces < 0 and one < whole - 0.1
    assert senses(truth, noise[:300], noise[300:]).mean < 0.1
    assert len(senses(truth_of("dog", 60, 60), noise[:60], noise[:60]).values) == 0  # a word of one sense


def test_a_spurious_pair_is_split_or_not(truth):
    shifted = rows_of(200, "shifted", 30)
    frisbee, grass = direction("prop=frisbee"), direction("background=grass")

    def score(directions):
        train, V = activations(truth.train, directions), activations(shifted, directions)
        return spurious(truth, shifted, V, assignment(areas(train, truth.train_labels)), PAIR)

    apart, together = score([frisbee, grass]), score([frisbee + grass, 0.99 * frisbee + 1.01 * grass])
    assert apart.mean > 0.95 and apart.interval()[0] > 0.9
    assert abs(together.mean) < 0.3 and 30 < len(together.values) < 120  # images with one of the two alone
    assert score([grass, 0.9 * grass]).mean < 0.1  # no concept of the frisbee
    assert abs(score(list(np.random.default_rng(0).normal(size=(20, D)))).mean) < 0.6


def test_a_distractor_must_not_be_named(truth):
    def learnt(words):
        own = [direction("position"), direction("background=snow")]
        return Candidate(np.stack(own), activations(truth.train, own), lambda Z: Z @ np.stack(own).T, words)

    V = learnt([]).encode(truth.test.reps.layer(0))
    assert distractors(learnt([["snow"], ["snow"]]), truth, V).values.tolist() == [0, 1]
    assert distractors(learnt([[], ["snow"]]), truth, V).values.tolist() == [1, 1]
