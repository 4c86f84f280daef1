"""Concept attribution: integrated gradients and ablation along the concepts' coefficients, and gradient × coefficient."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ..errors import MethodError
from ..targets import Quantity, Targets
from ..types import ConceptDictionary
from ..types.arguments import checked
from .measures import Contributions

Array = np.ndarray
N_STEPS = 20  # nodes of the path; the completeness residual is reported


@checked
def contributions(
    targets: Targets,
    cd: ConceptDictionary,
    *,
    quantity: str = "auto",
    foil: str | None = None,
    n_steps: int = N_STEPS,
) -> Contributions:
    """Attribute the target token to the concepts of a dictionary.

    What is attributed is f(Z) - f(Z - C·D): the change of the token's log-probability, logit, or logit difference to a foil
    when all concepts are left out of the state. Each measure divides it among the concepts, and has a remainder where its
    parts do not sum to it. Of a word of several sub-tokens, the concepts are left out of the states that predict any of them.

    Parameters
    ----------
    targets
        Of :func:`nbtoolkit.attribution.mentions`.
    cd
        A dictionary of the same model; its layer is where the concepts are ablated.
    quantity
        ``"log_prob"``, ``"logit"`` or ``"logit_difference"``. ``"auto"``: the logit difference where a foil is given, or where
        the log-probability is saturated (median probability of the targets above 0.9); else the log-probability.
    foil
        The word of the logit difference; where None, each target's strongest competitor, a token of another word.
    n_steps
        Gradients along the path of the integrated gradients, the nodes of a Gauss-Legendre rule.

    Raises
    ------
    MethodError
        The dictionary has no decoder, the quantity is unknown, the foil counts as the token, states are not finite, or
        ``n_steps`` is no number of steps.
    TokenError
        The model's tokenizer cannot spell the foil.

    References
    ----------
    Parekh et al. 2024, section 6, leave the attribution of outputs open. Integrated gradients: Sundararajan et al., "Axiomatic
    attribution for deep networks", ICML 2017, equation 1, along the concepts' coefficients as in Marks et al., "Sparse feature
    circuits", ICLR 2025, section 2; ablation: the same, section 3. Gradient × activation: Kim et al., "Interpretability beyond
    feature attribution", ICML 2018, section 3.3. Logit differences: Wang et al., "Interpretability in the wild", ICLR 2023.

    Examples
    --------
    >>> import nbtoolkit as nbt
    >>> model, data = nbt.load_model("toy"), nbt.load_data("toy", n=100)
    >>> cd = nbt.decompose(nbt.extract(model, data, "dog", progress=False), nbt.SemiNMF(3, random_state=0), layer=3)
    >>> result = contributions(nbt.attribution.mentions(model, data["image"][:40], "dog"), cd, foil="cat")
    >>> result.ablation.shape, str(result.quantity)
    ((5, 3), "logit difference to 'cat'")
    >>> bool(np.allclose(result.ablation.sum(1) + result.remainder("ablation"), result.leave_all_out))
    True
    """
    D = cd.require_decoder("an attribution to concepts")
    if isinstance(n_steps, bool) or not isinstance(n_steps, int | np.integer) or n_steps < 1:
        raise MethodError(f"n_steps is {n_steps!r}; expected a whole number of at least 1.")
    Z, rows = targets.piece_states(cd.layer), targets.piece_rows
    if not np.isfinite(Z).all():
        row = targets.rows[int(rows[np.flatnonzero(~np.isfinite(Z).all(1))[0]])]
        raise MethodError(
            f"The states of image {row} at layer {cd.layer} have NaN or infinite values; expected finite numbers. Load the model "
            "with dtype='float32' or 'bfloat16'."
        )
    measured = targets.quantity(quantity, foil)
    V = cd.encode(Z)
    C = cd.coefficients_of(V)
    forward = targets.from_layer(cd.layer, measured, pieces=True)
    last = targets.last_pieces
    return Contributions(
        V[last],
        _ablation(forward, Z, C, D, rows, len(targets)),
        _per_target(C * (targets.piece_gradient(cd.layer, Z, measured) @ D.T), rows, len(targets)),
        C[last],
        _per_target(C * _mean_gradient(targets, cd, measured, Z, C, n_steps), rows, len(targets)),
        np.asarray(forward(Z), np.float64) - forward(_without_all(Z, C, D)),
        measured,
        targets.token,
    )


def _without_all(Z: Array, C: Array, D: Array, share: float = 1.0) -> Array:
    """States less a share of all concepts' parts."""
    return (Z - share * (C.astype(np.float64) @ D)).astype(np.float32)


def _per_target(values: Array, rows: Array, n: int) -> Array:
    """Sum of values of the pieces of each target's word, (n, n_concepts) float64."""
    total = np.zeros((n, values.shape[1]))
    np.add.at(total, rows, values)
    return total


def _ablation(forward: Callable[[Array], Array], Z: Array, C: Array, D: Array, rows: Array, n: int) -> Array:
    """Decrease when one concept is left out; the j-th pass leaves the j-th used concept of every target out."""
    before = np.asarray(forward(Z), np.float64)
    used = _per_target(C != 0, rows, n) > 0
    concepts = [np.flatnonzero(row) for row in used]
    effect = np.zeros(used.shape)
    for j in range(max(map(len, concepts), default=0)):
        active = [i for i in range(n) if len(concepts[i]) > j]
        of_target = np.array([concepts[i][j] if len(concepts[i]) > j else -1 for i in range(n)])
        k = of_target[rows]
        part = np.where(k >= 0, C[np.arange(len(C)), k], 0)[:, None] * D[k]
        after = forward((Z - part).astype(np.float32))
        effect[active, of_target[active]] = before[active] - after[active]
    return effect


def _mean_gradient(
    targets: Targets, cd: ConceptDictionary, quantity: Quantity, Z: Array, C: Array, n_steps: int
) -> Array:
    """Mean over the path from Z - C·D to Z of the gradient with respect to the coefficients, (n_pieces, n_concepts)."""
    nodes, weights = np.polynomial.legendre.leggauss(n_steps)  # on -1 … 1, weights that sum to 2
    total = np.zeros(Z.shape)
    for node, weight in zip(nodes, weights, strict=True):
        states = _without_all(Z, C, cd.concepts, share=(1 - node) / 2)
        total += weight / 2 * targets.piece_gradient(cd.layer, states, quantity)
    return np.asarray(total @ cd.concepts.T)
