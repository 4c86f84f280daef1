"""The samples of largest norm as concepts: the "Simple" baseline of the paper."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.metrics import euclidean_distances
from sklearn.utils.extmath import row_norms
from sklearn.utils.validation import check_is_fitted, validate_data

from .base import Dictionary

Array = np.ndarray
_DIRECT_ROWS = 64  # below it, distances are computed concept by concept, without the rounding of ‖x‖² − 2x·u + ‖u‖²


class LargestNorm(Dictionary):
    """The "Simple" baseline of the paper: the concepts are the samples of largest norm, without any learning.

    Activations are 1 / (1 + distance to the concept), in (0, 1], as in the authors' code; the concept of largest
    activation is the paper's nearest element.

    Parameters
    ----------
    n_components
        Number of concepts, at least 1.

    Attributes
    ----------
    components_ : (n_components, n_features)
        The rows of largest Euclidean norm, largest first.

    References
    ----------
    Parekh et al., "A Concept-Based Explainability Framework for Large Multimodal Models", NeurIPS 2024, section 4
    ("Simple").

    Examples
    --------
    >>> LargestNorm(1).fit([[1.0, 0.0], [0.0, 3.0]]).components_
    array([[0., 3.]])
    """

    coding = "one-hot"

    def __init__(self, n_components: int = 20) -> None:
        self.n_components = n_components

    def fit(self, X: Any, y: Any = None) -> LargestNorm:
        """Select the rows of largest norm.

        Parameters
        ----------
        X : (n_samples, n_features)
            Representations.
        y
            Ignored; scikit-learn's convention.

        Returns
        -------
        LargestNorm
            The fitted estimator itself.
        """
        X = validate_data(self, X, dtype=[np.float64, np.float32])
        order = np.argsort(-row_norms(X.astype(np.float64)), kind="stable")  # float64: norms of float16 states overflow
        self.components_ = X[order[: self.n_components]].copy()
        return self

    def transform(self, X: Any) -> Array:
        """Activations 1 / (1 + distance) of every row for every concept.

        Parameters
        ----------
        X : (n_samples, n_features)
            Representations.

        Returns
        -------
        (n_samples, n_components) array
            In (0, 1], no unit.
        """
        check_is_fitted(self)
        X = validate_data(self, X, dtype=[np.float64, np.float32], reset=False)
        if len(X) < _DIRECT_ROWS:
            distances = np.stack([np.linalg.norm(X - u, axis=1) for u in self.components_], 1)
        else:
            distances = euclidean_distances(X, self.components_)
        return (1 / (1 + distances)).astype(X.dtype)

    def inverse_transform(self, V: Any) -> Array:
        """Reconstruct every sample as its nearest concept.

        Parameters
        ----------
        V : (n_samples, n_components)
            Activations, no unit.

        Returns
        -------
        (n_samples, n_features) array
            Reconstructed representations.
        """
        check_is_fitted(self)
        return self.components_[np.asarray(V).argmax(1)]
