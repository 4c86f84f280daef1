"""Stability of dictionaries over runs, against concepts of the same mean and covariance, and against random rows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np

from ..errors import MethodError
from ..types import Score
from ..types.arguments import checked
from ..types.nulls import OTHER_ROWS, RANDOM_MIXTURES, RANDOM_ROWS
from ..types.rules import Rule
from .matching import matched_cosines
from .nulls import exceedance, exchanged, less_mean, n_draws, null_score, random_rows, rotated

Array = np.ndarray


@dataclass(frozen=True, eq=False)
class Stability:
    """Stability of a dictionary over runs, with its nulls; unpacks into ``values, null``.

    Attributes
    ----------
    values, centred
        Matched cosines of every pair of runs, -1 to 1, no unit: of the concepts, and of the concepts less the mean of
        their dictionary, which a common offset cannot raise.
    null, centred_null
        Mean matched cosine of each draw of random mixtures.
    floor
        Mean matched cosine of the first run with random rows of the states, per draw; None without states.
    other
        Matched cosines of every run with a dictionary of other rows, such as another word's: what runs share that have no
        sample in common; None where none is given.
    """

    values: Score
    null: Score
    centred: Score
    centred_null: Score
    floor: Score | None = None
    other: Score | None = None

    def __iter__(self) -> Iterator[Score]:
        return iter((self.values, self.null))

    @property
    def p(self) -> float:
        """Monte Carlo p-value of the mean of ``values`` against its null."""
        return exceedance(self.values.mean, self.null.values)

    @property
    def centred_p(self) -> float:
        """The same of the centred concepts."""
        return exceedance(self.centred.mean, self.centred_null.values)


@checked
def stability(
    dictionaries: Sequence[Annotated[Array, Rule("_ d", rows=1)]],
    *,
    states: Annotated[Array, Rule("n d", rows=1)] | None = None,
    other: Annotated[Array, Rule("m d")] | None = None,
    random_state: Any = 0,
) -> Stability:
    """Stability over runs: matched cosines of every pair of runs, raw and centred, and their nulls.

    The null rotates the concepts of each later run at random about their mean (:func:`nbtoolkit.metrics.rotated`), which
    keeps mean and covariance: it is as high as a common mean, massive coordinates and a common subspace make it. It also
    exchanges their entries per coordinate (:func:`nbtoolkit.metrics.exchanged`), which keeps the values of concepts that
    are not Gaussian; the stricter counts. Random rows of the states, and a dictionary learnt from other rows or from a
    :func:`nbtoolkit.metrics.gaussian_surrogate`, are floors.

    Parameters
    ----------
    dictionaries
        U of each run, (n_concepts, d_model).
    states : (n_samples, d_model)
        Z, for the floor: random rows of it as concepts.
    other : (n_other, d_model)
        Concepts of a dictionary that was learnt from other rows, for the other floor.
    random_state
        Seed of the nulls: an int, a ``numpy.random.Generator``, or None.

    Returns
    -------
    Stability
        It unpacks into the matched cosines and their null.

    Raises
    ------
    MethodError
        Fewer than two dictionaries, or an ``other`` of another width.

    References
    ----------
    Hungarian matching of runs: Wu et al., "Stability-driven nonnegative matrix factorization to interpret spatial gene
    expression", PNAS 2016. Rotation: Langsrud, "Rotation tests", Statistics and Computing 2005.

    Examples
    --------
    >>> U = np.random.default_rng(0).normal(size=(3, 50))
    >>> result = stability([U, U[::-1]])
    >>> round(result.values.mean), result.p
    (1, 0.01)
    """
    if len(dictionaries) < 2:
        raise MethodError(f"The number of dictionaries is {len(dictionaries)}; expected at least 2 runs to compare.")
    width = np.shape(dictionaries[0])[1]
    if other is not None and (np.ndim(other) != 2 or np.shape(other)[1] != width):
        raise MethodError(
            f"other has shape {np.shape(other)}; expected (n_other, {width}), concepts of the same layer."
        )
    rng, runs = np.random.default_rng(random_state), [np.asarray(u, np.float64) for u in dictionaries]
    draws = [[[runs[0], *(f(u, rng) for u in runs[1:])] for f in (rotated, exchanged)] for _ in range(n_draws(runs[0]))]
    floor = None
    if states is not None:
        rows = [random_rows(states, len(runs[0]), rng) for _ in draws]
        floor = null_score([(matched_cosines(runs[0], u),) for u in rows], "stability", RANDOM_ROWS)
    beside = None
    if other is not None:
        cosines = np.concatenate([matched_cosines(u, other) for u in runs])
        beside = Score(cosines, f"stability, {OTHER_ROWS.name}", OTHER_ROWS.preserves)
    return Stability(
        Score(_pairs(runs), "stability"),
        null_score([tuple(map(_pairs, draw)) for draw in draws], "stability", RANDOM_MIXTURES),
        Score(_pairs([less_mean(u) for u in runs]), "centred stability"),
        null_score(
            [tuple(_pairs([less_mean(u) for u in runs]) for runs in draw) for draw in draws],
            "centred stability",
            RANDOM_MIXTURES,
        ),
        floor,
        beside,
    )


def _pairs(runs: Sequence[Array]) -> Array:
    return np.concatenate([matched_cosines(a, b) for i, a in enumerate(runs) for b in runs[i + 1 :]])
