"""Deletion and insertion curves: log-probability of the token as concepts are subtracted from a state or added to it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ..errors import MethodError
from ..types import ConceptDictionary, Score

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
    """

    steps: Array
    values: Array

    @property
    def area(self) -> Score:
        """Mean of each sample's curve over the steps, in nats: lower is better for deletion, higher for insertion."""
        width = np.diff(self.steps) / max(1, self.steps[-1])
        return Score(((self.values[:, 1:] + self.values[:, :-1]) / 2) @ width, "area")


def c_deletion(
    states: Array,
    activations: Array | ConceptDictionary,
    concepts: Array | None,
    log_probability: Callable[[Array], Array],
    order: Array | None = None,
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
        Index of the concept at each step; by |v_k|‖u_k‖ where not given. A random order is the null.

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
    return _curve(np.asarray(states, np.float64), -1.0, coefficients, D, log_probability, order)


def c_insertion(
    states: Array,
    activations: Array | ConceptDictionary,
    concepts: Array | None,
    log_probability: Callable[[Array], Array],
    order: Array | None = None,
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
        Index of the concept at each step; by |v_k|‖u_k‖ where not given. A random order is the null.

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
    return _curve(residual, 1.0, coefficients, D, log_probability, order)


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
    states, rows = start.copy(), np.arange(len(V))
    values = [log_probability(states)]
    for step in range(len(U)):
        k = order[:, step]
        states += sign * V[rows, k, None] * U[k]
        values.append(log_probability(states))
    return Curve(np.arange(len(U) + 1), np.stack([np.asarray(v, np.float64) for v in values], 1))
