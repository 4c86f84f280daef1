"""Base class of this package's decompositions."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin


class Dictionary(ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):
    """A scikit-learn transformer whose concepts are the rows of ``components_``.

    A new method defines ``__init__``, ``fit`` and ``transform`` in a file of its name, and gets a line in the table of
    ``nbtoolkit.decomposition.dictionaries``. Its decoder is declared here: x̂ = coefficients · components_ + intercept_.

    Attributes
    ----------
    components_ : (n_components, n_features)
        The concepts, set by ``fit``: the rows of the decoder.
    intercept_ : (n_features,)
        Offset of the decoder, set by ``fit`` where it is not 0.
    coding
        How coefficients follow from activations; see :class:`nbtoolkit.types.ConceptDictionary`.
    overcomplete
        Whether there may be more concepts than samples.
    """

    components_: np.ndarray
    intercept_: np.ndarray
    coding: ClassVar[str] = "activations"
    overcomplete: ClassVar[bool] = False

    @property
    def _n_features_out(self) -> int:
        return len(self.components_)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags
