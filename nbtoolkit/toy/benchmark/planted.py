"""Scores of planted difficulties: graded factors, two senses, a spurious pair, distractors that no caption tells."""

from __future__ import annotations

import numpy as np
from scipy.stats import spearmanr

from ...types import Score
from .dictionaries import Candidate
from .rows import Rows
from .scores import Truth, pseudovalues, undefined
from .truth import MIN_TEST, Fact, areas, assignment

Array = np.ndarray
GRADED = ("size", "darkness")
DISTRACTORS = ("shade", "position")


def graded(truth: Truth, train: Array, test: Array) -> Score:
    """Rank correlation of size and of darkness with the concept of largest correlation on training rows; their mean.

    Parameters
    ----------
    truth
        The truth.
    train, test : (n_rows, n_concepts)
        Activations.
    """
    columns = []
    for name in GRADED:
        own, other = truth.train.numbers(name), truth.test.numbers(name)
        if own is None or other is None:
            return undefined("graded")
        rho = _correlations(train, own)
        k = int(np.argmax(np.abs(rho)))
        columns.append((np.sign(rho[k]) * test[:, k], other))

    def mean_correlation(rows: Array) -> float:
        return float(np.mean([_correlations(v[rows, None], x[rows])[0] for v, x in columns]))

    return pseudovalues(mean_correlation, len(test), "graded")


def _correlations(V: Array, numbers: Array) -> Array:
    """Spearman's correlation of each concept with numbers, (n_concepts,); 0 for a constant activation."""
    values = np.zeros(V.shape[1])
    for k in np.flatnonzero(np.ptp(V, axis=0) > 0):
        values[k] = spearmanr(V[:, k], numbers).statistic
    return values


def senses(truth: Truth, train: Array, test: Array) -> Score:
    """Whether two senses of a word are two concepts, not pieces of them.

    A concept is assigned to each sense on training rows. Its area under the ROC curve for the sense, less its best area for
    a fact among the rows of that sense, where the sense itself tells nothing; the mean of both senses.

    Parameters
    ----------
    truth
        The truth, of a word with two senses.
    train, test : (n_rows, n_concepts)
        Activations.
    """
    names = sorted({row.get("sense", "none") for row in truth.train.factors})
    if len(names) != 2:
        return undefined("senses")
    own, other = (
        np.array([[row["sense"] == n for n in names] for row in r.factors]) for r in (truth.train, truth.test)
    )
    concept, labels = assignment(areas(train, own)), truth.test_labels

    def mean_margin(rows: Array) -> float:
        margins = []
        for sense, k in enumerate(concept):
            v, of_sense = test[rows, k : k + 1] if k >= 0 else np.zeros((len(rows), 1)), other[rows, sense]
            facts = labels[rows][of_sense]
            n = np.minimum(facts.sum(0), (~facts).sum(0))
            within = areas(v[of_sense], facts[:, n >= MIN_TEST])
            margins.append(areas(v, of_sense[:, None])[0, 0] - (within.max() if within.size else 0.5))
        return float(np.mean(margins))

    return pseudovalues(mean_margin, len(test), "senses")


def spurious(truth: Truth, shifted: Rows, V: Array, concept: Array, pair: tuple[Fact, Fact]) -> Score:
    """Whether the concepts of two facts that come together in training are split.

    On the scenes that show one of the two facts alone: how well the concept of each fact tells its own from the other,
    2 × area − 1, the mean of both concepts: 1 for two concepts of one fact each, 0 where both concepts mean the pair.

    Parameters
    ----------
    truth
        The truth.
    shifted
        Scenes where the facts come apart.
    V : (n_shifted_rows, n_concepts)
        Their activations.
    concept : (n_groups,)
        Concept of each fact.
    pair
        The two facts.
    """
    numbers = [next((j for j, g in enumerate(truth.groups) if fact in g.facts), -1) for fact in pair]
    if min(numbers) < 0:
        return undefined("spurious")
    Y = np.array([[row[f] == v for f, v in pair] for row in shifted.factors])
    alone = Y[:, 0] != Y[:, 1]
    if min(Y[alone].sum(0)) < MIN_TEST:
        return undefined("spurious")
    Y, V = Y[alone], V[alone]
    columns = [V[:, concept[j], None] if concept[j] >= 0 else np.zeros((len(V), 1)) for j in numbers]

    def split(rows: Array) -> float:
        return float(np.mean([2 * areas(columns[i][rows], Y[rows, i, None])[0, 0] - 1 for i in (0, 1)]))

    return pseudovalues(split, len(V), "spurious")


def distractors(candidate: Candidate, truth: Truth, V: Array) -> Score:
    """Whether a concept that test rows use does without naming a distractor: a value per concept.

    0 for a concept that separates small from large shade or position better than any fact, and whose first word names a
    fact all the same; else 1.

    Parameters
    ----------
    candidate
        The concepts.
    truth
        The truth.
    V : (n_test_rows, n_concepts)
        Activations of the test rows.
    """
    columns = [truth.test.numbers(name) for name in DISTRACTORS]
    if any(c is None for c in columns):
        return undefined("distractors")
    halves = np.stack([c > np.median(c) for c in columns if c is not None], axis=1)
    facts, untold = (np.maximum(a, 1 - a).max(1) for a in (areas(V, truth.test_labels), areas(V, halves)))
    named = np.array([bool(len(words)) and words[0] in truth.meaning for words in candidate.words])
    return Score(np.where(np.ptp(V, axis=0) > 0, ~(named & (untold > facts)), np.nan), "distractors")
