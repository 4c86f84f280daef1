"""The number of concepts: reconstruction of held-out training rows, and the number that follows."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ..decomposition import decompose
from ..metrics import Score
from ..types import Representations
from .systems import Context

Array = np.ndarray
N_FOLDS = 3
ENOUGH = 0.5  # the paper's rule: an error at most half of that without concepts


@dataclass(frozen=True, eq=False)
class HeldOut:
    """Reconstruction of training rows by dictionaries of the other rows, per number of concepts.

    Attributes
    ----------
    errors
        Number of concepts to errors (n_rows,): ‖z − ẑ‖² over the mean of ‖z − z̄‖², z̄ of the rows that were learnt from; no
        unit, 1 is the mean state. All NaN where there were fewer rows than concepts.
    share
        Mean of ‖z − z̄‖² over the mean of ‖z‖², no unit: its product with an error is the paper's error.

    Examples
    --------
    >>> errors = {10: np.full(9, 0.5), 20: np.full(9, 0.31), 30: np.full(9, 0.3)}
    >>> HeldOut(errors, 0.5).elbow
    20
    """

    errors: Mapping[int, Array]
    share: float

    def score(self, n_concepts: int) -> Score:
        """Errors for one number of concepts.

        Parameters
        ----------
        n_concepts
            The number.
        """
        return Score(self.errors[n_concepts], "held-out error")

    @property
    def means(self) -> dict[int, float]:
        """Mean error per number of concepts, where it is defined."""
        scores = {k: self.score(k) for k in sorted(self.errors)}
        return {k: s.mean for k, s in scores.items() if len(s.defined)}

    @property
    def chosen(self) -> int | None:
        """Smallest number of concepts whose error is at most one standard error above the lowest (None: undefined)."""
        means = self.means
        if not means:
            return None
        best = min(means, key=lambda k: (means[k], k))
        rest = self.score(best).defined
        limit = means[best] + rest.std(ddof=min(1, len(rest) - 1)) / np.sqrt(len(rest))
        return min(k for k, value in means.items() if value <= limit)

    @property
    def elbow(self) -> int | None:
        """Number of concepts farthest below the line between the ends of the curve; None for fewer than three numbers."""
        means = self.means
        if len(means) < 3:
            return None
        k, y = np.array(list(means)), np.array(list(means.values()))
        line = y[0] + (y[-1] - y[0]) * (k - k[0]) / (k[-1] - k[0])
        return int(k[int(np.argmax(line - y))])

    @property
    def paper(self) -> int | None:
        """The paper's rule, on held-out rows: smallest number with ‖z − ẑ‖² at most half of ‖z‖²; None where none has."""
        return next((k for k, value in self.means.items() if value * self.share <= ENOUGH), None)


def held_out(context: Context, train: Representations, sizes: Sequence[int]) -> HeldOut:
    """Reconstruct every training row by Semi-NMF dictionaries that were learnt without it, in three parts.

    The test samples are not used. Rows of one sample are held out together.

    Parameters
    ----------
    context
        Of the evaluation.
    train
        Representations to learn from.
    sizes
        Numbers of concepts.

    References
    ----------
    One standard error: Breiman et al., "Classification and Regression Trees", 1984, section 3.4.3. Elbow: Satopaa et al.,
    "Finding a kneedle in a haystack", ICDCS Workshops 2011. The paper's rule: Parekh et al. 2024, Figure 11.
    """
    Z, rng = train.layer(context.layer).astype(np.float64), np.random.default_rng(context.random_state)
    ids = {i: k for k, i in enumerate(dict.fromkeys(train.sample_ids))}
    part = rng.permutation(np.arange(len(ids)) % N_FOLDS)[[ids[i] for i in train.sample_ids]]
    errors = {int(k): np.full(len(Z), np.nan) for k in sizes}
    about_mean = np.full(len(Z), np.nan)
    for fold in range(N_FOLDS):
        rows, rest = np.flatnonzero(part != fold), np.flatnonzero(part == fold)
        if not len(rows) or not len(rest):
            continue
        about_mean[rest] = np.square(Z[rest] - Z[rows].mean(0)).sum(1)
        own = train.select(rows, [context.layer])
        for k in errors:
            if k > len(rows):
                continue
            with warnings.catch_warnings():  # of dead concepts
                warnings.simplefilter("ignore", UserWarning)
                cd = decompose(own, context.estimator("SemiNMF", context.random_state, k), layer=context.layer)
            errors[k][rest] = np.square(Z[rest] - cd.reconstruct(Z[rest].astype(np.float32))).sum(1)
    total = float(np.nanmean(about_mean)) if not np.isnan(about_mean).all() else float("nan")
    scaled = {k: e / total if total > 0 else np.full(len(Z), np.nan) for k, e in errors.items()}
    return HeldOut(scaled, total / float(np.square(Z).sum(1).mean()))
