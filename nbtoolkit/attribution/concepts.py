"""Concept attribution: integrated gradients and ablation along the concepts' coefficients, and gradient × coefficient."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np

from ..errors import MethodError, ModelError
from ..targets import Quantity, Targets
from ..targets.continuations import Continuation, continuations, piece_streams
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
    (Z, last_states), rows = piece_streams(targets, cd.layer), targets.piece_rows
    if not np.isfinite(Z).all():
        row = targets.rows[int(rows[np.flatnonzero(~np.isfinite(Z).all(1))[0]])]
        raise MethodError(
            f"The states of image {row} at layer {cd.layer} have NaN or infinite values; expected finite numbers. Load the model "
            "with dtype='float32' or 'bfloat16'."
        )
    measured = targets.quantity(quantity, foil, states=last_states)
    V = cd.encode(Z)
    C = cd.coefficients_of(V)
    parts = _Parts(Z, C, D, rows, len(targets))
    last = targets.last_pieces
    ablation, gradient, path, without = _measures(targets, cd.layer, measured, parts, n_steps)
    per_target = partial(_per_target, rows=rows, n=len(targets))
    return Contributions(
        V[last],
        ablation,
        per_target(C * (gradient @ D.T)),
        C[last],
        per_target(C * (path @ D.T)),
        without,
        measured,
        targets.token,
    )


class _Parts:
    """States of the pieces of the words, and their parts along the concepts.

    Parameters
    ----------
    Z : (n_pieces, d_model)
        States.
    C : (n_pieces, n_concepts)
        Coefficients.
    D : (n_concepts, d_model)
        Decoder.
    rows : (n_pieces,)
        Target of each piece.
    n
        Number of targets.
    """

    def __init__(self, Z: Array, C: Array, D: Array, rows: Array, n: int) -> None:
        self.Z, self.C, self.D, self.rows = Z, C, D, rows
        used = _per_target(C != 0, rows, n) > 0
        self.concepts = [np.flatnonzero(row) for row in used]  # that each target uses
        self.shape = used.shape

    def without_all(self, share: float = 1.0) -> Array:
        """States less a share of all concepts' parts."""
        return (self.Z - share * (self.C.astype(np.float64) @ self.D)).astype(np.float32)

    def without_one(self, of_target: Array) -> Array:
        """States less the part of one concept per target; of none where its number is negative."""
        k = of_target[self.rows]
        part = np.where(k >= 0, self.C[np.arange(len(k)), k], 0)[:, None] * self.D[k]
        return (self.Z - part).astype(np.float32)

    def of(self, target: int) -> _Parts:
        """The parts of one target."""
        at = self.rows == target
        return _Parts(self.Z[at], self.C[at], self.D, np.zeros(int(at.sum()), int), 1)


def _per_target(values: Array, rows: Array, n: int) -> Array:
    """Sum of values of the pieces of each target's word, (n, n_concepts) float64."""
    total = np.zeros((n, values.shape[1]))
    np.add.at(total, rows, values)
    return total


def _measures(targets: Targets, layer: int, quantity: Quantity, parts: _Parts, n_steps: int) -> tuple[Array, ...]:
    """Decrease without each concept (n, n_concepts); gradient at the states, and its mean over the path from the states
    without all concepts (n_pieces, d_model); decrease without all concepts (n,)."""
    nodes, weights = np.polynomial.legendre.leggauss(n_steps)  # on -1 … 1, weights that sum to 2
    shares = np.array([0, *(1 - nodes) / 2])  # of the concepts' parts that are left out: none, then those of the path
    try:
        results = [_continued(c, parts.of(i), shares) for i, c in enumerate(continuations(targets, layer, quantity))]
    except ModelError:  # it cannot be continued from this layer
        return _in_whole_passes(targets, layer, quantity, parts, shares, weights / 2)
    ablation, gradients, without = zip(*results, strict=True)
    path = np.tensordot(weights / 2, np.concatenate(gradients, 1)[1:].astype(np.float64), 1)
    return np.concatenate(ablation), np.concatenate([g[0] for g in gradients]), path, np.array(without)


def _continued(continuation: Continuation, parts: _Parts, shares: Array) -> tuple[Array, Array, float]:
    """Of one target: ablation (1, n_concepts), gradients at shares of the path (n_shares, n_pieces, d_model), all left out."""
    (concepts,) = parts.concepts
    edited = [parts.Z, parts.without_all(), *(parts.without_one(np.array([k])) for k in concepts)]
    before, without, *after = continuation.values(np.stack(edited)).astype(np.float64)
    effect = np.zeros(parts.shape)
    effect[0, concepts] = before - np.array(after)
    return effect, continuation.gradients(np.stack([parts.without_all(s) for s in shares])), before - without


def _in_whole_passes(
    targets: Targets, layer: int, quantity: Quantity, parts: _Parts, shares: Array, weights: Array
) -> tuple[Array, ...]:
    """As :func:`_measures`, by whole passes of all targets."""
    forward = targets.from_layer(layer, quantity, pieces=True)
    before = np.asarray(forward(parts.Z), np.float64)
    gradients = [targets.piece_gradient(layer, parts.without_all(s), quantity) for s in shares]
    path = np.tensordot(weights, np.array(gradients[1:], np.float64), 1)
    return _ablation(forward, parts, before), gradients[0], path, before - forward(parts.without_all())


def _ablation(forward: Callable[[Array], Array], parts: _Parts, before: Array) -> Array:
    """Decrease when one concept is left out; the j-th pass leaves the j-th used concept of every target out."""
    concepts = parts.concepts
    effect = np.zeros(parts.shape)
    for j in range(max(map(len, concepts), default=0)):
        active = [i for i in range(len(concepts)) if len(concepts[i]) > j]
        of_target = np.array([k[j] if len(k) > j else -1 for k in concepts])
        after = forward(parts.without_one(of_target))
        effect[active, of_target[active]] = before[active] - after[active]
    return effect
