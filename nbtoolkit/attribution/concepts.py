"""Concept attribution: what each concept of a state adds to the token's log-probability or logit, and what is left over."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from scipy.stats import spearmanr

from ..errors import MethodError
from ..targets import LOG_PROBABILITY, Quantity, Targets
from ..types import ConceptDictionary

Array = np.ndarray
N_STEPS = 16  # points of the path; of Gauss and Legendre, which few suffice for


class Agreement(NamedTuple):
    """Agreement of integrated gradients with single ablations, per target; NaN where it is undefined.

    Attributes
    ----------
    ratio : (n,)
        Sum of the integrated gradients over the sum of the ablations, no unit: 1 where both add up to the same.
    rank_correlation : (n,)
        Spearman's rank correlation over the concepts that a target uses, -1 to 1; NaN for fewer than 3.
    """

    ratio: Array
    rank_correlation: Array


@dataclass(frozen=True, eq=False)
class Contributions:
    """Attribution of a quantity, such as the token's log-probability, to each concept, in nats.

    Attributes
    ----------
    activations : (n, n_concepts)
        V.
    ablation : (n, n_concepts)
        Decrease of the quantity when the concept's part c_k d_k is removed from the state (coefficient times row of the
        decoder), one concept at a time; exact.
    gradient : (n, n_concepts)
        The same to first order: c_k d_k · ∂ quantity / ∂ z.
    coefficients : (n, n_concepts)
        c, where they are not the activations (clustering has one-hot coefficients).
    integrated : (n, n_concepts)
        Integrated gradients: c_k d_k · the mean gradient on the way from the state without all concepts to the state.
    total : (n,)
        Decrease of the quantity when all concepts are removed at once: what the concepts add together.
    quantity
        What is attributed.
    values : (n,)
        The quantity of the unchanged state.
    """

    activations: Array
    ablation: Array
    gradient: Array
    coefficients: Array | None = None
    integrated: Array | None = None
    total: Array | None = None
    quantity: Quantity = LOG_PROBABILITY
    values: Array | None = None

    @property
    def remainder(self) -> Mapping[str, Array]:
        """Per measure, ``total`` less the sum over the concepts, (n,).

        Of single ablations and gradients it is what concepts do only together; of integrated gradients, whose sum is the
        total, it is the error of the integral.

        Raises
        ------
        MethodError
            Without ``total``.
        """
        if self.total is None:
            raise MethodError("These contributions have no total; expected those of contributions(targets, cd).")
        parts = {"ablation": self.ablation, "integrated": self.integrated, "gradient": self.gradient}
        return {name: self.total - values.sum(1) for name, values in parts.items() if values is not None}

    @property
    def agreement(self) -> Agreement:
        """Agreement of the integrated gradients with the ablations (of the gradients, where there are no others)."""
        other = self.gradient if self.integrated is None else self.integrated
        sums = self.ablation.sum(1)
        ratio = np.divide(other.sum(1), sums, out=np.full(len(sums), np.nan), where=sums != 0)
        correlations = np.full(len(self.activations), np.nan)
        for i, c in enumerate(self.activations if self.coefficients is None else self.coefficients):
            used = np.flatnonzero(c)
            if len(used) >= 3 and np.ptp(self.ablation[i, used]) > 0 and np.ptp(other[i, used]) > 0:
                correlations[i] = spearmanr(self.ablation[i, used], other[i, used]).statistic
        return Agreement(ratio, correlations)

    def __repr__(self) -> str:
        n, n_concepts = self.ablation.shape
        text = f"Contributions of {n_concepts} concepts to {self.quantity.label} of {n} targets"
        if self.total is not None:
            rest = self.remainder["ablation"]
            text += f": together {self.total.mean():.3g} nats, one by one {self.ablation.sum(1).mean():.3g}, remainder {rest.mean():.3g}"
        return text + (f" ({self.quantity.note})" if self.quantity.note else "")


def contributions(
    targets: Targets,
    cd: ConceptDictionary,
    *,
    target: str = "auto",
    foil: str | None = None,
    n_steps: int = N_STEPS,
) -> Contributions:
    """Attribute the token's log-probability, or its logit less a foil's, to the concepts of a dictionary.

    Parameters
    ----------
    targets
        Of :func:`nbtoolkit.attribution.mentions`.
    cd
        A dictionary of the same model; its layer is where the concepts are ablated.
    target
        ``"log_probability"``, ``"logit"`` or ``"logit_difference"``. ``"auto"`` is the log-probability; where that is
        saturated (the median over the targets is above log 0.9), so that it hardly changes whatever is removed, it is the
        logit difference, and ``quantity.note`` of the result says so.
    foil
        The word that the token is compared with, for the logit difference; where None, per target the token of largest
        logit that is of another word.
    n_steps
        Number of gradients along the path of the integrated gradients.

    Returns
    -------
    Contributions
        In nats. Of a token of several sub-tokens the state predicts the last one, so the others' part is constant.

    Raises
    ------
    MethodError
        The dictionary has no decoder, an unknown target, a foil that is the token itself or that parts from it before its
        last sub-token, or a number of steps below 1.

    References
    ----------
    Parekh et al. 2024, section 6, leave the attribution of outputs open. Ablation: Marks et al., "Sparse feature circuits",
    ICLR 2025, section 3. Integrated gradients: Sundararajan et al., "Axiomatic attribution for deep networks", ICML 2017,
    section 3. Logit difference: Wang et al., "Interpretability in the wild", ICLR 2023, section 3.

    Examples
    --------
    >>> import nbtoolkit as nbt
    >>> model, data = nbt.load_model("toy"), nbt.load_data("toy", n=100)
    >>> cd = nbt.decompose(nbt.extract(model, data, "dog", progress=False), nbt.SemiNMF(3, random_state=0), layer=3)
    >>> contributions(nbt.attribution.mentions(model, data["image"][:40], "dog"), cd, foil="cat").ablation.shape
    (5, 3)
    """
    D = cd.require_decoder("an attribution to concepts")
    if isinstance(n_steps, bool) or not isinstance(n_steps, int | np.integer) or n_steps < 1:
        raise MethodError(f"n_steps is {n_steps!r}; expected a whole number of at least 1.")
    quantity = targets.quantity(target, foil)
    if quantity.parts_early:
        raise MethodError(
            f"foil is {foil!r}, which parts from {targets.token!r} before its last sub-token, where the state is; expected a foil "
            "that parts there. Leave it out, and the strongest one is taken."
        )
    _, states = targets.read([cd.layer])
    Z = states[:, 0]
    V = cd.encode(Z)
    C = cd.coefficients_of(V)
    value = targets.from_layer(cd.layer, quantity=quantity)
    whole, together = value(Z), C @ D
    ablation = np.zeros(C.shape)
    for k in np.flatnonzero(C.any(0)):
        ablation[:, k] = np.where(C[:, k] == 0, 0, whole - value(Z - C[:, [k]] * D[k]))
    points, weights = np.polynomial.legendre.leggauss(n_steps)
    mean = np.zeros(Z.shape)
    for at, weight in zip((points + 1) / 2, weights / 2, strict=True):
        mean += weight * targets.gradient(cd.layer, states=Z - (1 - at) * together, quantity=quantity)
    gradient = C * (targets.gradient(cd.layer, states=Z, quantity=quantity) @ D.T)
    return Contributions(V, ablation, gradient, C, C * (mean @ D.T), whole - value(Z - together), quantity, whole)
