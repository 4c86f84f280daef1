"""Results of the benchmark: a tidy table, one row per task, method and score."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas

from ...metrics import dictionary_interval
from ...types import Score
from .tasks import Task

Array = np.ndarray
KINDS = ("method", "floor", "ceiling")
COLUMNS = ("task", "method", "metric", "value", "low", "high", "n", "floor", "ceiling", "kind", "unit", "n_replicates")


@dataclass(frozen=True)
class Metric:
    """A score of the benchmark; larger is better.

    Attributes
    ----------
    title
        Short title, for the head of a column.
    unit
        What has a value each: ``concepts``, ``facts`` or ``images``.
    meaning
        A sentence for the report.
    low, high
        Its range.
    """

    title: str
    unit: str
    meaning: str
    low: float = 0.0
    high: float = 1.0


METRICS: Mapping[str, Metric] = {
    "naming": Metric("naming@1", "concepts", "Share of the concepts whose first word names the fact that the concept separates "
                     "best on test images, among all facts."),
    "coverage": Metric("facts named", "facts", "Each fact has one concept, assigned on training images: share of the facts that its "
                       "first word names."),
    "precision": Metric("words", "concepts", "Precision of a concept's words (at most five): how much more often the ten strongest test "
                        "images show what a word names than all test images do; 0 for a word that names no fact of them."),
    "margin": Metric("AUC margin", "facts", "Area under the ROC curve of the fact's concept on test images, less its area for the best "
                     "fact of another factor; 0 for a fact without a concept.", -1.0),
    "cosine": Metric("cosine", "facts", "Cosine of the fact's concept with the change of the state at the token as this factor alone "
                     "is edited in the renderer. Both are taken without the mean state.", -1.0),
    "pointing": Metric("pointing", "facts", "Pointing game: the largest value of the map of the fact's concept is on pixels that show "
                       "its factor."),
    "iou": Metric("IoU", "facts", "Intersection over union of these pixels and as many patches of largest values."),
    "selectivity": Metric("selectivity", "concepts", "The concept is ablated at its layer, at all positions, and the images are captioned "
                          "again: share of the fact of its first word that is gone, less the share of all other facts that are "
                          "gone; 0 where no caption states what the word names.", -1.0),
    "graded": Metric("graded", "images", "Rank correlation with the subject's size and with the darkness of the surroundings, of the "
                     "concept that correlates most on training images; mean of the two.", -1.0),
    "senses": Metric("two senses", "images", "Each sense of “bat” has one concept, assigned on training images: its area under the ROC curve "
                     "for the sense, less its best area for a fact among the images of that sense.", -1.0),
    "spurious": Metric("spurious pair", "images", "Frisbee and grass come together in 95 % of the training images with a frisbee. On images "
                       "with one of them alone: how well the concept of each tells its own fact from the other, 2 × area − 1; "
                       "0 where both concepts mean the pair.", -1.0),
    "level": Metric("level", "facts", "Places and motions: the first word of the fact's concept that names a place or motion names this "
                    "one, at its level of the hierarchy (“snow” or “outdoors”, “sitting” or “resting”)."),
    "distractors": Metric("not distracted", "concepts", "Share of the concepts that do not name a distractor: 0 where a concept separates shade "
                          "or position, which no caption tells, better than any fact, and its first word names a fact."),
}  # fmt: skip


@dataclass(frozen=True, eq=False)
class Results:
    """Scores of all methods on all tasks.

    Attributes
    ----------
    tasks
        The tasks.
    table
        One row per task, method and score: ``task, method, metric, value, low, high, n, floor, ceiling`` (the best of the
        floors and of the ceilings), ``kind`` (method, floor or ceiling), ``unit`` (what n counts) and ``n_replicates``
        (dictionaries learnt again for the interval; 0: it is about this dictionary).
    notes
        (task, method) to what it warned of, or why it was refused.
    counts
        Task to the numbers of training rows, test rows and facts.
    maps
        Scores of attribution maps, from :func:`nbtoolkit.toy.benchmark.attribution_maps`, with the same columns; None where
        they were left out.
    """

    tasks: tuple[Task, ...]
    table: pandas.DataFrame
    notes: Mapping[tuple[str, str], str] = field(default_factory=dict)
    counts: Mapping[str, tuple[int, int, int]] = field(default_factory=dict)
    maps: pandas.DataFrame | None = None

    def summary(self, task: str) -> pandas.DataFrame:
        """Values of one task, a row per method and a column per score that the task has.

        Parameters
        ----------
        task
            Name of the task.
        """
        rows = self.table[self.table.task == task]
        wide = rows.pivot(index="method", columns="metric", values="value")
        columns = [m for m in METRICS if m in wide and wide[m].notna().any()]
        return wide.loc[list(dict.fromkeys(rows.method)), columns]

    def __repr__(self) -> str:
        parts = []
        for task in self.tasks:
            wide = self.summary(task.name)
            titles = {name: METRICS[name].title for name in wide}
            text = wide.rename(columns=titles).rename_axis(index=None, columns=None).round(2)
            parts.append(f"{task.name} ({task.difficulty})\n{text.to_string(na_rep='–')}")
        if self.maps is not None:
            wide = self.maps.pivot(index="method", columns="metric", values="value").round(2)
            wide = wide.loc[list(dict.fromkeys(self.maps.method)), list(dict.fromkeys(self.maps.metric))]
            text = wide.rename_axis(index=None, columns=None).to_string(na_rep="–")
            parts.append(f"attribution maps ({self.maps.task.iloc[0]}, {self.maps.n.max()} images)\n{text}")
        return "\n\n".join(parts)


def row_of(
    task: str, method: str, kind: str, name: str, score: Score, replicates: Sequence[Score] = ()
) -> dict[str, Any]:
    """Row of the table, without floor and ceiling.

    Parameters
    ----------
    task, method, kind, name
        Names of task, method, kind and score.
    score
        The score.
    replicates
        The same score of dictionaries that were learnt again.
    """
    low, high = score.interval()
    defined = [one.defined for one in replicates if len(one.defined)]
    if len(defined) > 1 and len(score.defined) > 1:
        width = max(map(len, defined))
        padded = np.array([np.pad(v, (0, width - len(v)), constant_values=np.nan) for v in defined])
        low, high, _ = dictionary_interval(score.values, padded)
    metric = METRICS[name]
    return {
        "task": task, "method": method, "metric": name, "value": score.mean,
        "low": max(low, metric.low) if low == low else low, "high": min(high, metric.high) if high == high else high,
        "n": len(score.defined), "kind": kind, "unit": metric.unit, "n_replicates": len(defined) if len(defined) > 1 else 0,
    }  # fmt: skip


def pool(scores: Sequence[Score]) -> Score:
    """One score of several draws of a random floor: its concepts together, or for each fact or image the mean over draws.

    Parameters
    ----------
    scores
        The same score of each draw, at least one.
    """
    if len(scores) == 1:
        return scores[0]
    values = [score.values for score in scores]
    if METRICS[scores[0].name].unit == "concepts":
        return Score(np.concatenate(values), scores[0].name)
    return Score(np.mean(values, axis=0), scores[0].name)


def tidy(rows: Sequence[Mapping[str, Any]]) -> pandas.DataFrame:
    """Table of rows, with the best floor and the best ceiling of each task and score.

    Parameters
    ----------
    rows
        From :func:`row_of`.
    """
    table = pandas.DataFrame(rows)
    for kind in ("floor", "ceiling"):
        best = table[table.kind == kind].groupby(["task", "metric"]).value.max()
        table[kind] = [best.get((t, m), np.nan) for t, m in zip(table.task, table.metric, strict=True)]
    return table[list(COLUMNS)]
