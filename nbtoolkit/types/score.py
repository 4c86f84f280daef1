"""A score: a value per sample or concept, with mean, deviation and interval; and the scores of one dictionary."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from .representations import Array

_CHUNK = 100  # resamples per array


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

    Examples
    --------
    >>> Score(np.array([0.4, 0.6, 0.5]), "clip_score")
    clip_score 0.5 ± 0.0816 [0.4, 0.6], n = 3
    """

    values: Array
    name: str = "score"

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
        """Bootstrap interval of the mean, by percentiles.

        Parameters
        ----------
        level
            Confidence level, 0 to 1.
        n_resamples
            Number of resamples, rounded down to a multiple of 100 (at least 100).
        random_state
            Seed of the resamples: an int, a ``numpy.random.Generator``, or None.

        Returns
        -------
        float, float
            Lower and upper end, in the unit of the score; both the mean where fewer than two values differ.

        References
        ----------
        Efron and Tibshirani, "An Introduction to the Bootstrap", 1993, section 13.3.
        """
        values = self.defined
        if len(values) < 2 or np.ptp(values) == 0:
            return self.mean, self.mean
        rng, n = np.random.default_rng(random_state), len(values)
        means = np.concatenate(
            [values[rng.integers(0, n, (_CHUNK, n))].mean(1) for _ in range(max(1, n_resamples // _CHUNK))]
        )
        low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2])
        return float(low), float(high)

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
