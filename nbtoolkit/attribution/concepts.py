"""Concept attribution: change of the token's log-probability when a concept is ablated, and gradient × activation."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.stats import spearmanr

from ..targets import Targets
from ..types import ConceptDictionary
from ..types.arguments import checked

Array = np.ndarray


@dataclass(frozen=True, eq=False)
class Contributions:
    """Attribution of the token's log-probability to each concept, in nats.

    Attributes
    ----------
    activations : (n, n_concepts)
        V.
    ablation : (n, n_concepts)
        Decrease of the log-probability when the concept's part c_k d_k is removed from the state (coefficient times row
        of the decoder); exact.
    gradient : (n, n_concepts)
        The same to first order: c_k d_k · ∂ log p / ∂ z.
    coefficients : (n, n_concepts)
        c, where they are not the activations (clustering has one-hot coefficients).
    """

    activations: Array
    ablation: Array
    gradient: Array
    coefficients: Array | None = None

    @property
    def agreement(self) -> Array:
        """Spearman's rank correlation of the two over the concepts that a sample uses, (n,); NaN for fewer than 3."""
        correlations = np.full(len(self.activations), np.nan)
        for i, c in enumerate(self.activations if self.coefficients is None else self.coefficients):
            used = np.flatnonzero(c)
            if len(used) >= 3 and np.ptp(self.ablation[i, used]) > 0 and np.ptp(self.gradient[i, used]) > 0:
                correlations[i] = spearmanr(self.ablation[i, used], self.gradient[i, used]).statistic
        return correlations


@checked
def contributions(targets: Targets, cd: ConceptDictionary) -> Contributions:
    """Attribute the token's log-probability to the concepts of a dictionary.

    Parameters
    ----------
    targets
        Of :func:`nbtoolkit.attribution.mentions`.
    cd
        A dictionary of the same model; its layer is where the concepts are ablated.

    Raises
    ------
    MethodError
        The dictionary has no decoder.

    References
    ----------
    Parekh et al. 2024, section 6, leave the attribution of outputs open. Gradient × activation: Kim et al., "Interpretability
    beyond feature attribution", ICML 2018, section 3.3; ablation: Marks et al., "Sparse feature circuits", ICLR 2025, section 3.

    Examples
    --------
    >>> import nbtoolkit as nbt
    >>> model, data = nbt.load_model("toy"), nbt.load_data("toy", n=100)
    >>> cd = nbt.decompose(nbt.extract(model, data, "dog", progress=False), nbt.SemiNMF(3, random_state=0), layer=3)
    >>> contributions(nbt.attribution.mentions(model, data["image"][:40], "dog"), cd).ablation.shape
    (5, 3)
    """
    D = cd.require_decoder("an attribution to concepts")
    _, states = targets.read([cd.layer])
    Z = states[:, 0]
    V = cd.encode(Z)
    C = cd.coefficients_of(V)
    log_probability = targets.from_layer(cd.layer)
    total = log_probability(Z)
    ablation = np.zeros(C.shape)
    for k in np.flatnonzero(C.any(0)):
        ablation[:, k] = np.where(C[:, k] == 0, 0, total - log_probability(Z - C[:, [k]] * D[k]))
    return Contributions(V, ablation, C * (targets.gradient(cd.layer) @ D.T), C)
