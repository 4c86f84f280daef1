"""Random directions as concepts: a null for learnt dictionaries."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted, validate_data

from .base import Dictionary

Array = np.ndarray


class RandomDirections(Dictionary):
    """A null model: random unit vectors as concepts, activations by inner product, decoded by least squares.

    Parameters
    ----------
    n_components
        Number of directions, at least 1.
    random_state
        Seed of the directions: an int, a ``RandomState``, or None.

    Attributes
    ----------
    components_ : (n_components, n_features)
        The directions, uniformly distributed on the unit sphere.

    Examples
    --------
    >>> bool(np.allclose(np.linalg.norm(RandomDirections(2, random_state=0).fit(np.eye(3)).components_, axis=1), 1))
    True
    """

    coding = "least-squares"

    def __init__(self, n_components: int = 20, *, random_state: Any = None) -> None:
        self.n_components = n_components
        self.random_state = random_state

    def fit(self, X: Any, y: Any = None) -> RandomDirections:
        """Draw the directions; only the number of features of X matters.

        Parameters
        ----------
        X : (n_samples, n_features)
            Representations.
        y
            Ignored; scikit-learn's convention.

        Returns
        -------
        RandomDirections
            The fitted estimator itself.
        """
        X = validate_data(self, X, dtype=[np.float64, np.float32])
        draws = check_random_state(self.random_state).normal(size=(self.n_components, X.shape[1]))
        self.components_ = (draws / np.linalg.norm(draws, axis=1, keepdims=True)).astype(X.dtype)
        return self

    def transform(self, X: Any) -> Array:
        """Inner products of every row with every direction.

        Parameters
        ----------
        X : (n_samples, n_features)
            Representations.

        Returns
        -------
        (n_samples, n_components) array
            Signed activations, in the unit of X.
        """
        check_is_fitted(self)
        X = validate_data(self, X, dtype=[np.float64, np.float32], reset=False)
        return X @ self.components_.T
