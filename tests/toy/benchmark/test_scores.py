"""Scores against planted truth: labels give the ceiling, random directions and raw states stay far below it."""

import numpy as np
import pytest

import nbtoolkit as nbt
from nbtoolkit.toy.benchmark.candidates import RawStates
from nbtoolkit.toy.benchmark.dictionaries import Candidate
from nbtoolkit.toy.benchmark.oracles import regression
from nbtoolkit.toy.benchmark.scores import cosine, fact_scores, margin, pseudovalues, word_scores
from nbtoolkit.toy.benchmark.truth import areas, assignment
from nbtoolkit.types import Score

from .planted import truth_of


@pytest.fixture(scope="module")
def truth():
    return truth_of()


def first_words(truth):
    return [next(w for w, fact in truth.meaning.items() if fact in group.facts) for group in truth.groups]


def oracle(truth):
    candidate = regression(truth.train.reps.layer(0), truth.train_labels.astype(float))
    return Candidate(np.nan_to_num(truth.causal), candidate.train, candidate.encode, [[w] for w in first_words(truth)])


def of_method(truth, method, words):
    """Words are drawn at random, as for directions that mean nothing."""
    fitted = method.fit(truth.train.reps.layer(0))
    rng = np.random.default_rng(0)
    lists = [rng.choice(words, 5, replace=False).tolist() for _ in range(len(fitted.components_))]
    return Candidate(fitted.components_, fitted.transform(truth.train.reps.layer(0)), fitted.transform, lists)


def all_scores(truth, candidate):
    V = candidate.encode(truth.test.reps.layer(0))
    concept = assignment(areas(candidate.train, truth.train_labels))
    result = word_scores(candidate, truth, V) | fact_scores(candidate, truth, V, concept)
    return result | {"margin": margin(truth, V, concept), "cosine": cosine(candidate, truth, concept)}


def test_labels_give_the_ceiling_and_nothing_learnt_stays_near_the_floor(truth):
    best = all_scores(truth, oracle(truth))
    assert best["naming"].mean > 0.95 and best["coverage"].mean > 0.95 and best["level"].mean > 0.9
    assert best["cosine"].mean > 0.9 and best["margin"].mean > 0.3 and best["precision"].mean > 0.6
    words = sorted(set(truth.meaning))
    for method in (nbt.RandomDirections(20, random_state=0), RawStates(20, random_state=0)):
        floor = all_scores(truth, of_method(truth, method, words))
        assert floor["naming"].mean < 0.15 and floor["coverage"].mean < 0.15 and floor["level"].mean < 0.3
        assert floor["cosine"].mean < best["cosine"].mean - 0.4
        assert floor["margin"].mean < best["margin"].mean - 0.3
        assert floor["precision"].mean < best["precision"].mean - 0.4


def test_every_score_can_fail_and_says_where(truth):
    """The right concepts with the words of others, with one word for all, and with the right words in the wrong order."""
    own = oracle(truth)
    words = first_words(truth)
    shifted = all_scores(truth, own.with_words([[w] for w in words[1:] + words[:1]]))
    assert shifted["naming"].mean < 0.1 and shifted["coverage"].mean < 0.1 and shifted["margin"].mean > 0.3
    constant = all_scores(truth, own.with_words([["outside"]] * len(words)))
    assert constant["naming"].mean < 0.1 and constant["coverage"].mean < 0.1
    later = all_scores(truth, own.with_words([["zebra", w] for w in words]))
    assert later["naming"].mean == 0 and later["precision"].mean == pytest.approx(
        all_scores(truth, own)["precision"].mean / 2
    )


def test_a_word_of_another_level_is_no_hit(truth):
    """ "outdoors" for the concept of snow names its place, not its background."""
    own = oracle(truth)
    g = next(j for j, group in enumerate(truth.groups) if ("background", "snow") in group.facts)
    words = [["outdoors"] if j == g else [w] for j, w in enumerate(first_words(truth))]
    before, after = (all_scores(truth, one)["level"] for one in (own, own.with_words(words)))
    assert before.values.sum() - after.values.sum() == 1


def test_concepts_that_no_row_uses_have_no_value_and_facts_without_a_concept_count_as_0(truth):
    n = len(truth.groups)
    dead = Candidate(np.eye(3, 200), np.zeros((300, 3)), lambda Z: np.zeros((len(Z), 3)), [["snow"]] * 3)
    scores = all_scores(truth, dead)
    assert len(scores["naming"].defined) == 0 and np.isnan(scores["naming"].mean)
    assert scores["margin"].values.tolist() == [0] * n and scores["coverage"].values.tolist() == [0] * n


def test_areas_are_those_of_scikit_learn():
    from sklearn.metrics import roc_auc_score

    rng = np.random.default_rng(0)
    V, Y = rng.integers(0, 4, (50, 3)).astype(float), rng.random((50, 2)) < 0.4
    own = areas(V, Y)
    assert own == pytest.approx(np.array([[roc_auc_score(Y[:, j], V[:, k]) for j in range(2)] for k in range(3)]))
    assert areas(np.ones((4, 1)), np.array([[True], [False], [True], [False]]))[0, 0] == 0.5
    assert np.isnan(areas(V, np.ones((50, 1), bool))).all()


def test_an_assignment_gives_each_fact_its_own_concept():
    assert assignment(np.array([[0.9, 0.8], [0.7, 0.1]])).tolist() == [1, 0]
    assert sorted(assignment(np.array([[0.9, 0.8, 0.7]])).tolist()) == [-1, -1, 0]


def test_pseudovalues_have_the_interval_of_a_mean_and_cover_a_rank_correlation():
    from scipy.stats import spearmanr

    x = np.random.default_rng(0).normal(size=40)
    assert pseudovalues(lambda rows: float(x[rows].mean()), 40, "mean").interval() == pytest.approx(Score(x).interval())
    rng, covered = np.random.default_rng(1), 0
    true = 6 / np.pi * np.arcsin(0.5 / 2)  # Spearman's correlation of normal values of correlation 0.5
    for _ in range(60):
        a, b = rng.multivariate_normal([0, 0], [[1, 0.5], [0.5, 1]], 60).T
        low, high = pseudovalues(
            lambda rows, a=a, b=b: float(spearmanr(a[rows], b[rows]).statistic), 60, "rho"
        ).interval()
        covered += low <= true <= high
    assert covered >= 53
