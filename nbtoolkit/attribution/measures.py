"""Contributions: what each concept contributes to a target by three measures, with their sums and remainders."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import spearmanr

from ..errors import MethodError
from ..targets import Quantity

Array = np.ndarray
MEASURES: Mapping[str, str] = {
    "integrated_gradients": "integrated gradients",
    "ablation": "ablation, one by one",
    "gradient": "gradient × coefficient",
}


@dataclass(frozen=True, eq=False)
class Contributions:
    """Attribution of the target token to each concept, in the unit of :attr:`quantity`.

    Positive values support the token: the quantity decreases without the concept.

    Attributes
    ----------
    activations : (n, n_concepts)
        V, of the state that predicts the word's last piece.
    ablation : (n, n_concepts)
        Decrease of the quantity when the concept's part c_k d_k alone is removed from the state (coefficient times row of the
        decoder). Exact for one concept; the effects of several do not add up where the model is not linear.
    gradient : (n, n_concepts)
        To first order: c_k d_k · ∂f / ∂z. Near zero for all concepts where the quantity is saturated.
    coefficients : (n, n_concepts)
        c, where they are not the activations (clustering has one-hot coefficients).
    integrated_gradients : (n, n_concepts)
        c_k d_k · the mean of ∂f / ∂z on the straight path from Z - C·D to Z; their sum is ``leave_all_out`` up to the
        numerical error of the integral. NaN where they were not computed.
    leave_all_out : (n,)
        f(Z) - f(Z - C·D): decrease of the quantity when all concepts are removed. NaN where it was not computed.
    quantity
        What was measured: log p, logit, or logit difference to a foil.
    token
        The target token.
    """

    activations: Array
    ablation: Array
    gradient: Array
    coefficients: Array | None = None
    integrated_gradients: Array = field(default_factory=lambda: np.array(np.nan))
    leave_all_out: Array = field(default_factory=lambda: np.array(np.nan))
    quantity: Quantity = field(default_factory=Quantity)
    token: str = ""

    def __post_init__(self) -> None:
        n, k = np.shape(self.activations)
        if np.ndim(self.integrated_gradients) == 0:
            object.__setattr__(self, "integrated_gradients", np.full((n, k), np.nan))
        if np.ndim(self.leave_all_out) == 0:
            object.__setattr__(self, "leave_all_out", np.full(n, np.nan))

    @property
    def used(self) -> Array:
        """Whether a sample uses a concept: the coefficient is not 0 in the state of any piece of the word, (n, n_concepts)."""
        c = self.activations if self.coefficients is None else self.coefficients
        return np.asarray((c != 0) | (self.ablation != 0) | (self.gradient != 0))

    def values(self, measure: str) -> Array:
        """Contributions by one measure, (n, n_concepts).

        Parameters
        ----------
        measure
            ``"integrated_gradients"``, ``"ablation"`` or ``"gradient"``.

        Raises
        ------
        MethodError
            An unknown measure.
        """
        if measure not in MEASURES:
            raise MethodError(f"measure is {measure!r}; expected one of {', '.join(map(repr, MEASURES))}.")
        return np.asarray(getattr(self, measure))

    def total(self, measure: str) -> Array:
        """Sum of the contributions of all concepts, (n,).

        Parameters
        ----------
        measure
            As for :meth:`values`.
        """
        return np.asarray(self.values(measure).sum(1))

    def remainder(self, measure: str) -> Array:
        """What the sum of the parts does not account for, ``leave_all_out`` less :meth:`total`, (n,).

        For integrated gradients it is the completeness residual, the numerical error of the integral; for ablation and
        gradient it is due to interactions and curvature.

        Parameters
        ----------
        measure
            As for :meth:`values`.
        """
        return np.asarray(self.leave_all_out - self.total(measure))

    def ratio(self, measure: str) -> Array:
        """Ratio of sums, :meth:`total` over ``leave_all_out``, (n,); 1 where the parts add up, NaN where nothing changes.

        Parameters
        ----------
        measure
            As for :meth:`values`.
        """
        total, whole = self.total(measure), self.leave_all_out
        return np.divide(total, whole, out=np.full(len(total), np.nan), where=whole != 0)

    def rank_correlation(self, measure: str, reference: str = "ablation") -> Array:
        """Spearman's correlation with another measure over the concepts that a sample uses, (n,); NaN for fewer than 3.

        It is blind to the size of the effects: :meth:`ratio` tells whether they add up.

        Parameters
        ----------
        measure, reference
            As for :meth:`values`.
        """
        a, b = self.values(measure), self.values(reference)
        correlations = np.full(len(a), np.nan)
        for i, used in enumerate(self.used):
            if used.sum() >= 3 and np.ptp(a[i, used]) > 0 and np.ptp(b[i, used]) > 0:
                correlations[i] = spearmanr(a[i, used], b[i, used]).statistic
        return correlations

    @property
    def agreement(self) -> Array:
        """Rank correlation of gradient and ablation, (n,), as in release 0.1; :attr:`agreements` has the ratios of sums too."""
        return self.rank_correlation("gradient")

    @property
    def agreements(self) -> dict[str, dict[str, Array]]:
        """Per measure its ``"ratio"`` of sums and its ``"rank_correlation"`` with ablation, (n,) each."""
        return {m: {"ratio": self.ratio(m), "rank_correlation": self.rank_correlation(m)} for m in MEASURES}

    def to_frame(self) -> Any:
        """Means over the samples as a pandas table: a row per measure, with sum, remainder, ratio and rank correlation."""
        rows = {
            name: {
                "sum": self.total(m).mean(),
                "remainder": self.remainder(m).mean(),
                "ratio": _mean(self.ratio(m)),
                "rank_correlation": _mean(self.rank_correlation(m)),
            }
            for m, name in MEASURES.items()
        }
        return pd.DataFrame.from_dict(rows, orient="index")

    def to_dict(self, row: int) -> dict[str, Any]:
        """One sample as plain data.

        Parameters
        ----------
        row
            The sample.

        Returns
        -------
        dict
            ``quantity``, its ``foil`` ("" for none) and ``unit``; the median ``probability`` of the token, and ``saturated``,
            whether that made the logit difference the default. Per concept ``ablation``, ``integrated_gradients`` and
            ``gradient``; ``leave_all_out``; per measure the ``remainder``, the ``ratio`` of sums and the ``rank_correlation``
            with ablation, or None; ``agreement``, the rank correlation of gradient and ablation.
        """
        measured = self.quantity
        ranks = {m: _defined(self.rank_correlation(m)[row]) for m in MEASURES}
        return {
            "quantity": measured.kind,
            "foil": measured.foils[row] if measured.foils else "",
            "unit": measured.unit,
            "probability": _defined(measured.probability),
            "saturated": measured.switched,
            **{m: self.values(m)[row].astype(float).tolist() for m in MEASURES},
            "leave_all_out": float(self.leave_all_out[row]),
            "remainder": {m: float(self.remainder(m)[row]) for m in MEASURES},
            "ratio": {m: _defined(self.ratio(m)[row]) for m in MEASURES},
            "rank_correlation": ranks,
            "agreement": ranks["gradient"],
        }

    def __repr__(self) -> str:
        n, k = self.activations.shape
        token = f" of {self.token!r}" if self.token else ""
        means = "mean over the samples" if n > 1 else "decrease"
        lines = [
            f"Contributions{token}: {self.quantity}, {n} {'sample' if n == 1 else 'samples'}, {k} concepts",
            *([self.quantity.note] if self.quantity.note else []),
            f"  {'all concepts ablated':24s} {np.mean(self.leave_all_out):+9.3f} {self.quantity.unit} ({means})",
        ]
        for m, name in MEASURES.items():
            lines.append(
                f"  {name:24s} {self.total(m).mean():+9.3f}  remainder {self.remainder(m).mean():+.3f}"
                f"  ratio of sums {_mean(self.ratio(m)):.2f}  rank correlation {_mean(self.rank_correlation(m)):.2f}"
            )
        return "\n".join(lines)


def _defined(value: float) -> float | None:
    """A number as JSON has it; None where it is not defined."""
    return float(value) if np.isfinite(value) else None


def _mean(values: Array) -> float:
    """Mean of the defined values; NaN where there is none."""
    defined = values[np.isfinite(values)]
    return float(defined.mean()) if len(defined) else float("nan")
