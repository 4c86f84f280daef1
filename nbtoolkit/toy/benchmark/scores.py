"""Scores of learnt concepts against the truth, each a value per concept, fact or test row."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ...types import Score
from .dictionaries import N_WORDS, Candidate
from .rows import Rows
from .truth import Fact, Group, areas, family, group_labels

Array = np.ndarray
_N_TOP = 10  # test rows that stand for a concept


@dataclass(frozen=True, eq=False)
class Truth:
    """What the concepts of one task are scored against.

    Attributes
    ----------
    train, test
        Training rows and test rows.
    layer
        Index of the layer in the model.
    groups
        The facts.
    meaning
        Word to fact.
    causal : (n_groups, d_model) or None
        True causal directions; None where scenes cannot be drawn again.
    """

    train: Rows
    test: Rows
    layer: int
    groups: Sequence[Group]
    meaning: Mapping[str, Fact]
    causal: Array | None = None

    @property
    def train_labels(self) -> Array:
        """Facts of the training rows, (n_rows, n_groups) bool."""
        return group_labels(self.groups, self.train.factors)

    @property
    def test_labels(self) -> Array:
        """Facts of the test rows, (n_rows, n_groups) bool."""
        return group_labels(self.groups, self.test.factors)

    @property
    def mean(self) -> Array:
        """Mean training state, (d_model,)."""
        mean: Array = self.train.reps.layer(self.layer).mean(0, dtype=np.float64)
        return mean

    def group_of(self, word: str) -> int:
        """Number of the group whose fact a word names; -1 where there is none.

        Parameters
        ----------
        word
            The word.
        """
        fact = self.meaning.get(word)
        return next((j for j, group in enumerate(self.groups) if fact in group.facts), -1)


def undefined(name: str) -> Score:
    """A score without a value: n = 0.

    Parameters
    ----------
    name
        Name of the score.
    """
    return Score(np.zeros(0), name)


def pseudovalues(statistic: Callable[[Array], float], n: int, name: str) -> Score:
    """A statistic of all rows as a score per row: jackknife pseudo-values, whose interval is that of the statistic.

    Parameters
    ----------
    statistic
        From numbers of rows to a number.
    n
        Number of rows.
    name
        Name of the score.

    References
    ----------
    Tukey, "Bias and confidence in not-quite large samples", Annals of Mathematical Statistics 1958; Efron and Tibshirani,
    "An Introduction to the Bootstrap", 1993, section 11.5.

    Examples
    --------
    >>> x = np.array([1.0, 2.0, 6.0])
    >>> pseudovalues(lambda rows: x[rows].mean(), 3, "mean").values.round(6).tolist()
    [1.0, 2.0, 6.0]
    """
    rows = np.arange(n)
    whole = statistic(rows)
    return Score(np.array([n * whole - (n - 1) * statistic(np.delete(rows, i)) for i in rows]), name)


def word_scores(candidate: Candidate, truth: Truth, V: Array) -> dict[str, Score]:
    """``naming`` and ``precision``: a value per concept that test rows use.

    Parameters
    ----------
    candidate
        The concepts.
    truth
        The truth.
    V : (n_test_rows, n_concepts)
        Activations of the test rows.
    """
    labels = truth.test_labels
    area, rates = areas(V, labels), labels.mean(0)
    naming, precision = np.full((2, V.shape[1]), np.nan)
    for k in map(int, np.flatnonzero(np.ptp(V, axis=0) > 0)):
        named = [truth.group_of(word) for word in candidate.words[k][:N_WORDS]]
        naming[k] = float(bool(named) and named[0] == int(np.argmax(area[k])))
        top = [i for i in np.argsort(-V[:, k], kind="stable")[:_N_TOP] if V[i, k] > V[:, k].min()]
        gains = [max(0.0, labels[top, g].mean() - rates[g]) if g >= 0 else 0.0 for g in named]
        precision[k] = float(np.mean(gains)) if gains else 0.0
    return {"naming": Score(naming, "naming"), "precision": Score(precision, "precision")}


def fact_scores(candidate: Candidate, truth: Truth, V: Array, concept: Array) -> dict[str, Score]:
    """``coverage`` and ``level``: a value per fact, of the concept that is assigned to it; 0 without one.

    Parameters
    ----------
    candidate
        The concepts.
    truth
        The truth.
    V : (n_test_rows, n_concepts)
        Activations of the test rows.
    concept : (n_groups,)
        Concept of each fact, assigned on training rows; -1 where there is none.
    """
    families = [group.family for group in truth.groups]
    coverage, level = np.zeros((2, len(concept)))
    for g, k in enumerate(concept):
        if k < 0 or np.ptp(V[:, k]) == 0:
            continue
        named = [truth.group_of(word) for word in candidate.words[k][:N_WORDS]]
        coverage[g] = float(named[:1] == [g])
        level[g] = float([j for j in named if j >= 0 and families[j] == families[g]][:1] == [g])
    leveled = {
        family(f) for group in truth.groups for f, _ in group.facts if family(f) != f
    }  # those with an upper level
    level = level[[g for g, name in enumerate(families) if name in leveled]]
    return {"coverage": Score(coverage, "coverage"), "level": Score(level, "level")}


def margin(truth: Truth, V: Array, concept: Array) -> Score:
    """Area under the ROC curve of the concept of each fact, less that of the best fact of another factor; 0 without a concept.

    Parameters
    ----------
    truth
        The truth.
    V : (n_test_rows, n_concepts)
        Activations of the test rows.
    concept : (n_groups,)
        Concept of each fact, assigned on training rows; -1 where there is none.
    """
    area = areas(V, truth.test_labels)
    values = np.zeros(len(truth.groups))
    for g, k in enumerate(concept):
        others = [j for j, group in enumerate(truth.groups) if group.family != truth.groups[g].family]
        if k >= 0 and np.ptp(V[:, k]) > 0:
            values[g] = area[k, g] - max((area[k, j] for j in others), default=0.5)
    return Score(values, "margin")


def cosine(candidate: Candidate, truth: Truth, concept: Array) -> Score:
    """Cosine of the concept of each fact with the true causal direction, both less their part along the mean state.

    Parameters
    ----------
    candidate
        The concepts.
    truth
        The truth.
    concept : (n_groups,)
        Concept of each fact; -1 where there is none, which counts as 0.
    """
    if truth.causal is None:
        return undefined("cosine")
    unit = truth.mean / np.linalg.norm(truth.mean)
    D, values = candidate.directions("cosine", truth.mean), np.full(len(concept), np.nan)
    for g, k in enumerate(concept):
        true = truth.causal[g] - (truth.causal[g] @ unit) * unit
        if np.isfinite(true).all():
            own = D[k] - (D[k] @ unit) * unit if k >= 0 else np.zeros_like(true)
            lengths = np.linalg.norm(own) * np.linalg.norm(true)
            values[g] = own @ true / lengths if lengths > 0 else 0.0
    return Score(values, "cosine")
