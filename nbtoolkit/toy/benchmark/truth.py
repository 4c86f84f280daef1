"""The truth that concepts are scored against: facts of the scenes, areas under the ROC curve, and causal directions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import linear_sum_assignment
from scipy.stats import rankdata

from ..world.second.vocabulary import ABOVE, MOTIONS, PLACES

Array = np.ndarray
Fact = tuple[str, str]
Edits = Mapping[tuple[str, str], Mapping[int, Array]]
_NOT_STATED = ("subject", "sense", "count")  # equal in all rows of a token, or not stated
_FAMILIES = {"motion": "action", "place": "background"}  # upper level to the factor below it
_ON_SCALE = {("size", "small"): ("size", "0.1"), ("size", "large"): ("size", "0.9"),
             ("light", "bright"): ("darkness", "0.1"), ("light", "dim"): ("darkness", "0.9")}  # fmt: skip
MIN_TEST = 5  # test rows with and without a fact
_MIN_PAIRS = 2


@dataclass(frozen=True)
class Group:
    """Facts that hold for the same rows, so that no concept can tell them apart: "running" and "moving" of dogs.

    Attributes
    ----------
    facts
        (factor, value) of each.
    family
        Factor at the lowest level; facts of one family exclude each other.
    """

    facts: tuple[Fact, ...]
    family: str


def family(factor: str) -> str:
    """Factor at the lowest level of the hierarchy.

    Parameters
    ----------
    factor
        A factor.
    """
    return _FAMILIES.get(factor, factor)


def labels(facts: Sequence[Fact], factors: Sequence[Mapping[str, str]]) -> Array:
    """Whether each fact holds for each row, (n_rows, n_facts) bool.

    Parameters
    ----------
    facts
        (factor, value) of each.
    factors
        Factor to value, per row.
    """
    return np.array([[row.get(f) == v for f, v in facts] for row in factors], bool).reshape(len(factors), len(facts))


def groups_of(train: Sequence[Mapping[str, str]], test: Sequence[Mapping[str, str]]) -> list[Group]:
    """Facts that vary among training rows and among test rows; those of one extension are one group.

    Parameters
    ----------
    train, test
        Factor to value, per row.
    """
    facts = sorted({(f, v) for row in train for f, v in row.items() if v != "none" and f not in _NOT_STATED})
    truth, seen = labels(facts, test), labels(facts, train)
    merged: dict[bytes, list[Fact]] = {}
    for j, fact in enumerate(facts):
        n = int(truth[:, j].sum())
        if min(n, len(truth) - n) >= MIN_TEST and 0 < seen[:, j].sum() < len(seen):
            merged.setdefault(np.concatenate([seen[:, j], truth[:, j]]).tobytes(), []).append(fact)
    return [Group(tuple(members), family(members[0][0])) for members in merged.values()]


def group_labels(groups: Sequence[Group], factors: Sequence[Mapping[str, str]]) -> Array:
    """Whether each group holds for each row, (n_rows, n_groups) bool.

    Parameters
    ----------
    groups
        The groups.
    factors
        Factor to value, per row.
    """
    return labels([group.facts[0] for group in groups], factors)


def areas(activations: Array, truth: Array) -> Array:
    """Areas under the ROC curve, (n_concepts, n_labels): 0.5 for a constant activation, NaN for a constant label.

    Parameters
    ----------
    activations : (n_rows, n_concepts)
        V, signed.
    truth : (n_rows, n_labels)
        Labels, bool.

    Examples
    --------
    >>> areas(np.array([[0.0], [1.0], [2.0]]), np.array([[False], [True], [True]])).tolist()
    [[1.0]]
    """
    truth = np.asarray(truth, bool)
    n_true = truth.sum(0).astype(float)
    ranks = rankdata(activations, axis=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        values: Array = (ranks.T @ truth - n_true * (n_true + 1) / 2) / (n_true * (len(truth) - n_true))
    return values


def assignment(quality: Array) -> Array:
    """One-to-one assignment of concepts to labels of largest total quality: a concept per label, -1 where none is left.

    Parameters
    ----------
    quality : (n_concepts, n_labels)
        For example areas on training rows; NaN counts as 0.

    Examples
    --------
    >>> assignment(np.array([[0.9, 0.8], [0.7, 0.2]])).tolist()
    [1, 0]
    """
    concept = np.full(quality.shape[1], -1)
    rows, columns = linear_sum_assignment(-np.nan_to_num(quality))
    concept[columns] = rows
    return concept


def causal_directions(edits: Edits, groups: Sequence[Group], layer: int, part: int | None = None) -> Array:
    """Change of the state at the token as one factor of the scene is edited, (n_groups, d_model).

    Per scene, the mean state of the edits that show the fact, less the mean of those that do not; then the mean over scenes.
    NaN for a fact that no edit shows.

    Parameters
    ----------
    edits
        From :meth:`Loader.edits`.
    groups
        The facts.
    layer
        Index along the first axis of the states.
    part
        0 or 1: only every other scene, so that two estimates are independent; all scenes if None.
    """
    width = next(iter(next(iter(edits.values())).values())).shape[-1]
    result = np.full((len(groups), width), np.nan)
    for g, group in enumerate(groups):
        present, absent = _contrast(group.facts[0], edits)
        scenes = {i for key in (*present, *absent) for i in edits[key] if part is None or i % 2 == part}
        differences = []
        for i in sorted(scenes):
            on, off = ([edits[key][i][layer] for key in keys if i in edits[key]] for keys in (present, absent))
            if on and off:
                differences.append(np.mean(on, 0, dtype=np.float64) - np.mean(off, 0, dtype=np.float64))
        if len(differences) >= _MIN_PAIRS:
            result[g] = np.mean(differences, 0)
    return result


def _contrast(fact: Fact, edits: Edits) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
    """Edits that show a fact, and edits of the same factor that do not."""
    factor, value = fact
    if fact in _ON_SCALE:
        present = [_ON_SCALE[fact]]
        return present, [key for key in edits if key[0] == present[0][0] and key not in present]
    lower = family(factor)
    above = {"motion": MOTIONS, "place": PLACES}.get(factor)
    keys = [key for key in edits if key[0] == lower]
    present = [key for key in keys if (above.get(key[1]) if above else key[1]) == value]
    return present, [key for key in keys if key not in present]


def with_upper(fact: Fact) -> list[Fact]:
    """A fact and the fact of the level above that it implies.

    Parameters
    ----------
    fact
        (factor, value).
    """
    if fact[0] not in ABOVE:
        return [fact]
    upper, values = ABOVE[fact[0]]
    return [fact, (upper, values[fact[1]])] if fact[1] in values else [fact]
