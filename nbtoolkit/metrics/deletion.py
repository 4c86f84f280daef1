"""Deletion and insertion curves: log-probability of the token as concepts are subtracted from a state or added to it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np

from ..errors import MethodError
from ..types import ConceptDictionary, Score
from ..types.arguments import checked
from ..types.nulls import RANDOM_ORDER
from ..types.rules import Rule, described
from .nulls import exceedance, random_order

Array = np.ndarray


@dataclass(frozen=True, eq=False)
class Curve:
    """Log-probability of the token after each step.

    Attributes
    ----------
    steps : (n_concepts + 1,)
        Number of concepts that are subtracted or added.
    values : (n_samples, n_concepts + 1)
        Log-probabilities, in nats.
    null
        Mean area over the samples in nats, per random order of the concepts that each sample uses
        (:func:`nbtoolkit.metrics.random_order`); None where no order was drawn.
    p
        Monte Carlo p-value of the area against it: of a smaller area for deletion, of a larger one for insertion; NaN
        without a null.
    """

    steps: Array
    values: Array
    null: Score | None = None
    p: float = float("nan")

    @property
    def area(self) -> Score:
        """Mean of each sample's curve over the steps, in nats: lower is better for deletion, higher for insertion."""
        width = np.diff(self.steps) / max(1, self.steps[-1])
        return Score(((self.values[:, 1:] + self.values[:, :-1]) / 2) @ width, "area")


@checked
def c_deletion(
    states: Annotated[Array, Rule("_ _")],
    activations: Annotated[Array, Rule("_ _")] | ConceptDictionary,
    concepts: Annotated[Array, Rule("_ _")] | None,
    log_probability: Callable[[Array], Array],
    order: Annotated[Array, Rule("_ _")] | None = None,
    *,
    n_null: int = 0,
    random_state: Any = 0,
) -> Curve:
    """Deletion curve: concepts are subtracted from each state, strongest first, z − Σ_{k ≤ j} v_k u_k.

    Parameters
    ----------
    states : (n_samples, d_model)
        Z.
    activations : (n_samples, n_concepts)
        Coefficients of the concepts, or a dictionary, which gives them and its decoder.
    concepts : (n_concepts, d_model)
        Rows of the decoder; None where a dictionary is given.
    log_probability
        From states (n, d_model) to the log-probability (n,) of the token, in nats, of the forward pass from there onward.
    order : (n_samples, n_concepts)
        Index of the concept at each step; by |v_k|‖u_k‖ where not given.
    n_null
        Number of random orders of the null, each of which costs as many forward passes as the curve. They are orders of
        the concepts that a sample uses: a random order of all concepts spends steps on concepts of activation 0, and any
        order of the used ones beats it.
    random_state
        Seed of the random orders: an int, a ``numpy.random.Generator``, or None.

    Returns
    -------
    Curve
        It starts at the log-probability of the unchanged model.

    Raises
    ------
    MethodError
        Shapes that do not fit, or a dictionary without a decoder.

    References
    ----------
    Ghorbani et al., "Towards automatic concept-based explanations", NeurIPS 2019, section 4 (smallest destroying
    concepts); Fel et al., "A holistic approach to unifying automatic concept extraction", NeurIPS 2023 (C-deletion).

    Examples
    --------
    >>> Z, U = np.array([[3.0, 1.0]]), np.eye(2)
    >>> c_deletion(Z, Z, U, lambda z: z.sum(1)).values.tolist()
    [[4.0, 1.0, 0.0]]
    """
    coefficients, D = _parts(states, activations, concepts)
    start = np.asarray(states, np.float64)
    return _with_null(start, -1.0, coefficients, D, log_probability, order, n_null, random_state)


@checked
def c_insertion(
    states: Annotated[Array, Rule("_ _")],
    activations: Annotated[Array, Rule("_ _")] | ConceptDictionary,
    concepts: Annotated[Array, Rule("_ _")] | None,
    log_probability: Callable[[Array], Array],
    order: Annotated[Array, Rule("_ _")] | None = None,
    *,
    n_null: int = 0,
    random_state: Any = 0,
) -> Curve:
    """Insertion curve: concepts are added to the residual of each state, strongest first, z − vU + Σ_{k ≤ j} v_k u_k.

    Parameters
    ----------
    states : (n_samples, d_model)
        Z.
    activations : (n_samples, n_concepts)
        Coefficients of the concepts, or a dictionary, which gives them and its decoder.
    concepts : (n_concepts, d_model)
        Rows of the decoder; None where a dictionary is given.
    log_probability
        From states (n, d_model) to the log-probability (n,) of the token, in nats, as for :func:`c_deletion`.
    order : (n_samples, n_concepts)
        Index of the concept at each step; by |v_k|‖u_k‖ where not given.
    n_null
        Number of random orders of the null, each of which costs as many forward passes as the curve. They are orders of
        the concepts that a sample uses: a random order of all concepts spends steps on concepts of activation 0, and any
        order of the used ones beats it.
    random_state
        Seed of the random orders: an int, a ``numpy.random.Generator``, or None.

    Returns
    -------
    Curve
        It ends at the log-probability of the unchanged model.

    Raises
    ------
    MethodError
        Shapes that do not fit, or a dictionary without a decoder.

    References
    ----------
    As for :func:`c_deletion`.

    Examples
    --------
    >>> Z, U = np.array([[3.0, 1.0]]), np.eye(2)
    >>> c_insertion(Z, Z, U, lambda z: z.sum(1)).values.tolist()
    [[0.0, 3.0, 4.0]]
    """
    coefficients, D = _parts(states, activations, concepts)
    residual = np.asarray(states, np.float64) - coefficients @ D
    return _with_null(residual, 1.0, coefficients, D, log_probability, order, n_null, random_state)


def _parts(states: Array, activations: Array | ConceptDictionary, concepts: Array | None) -> tuple[Array, Array]:
    """Coefficients (n, n_concepts) and rows of the decoder (n_concepts, d_model), of which the parts of a state are made."""
    if isinstance(activations, ConceptDictionary):
        D = activations.require_decoder("a deletion or insertion curve")
        activations, concepts = activations.coefficients_of(activations.encode(states)), D
    C, U = np.asarray(activations, np.float64), np.asarray(concepts, np.float64)
    if U.ndim != 2 or np.shape(states) != (len(C), U.shape[1]) or C.shape[1] != len(U):
        raise MethodError(
            f"states {np.shape(states)}, activations {C.shape} and concepts {U.shape} do not fit; expected (n, d), (n, K) "
            "and (K, d), or a dictionary and None."
        )
    return C, U


def _with_null(
    start: Array,
    sign: float,
    activations: Array,
    concepts: Array,
    log_probability: Callable[[Array], Array],
    order: Array | None,
    n_null: int,
    random_state: Any,
) -> Curve:
    """The curve, and the areas of as many random orders."""
    if n_null < 0:
        raise MethodError(f"n_null is {n_null}; expected a number of random orders of at least 0.")
    curve = _curve(start, sign, activations, concepts, log_probability, order)
    if not n_null:
        return curve
    rng = np.random.default_rng(random_state)
    orders = (random_order(activations, rng) for _ in range(n_null))
    areas = [_curve(start, sign, activations, concepts, log_probability, o).area.mean for o in orders]
    null = Score(np.array(areas), f"area, {RANDOM_ORDER.name}", RANDOM_ORDER.preserves)
    return Curve(curve.steps, curve.values, null, exceedance(sign * curve.area.mean, sign * null.values))


def _curve(
    start: Array,
    sign: float,
    activations: Array,
    concepts: Array,
    log_probability: Callable[[Array], Array],
    order: Array | None,
) -> Curve:
    V, U = activations, concepts
    if order is None:
        order = np.argsort(-np.abs(V) * np.linalg.norm(U, axis=1), axis=1, kind="stable")
    elif order.dtype.kind not in "iu" or not np.array_equal(
        np.sort(order, 1), np.broadcast_to(np.arange(len(U)), V.shape)
    ):
        raise MethodError(
            f"order is no order of the concepts; expected per sample the numbers 0 … {len(U) - 1}, each once."
        )
    states, rows = start.copy(), np.arange(len(V))
    values = [log_probability(states)]
    if np.shape(values[0]) != (len(V),):
        raise MethodError(
            f"log_probability gives {described(values[0])}; expected an array of one value per state, ({len(V)},)."
        )
    for step in range(len(U)):
        k = order[:, step]
        states += sign * V[rows, k, None] * U[k]
        values.append(log_probability(states))
    return Curve(np.arange(len(U) + 1), np.stack([np.asarray(v, np.float64) for v in values], 1))
