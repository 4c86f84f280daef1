"""Base class of this package's decompositions."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin


class Dictionary(ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):
    """A scikit-learn transformer whose concepts are the rows of ``components_``.

    A new method defines ``__init__``, ``fit`` and ``transform`` (and ``inverse_transform``, where it has a decoder) in a
    file of its name, and gets a line in the table of ``nbtoolkit.decomposition.dictionaries``.

    Attributes
    ----------
    components_ : (n_components, n_features)
        The concepts, set by ``fit``.
    """

    components_: np.ndarray

    @property
    def _n_features_out(self) -> int:
        return len(self.components_)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags
