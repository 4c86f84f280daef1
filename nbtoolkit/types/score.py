"""A score: a value per sample or concept, with mean, deviation and interval; and the scores of one dictionary."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..errors import MethodError
from .intervals import mean_interval
from .representations import Array


@dataclass(frozen=True, eq=False)
class Score:
    """Values of one score, one per sample or concept, with their mean, standard deviation and interval.

    :class:`nbtoolkit.types.Scores` holds several scores of one dictionary.

    Attributes
    ----------
    values : (n,)
        In the unit of the score; NaN where it is not defined.
    name
        Name of the score.
    preserves
        For a null: what it preserves (:class:`nbtoolkit.types.nulls.Null`); else empty.

    Examples
    --------
    >>> Score(np.array([0.4, 0.6, 0.5]), "clip_score")
    clip_score 0.5 ± 0.0816 [0.252, 0.748], n = 3
    """

    values: Array
    name: str = "score"
    preserves: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "values", np.asarray(self.values, np.float64).ravel())

    @property
    def defined(self) -> Array:
        """The values that are not NaN."""
        return self.values[~np.isnan(self.values)]

    @property
    def mean(self) -> float:
        """Mean over the samples for which the score is defined; NaN where there is none."""
        return float(self.defined.mean()) if len(self.defined) else float("nan")

    @property
    def std(self) -> float:
        """Standard deviation over samples, as in the tables of the paper (Parekh et al. 2024)."""
        return float(self.defined.std()) if len(self.defined) else float("nan")

    def interval(self, level: float = 0.95, n_resamples: int = 2000, random_state: Any = 0) -> tuple[float, float]:
        """Confidence interval of the mean over independent values: :func:`nbtoolkit.types.intervals.mean_interval`.

        Parameters
        ----------
        level
            Confidence level, 0 to 1.
        n_resamples, random_state
            Of the bootstrap of release 0.1, which did not cover; the interval has no random part now.

        Returns
        -------
        float, float
            Lower and upper end, in the unit of the score; NaN for fewer than two defined values.

        Raises
        ------
        MethodError
            A level that is not between 0 and 1.

        Examples
        --------
        >>> low, high = Score(np.array([0.4, 0.6, 0.5])).interval(0.9)
        >>> round(low, 3), round(high, 3)
        (0.331, 0.669)
        """
        if not 0 < level < 1:
            raise MethodError(f"level is {level!r}; expected a confidence level between 0 and 1, such as 0.95.")
        return mean_interval(self.defined, level)

    def __repr__(self) -> str:
        low, high = self.interval()
        return f"{self.name} {self.mean:.3g} ± {self.std:.3g} [{low:.3g}, {high:.3g}], n = {len(self.defined)}"


@dataclass(frozen=True, eq=False)
class Scores:
    """Scores of one dictionary and its grounding: a number per score.

    :class:`nbtoolkit.types.Score` holds one score: a value per sample or concept, with mean, deviation and interval.

    Attributes
    ----------
    values
        Score name to value (see :func:`nbtoolkit.evaluate` for names and units).
    spread
        Standard deviation over concepts, for scores that have one value per concept.
    baseline
        The same score for random words on the same exemplars.
    per_concept
        Score name to (n_concepts,) values.

    Examples
    --------
    >>> Scores({"overlap": 0.25})["overlap"]
    0.25
    """

    values: Mapping[str, float] = field(default_factory=dict)
    spread: Mapping[str, float] = field(default_factory=dict)
    baseline: Mapping[str, float] = field(default_factory=dict)
    per_concept: Mapping[str, Array] = field(default_factory=dict)

    def __getitem__(self, name: str) -> float:
        return self.values[name]

    def __repr__(self) -> str:
        return "Scores(" + ", ".join(f"{k} {v:.3g}" for k, v in self.values.items()) + ")"
