"""Does the model need its concepts? Log-probability of the token as concepts are taken from a state, or put into it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ..errors import MethodError
from ..types import Score

Array = np.ndarray


@dataclass(frozen=True, eq=False)
class Curve:
    """Log-probability of the token after every step.

    Attributes
    ----------
    steps : (n_concepts + 1,)
        How many concepts were taken out or put in.
    values : (n_samples, n_concepts + 1)
        In nats.
    """

    steps: Array
    values: Array

    @property
    def area(self) -> Score:
        """Mean over the steps of each sample's curve, in nats: lower is better for deletion, higher for insertion."""
        width = np.diff(self.steps) / max(1, self.steps[-1])
        return Score(((self.values[:, 1:] + self.values[:, :-1]) / 2) @ width, "area")


def c_deletion(
    states: Array,
    activations: Array,
    concepts: Array,
    log_probability: Callable[[Array], Array],
    order: Array | None = None,
) -> Curve:
    """Take concepts out of each state, strongest first: z − Σ_{k ≤ j} v_k u_k.

    Parameters
    ----------
    states : (n_samples, d_model)
        Z.
    activations, concepts : (n_samples, n_concepts), (n_concepts, d_model)
        V and U.
    log_probability
        From states (n, d_model) to the token's log-probability (n,), in nats, as the model reads them on.
    order : (n_samples, n_concepts)
        Which concept goes at each step; by |v_k|‖u_k‖ where not given. A random order is the null.

    Returns
    -------
    Curve
        It begins at the model's own log-probability.

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
    return _curve(np.asarray(states, np.float64), -1.0, activations, concepts, log_probability, order)


def c_insertion(
    states: Array,
    activations: Array,
    concepts: Array,
    log_probability: Callable[[Array], Array],
    order: Array | None = None,
) -> Curve:
    """Put concepts into what they leave unexplained, strongest first: z − vU + Σ_{k ≤ j} v_k u_k.

    Parameters and references as for :func:`c_deletion`; the curve ends at the model's own log-probability.

    Examples
    --------
    >>> Z, U = np.array([[3.0, 1.0]]), np.eye(2)
    >>> c_insertion(Z, Z, U, lambda z: z.sum(1)).values.tolist()
    [[0.0, 3.0, 4.0]]
    """
    rest = np.asarray(states, np.float64) - np.asarray(activations, np.float64) @ np.asarray(concepts, np.float64)
    return _curve(rest, 1.0, activations, concepts, log_probability, order)


def _curve(
    start: Array,
    sign: float,
    activations: Array,
    concepts: Array,
    log_probability: Callable[[Array], Array],
    order: Array | None,
) -> Curve:
    V, U = np.asarray(activations, np.float64), np.asarray(concepts, np.float64)
    if start.shape != (len(V), U.shape[1]) or V.shape[1] != len(U):
        raise MethodError(
            f"states {start.shape}, activations {V.shape} and concepts {U.shape} do not fit; expected (n, d), (n, K) and (K, d)."
        )
    if order is None:
        order = np.argsort(-np.abs(V) * np.linalg.norm(U, axis=1), axis=1, kind="stable")
    now, rows = start.copy(), np.arange(len(V))
    values = [log_probability(now)]
    for step in range(len(U)):
        k = order[:, step]
        now += sign * V[rows, k, None] * U[k]
        values.append(log_probability(now))
    return Curve(np.arange(len(U) + 1), np.stack([np.asarray(v, np.float64) for v in values], 1))
