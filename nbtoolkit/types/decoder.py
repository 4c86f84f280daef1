"""The decoder that a dictionary declares, ẑ = coefficients · D + b: coefficients from activations, and refusals without it."""

from __future__ import annotations

from typing import Any

import numpy as np

Array = np.ndarray
CODINGS = ("activations", "one-hot", "least-squares")


def coefficients_of(activations: Array, decoder: Array, coding: str) -> Array:
    """Coefficients of the concepts in ẑ = coefficients · D + b, (n, n_concepts).

    Parameters
    ----------
    activations : (n, n_concepts)
        V.
    decoder : (n_concepts, d_model)
        D.
    coding
        ``"activations"``: the activations themselves. ``"one-hot"``: 1 for the concept of largest activation, as in
        clustering. ``"least-squares"``: activations are inner products with D, and V (D Dᵀ)⁺ reconstructs best.

    Examples
    --------
    >>> coefficients_of(np.array([[0.2, 0.5]]), np.eye(2), "one-hot").tolist()
    [[0.0, 1.0]]
    """
    if coding == "activations":
        return activations
    if coding == "one-hot":
        values = np.zeros_like(activations)
        values[np.arange(len(activations)), activations.argmax(1)] = 1
        return values
    D = np.asarray(decoder, np.float64)
    return (activations @ np.linalg.pinv(D @ D.T)).astype(activations.dtype)


def decode(coefficients: Array, decoder: Array, offset: Array) -> Array:
    """Reconstruction coefficients · D + b, (n, d_model) float64; concepts without a coefficient are not read.

    Parameters
    ----------
    coefficients : (n, n_concepts)
        Coefficients of the concepts.
    decoder : (n_concepts, d_model)
        D.
    offset : (d_model,)
        b.

    Examples
    --------
    >>> decode(np.array([[2.0, 0.0]]), np.eye(2), np.array([0.0, 1.0])).tolist()
    [[2.0, 1.0]]
    """
    used = np.flatnonzero(coefficients.any(0))
    values: Array = coefficients[:, used].astype(np.float64) @ decoder[used].astype(np.float64)
    return values + offset


class FromDecoder:
    """Field of a dictionary that only a decoder defines; reading it without one is refused.

    Parameters
    ----------
    default
        Value where none is given.
    """

    def __init__(self, default: Any) -> None:
        self.default = default

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    def __get__(self, instance: Any, owner: type | None = None) -> Any:
        if instance is None:
            return self.default  # of the dataclass
        instance.require_decoder(self.name)
        return instance.__dict__[self.name]

    def __set__(self, instance: Any, value: Any) -> None:
        instance.__dict__[self.name] = value
