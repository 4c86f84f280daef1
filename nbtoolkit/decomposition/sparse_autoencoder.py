"""Sparse autoencoders as scikit-learn transformers: the trained encoder, with ReLU, JumpReLU or top-k activations."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import numpy as np
from sklearn.utils.validation import check_is_fitted, validate_data

from .base import Dictionary

Array = np.ndarray
ACTIVATIONS = ("relu", "jumprelu", "topk")
_ROWS = 512  # rows that are encoded at a time


def keep_largest(values: Array, k: int) -> Array:
    """Set all but the k largest values of each row to 0.

    Parameters
    ----------
    values : (n, n_concepts)
        At least 0.
    k
        Number of values that remain in a row.

    Examples
    --------
    >>> keep_largest(np.array([[3.0, 1.0, 2.0]]), 2).tolist()
    [[3.0, 0.0, 2.0]]
    """
    if k >= values.shape[1]:
        return values
    largest = np.argpartition(values, values.shape[1] - k, axis=1)[:, -k:]
    result = np.zeros_like(values)
    np.put_along_axis(result, largest, np.take_along_axis(values, largest, 1), 1)
    return result


class TrainedEncoder(Dictionary, ABC):
    """Base of sparse autoencoders: activations f((x − centre) W + bias), reconstruction V · components_ + intercept_.

    Attributes
    ----------
    encoder_ : (n_features, n_components)
        W.
    encoder_bias_ : (n_components,)
        Bias of the encoder.
    centre_ : (n_features,)
        What is subtracted from a state before it is encoded.
    threshold_ : (n_components,)
        Of JumpReLU: smaller values are 0.
    """

    overcomplete = True
    encoder_: Array
    encoder_bias_: Array
    centre_: Array
    threshold_: Array

    @abstractmethod
    def _activate(self, values: Array) -> Array:
        """Activation function of values (n, n_components)."""

    def transform(self, X: Any) -> Array:
        """Activations of every row for every concept.

        Parameters
        ----------
        X : (n_samples, n_features)
            Representations.

        Returns
        -------
        (n_samples, n_components) array
            V, at least 0, in the unit of X where the concepts have length 1.
        """
        check_is_fitted(self, "components_")
        X = validate_data(self, X, dtype=[np.float64, np.float32], reset=False)
        W, bias, centre = (np.asarray(a, X.dtype) for a in (self.encoder_, self.encoder_bias_, self.centre_))
        V = np.empty((len(X), len(self.components_)), X.dtype)
        for start in range(0, len(X), _ROWS):
            V[start : start + _ROWS] = self._activate((X[start : start + _ROWS] - centre) @ W + bias)
        return V

    def inverse_transform(self, V: Any) -> Array:
        """Reconstruction V · components_ + intercept_.

        Parameters
        ----------
        V : (n_samples, n_components)
            Activations.

        Returns
        -------
        (n_samples, n_features) array
            Reconstructed representations.
        """
        check_is_fitted(self, "components_")
        return np.asarray(V) @ self.components_ + self.intercept_


class SparseAutoencoder(TrainedEncoder):
    """A sparse autoencoder that was trained elsewhere; from :func:`nbtoolkit.read_sae`.

    Parameters
    ----------
    activation
        ``"relu"``, ``"jumprelu"`` or ``"topk"``.
    k
        Of top-k: the number of concepts that a state may use.
    hook
        Where in its model the autoencoder reads states, in the words of its file.

    Attributes
    ----------
    components_ : (n_components, n_features)
        Rows of the decoder.
    intercept_ : (n_features,)
        Offset of the decoder.

    Examples
    --------
    >>> sae = SparseAutoencoder().set_weights(np.eye(2), np.zeros(2), np.eye(2), np.ones(2))
    >>> sae.transform([[3.0, -1.0]]).tolist(), sae.inverse_transform([[3.0, 0.0]]).tolist()
    ([[3.0, 0.0]], [[4.0, 1.0]])
    """

    def __init__(self, activation: str = "relu", *, k: int | None = None, hook: str = "") -> None:
        self.activation = activation
        self.k = k
        self.hook = hook

    def set_weights(
        self, W: Array, bias: Array, D: Array, b: Array, *, centre: Array | None = None, threshold: Array | None = None
    ) -> SparseAutoencoder:
        """Set the weights; nothing is trained.

        Parameters
        ----------
        W, bias : (n_features, n_components), (n_components,)
            The encoder.
        D, b : (n_components, n_features), (n_features,)
            The decoder.
        centre : (n_features,)
            What is subtracted from a state before it is encoded; 0 if None.
        threshold : (n_components,)
            Of JumpReLU.

        Returns
        -------
        SparseAutoencoder
            The estimator itself.
        """
        self.encoder_, self.encoder_bias_, self.components_, self.intercept_ = W, bias, D, b
        self.centre_ = np.zeros_like(b) if centre is None else centre
        if threshold is not None:
            self.threshold_ = threshold
        self.n_features_in_ = D.shape[1]
        return self

    def __sklearn_clone__(self) -> SparseAutoencoder:
        return self  # trained: a clone would lose the weights

    def fit(self, X: Any, y: Any = None) -> SparseAutoencoder:
        """Check that the states have the width that the autoencoder reads; nothing is trained.

        Parameters
        ----------
        X : (n_samples, n_features)
            Representations.
        y
            Ignored; scikit-learn's convention.

        Returns
        -------
        SparseAutoencoder
            The estimator itself.
        """
        check_is_fitted(self, "components_")
        width = np.shape(X)[-1]
        if width != self.n_features_in_:
            raise ValueError(
                f"the autoencoder reads states of width {self.n_features_in_}; expected {width}, the width of X. "
                f"Use one that was trained on this model{f' (this one reads {self.hook})' if self.hook else ''}."
            )
        return self

    def _activate(self, values: Array) -> Array:
        positive = np.maximum(values, 0)
        if self.activation == "topk":
            return keep_largest(positive, int(self.k or 1))
        return positive * (values > self.threshold_) if self.activation == "jumprelu" else positive
