"""Baselines of the paper that scikit-learn does not have."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.metrics import euclidean_distances
from sklearn.utils import check_random_state
from sklearn.utils.extmath import row_norms
from sklearn.utils.validation import check_is_fitted, validate_data

from .base import Dictionary

Array = np.ndarray


class LargestNorm(Dictionary):
    """The paper's "Simple" baseline: the samples of largest norm are the concepts; nothing is learnt.

    Activations are 1 / (1 + distance to the concept), in (0, 1], as in the authors' code; the strongest one is
    the paper's nearest element.

    Parameters
    ----------
    n_components
        Number of concepts.

    Attributes
    ----------
    components_ : (n_components, n_features)
        The rows of largest Euclidean norm, largest first.

    References
    ----------
    Parekh et al. 2024, section 4 ("Simple").

    Examples
    --------
    >>> LargestNorm(1).fit([[1.0, 0.0], [0.0, 3.0]]).components_
    array([[0., 3.]])
    """

    def __init__(self, n_components: int = 20) -> None:
        self.n_components = n_components

    def fit(self, X: Any, y: Any = None) -> LargestNorm:
        """Pick the rows of X (n_samples, n_features)."""
        X = validate_data(self, X, dtype=[np.float64, np.float32])
        order = np.argsort(-row_norms(X.astype(np.float64)), kind="stable")  # float64: norms of float16 states overflow
        self.components_ = X[order[: self.n_components]].copy()
        return self

    def transform(self, X: Any) -> Array:
        """Give 1 / (1 + distance) of every row to every concept: (n, n_components)."""
        check_is_fitted(self)
        X = validate_data(self, X, dtype=[np.float64, np.float32], reset=False)
        gaps = (
            np.stack([np.linalg.norm(X - c, axis=1) for c in self.components_], 1)
            if len(X) < 64
            else euclidean_distances(X, self.components_)
        )
        return (1 / (1 + gaps)).astype(X.dtype)

    def inverse_transform(self, V: Any) -> Array:
        """Rebuild every sample as its nearest concept."""
        check_is_fitted(self)
        return self.components_[np.asarray(V).argmax(1)]


class RandomDirections(Dictionary):
    """A null model: unit vectors drawn at random, activations by inner product.

    Parameters
    ----------
    n_components
        Number of directions.
    random_state
        Seed of the draw.

    Attributes
    ----------
    components_ : (n_components, n_features)
        The directions.

    Examples
    --------
    >>> bool(np.allclose(np.linalg.norm(RandomDirections(2, random_state=0).fit(np.eye(3)).components_, axis=1), 1))
    True
    """

    def __init__(self, n_components: int = 20, *, random_state: Any = None) -> None:
        self.n_components = n_components
        self.random_state = random_state

    def fit(self, X: Any, y: Any = None) -> RandomDirections:
        """Draw the directions for the width of X (n_samples, n_features)."""
        X = validate_data(self, X, dtype=[np.float64, np.float32])
        draws = check_random_state(self.random_state).normal(size=(self.n_components, X.shape[1]))
        self.components_ = (draws / np.linalg.norm(draws, axis=1, keepdims=True)).astype(X.dtype)
        return self

    def transform(self, X: Any) -> Array:
        """Inner products with the directions: (n, n_components), signed."""
        check_is_fitted(self)
        X = validate_data(self, X, dtype=[np.float64, np.float32], reset=False)
        return X @ self.components_.T
