"""Fitted scikit-learn estimators as plain arrays and JSON: nothing is pickled, and only the classes of a table are imported.

An estimator is stored by its public name (``"SemiNMF"``, ``"sklearn.decomposition.PCA"``), its parameters and its fitted
attributes. :data:`ESTIMATORS` says from where each name is imported; :data:`FORMAT_1` gives the names that study format 1
stored instead: the private modules that the classes lived in then.
"""

from __future__ import annotations

import importlib
import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np

from ..errors import StudyError, first_line

_OURS = ("SemiNMF", "LargestNorm", "RandomDirections", "TopKSAE", "SparseAutoencoder")
_SKLEARN = {  # public module -> class -> private module of scikit-learn 1.6 to 1.9
    "decomposition": {
        "PCA": "_pca", "IncrementalPCA": "_incremental_pca", "TruncatedSVD": "_truncated_svd", "FastICA": "_fastica",
        "FactorAnalysis": "_factor_analysis", "NMF": "_nmf", "MiniBatchNMF": "_nmf", "DictionaryLearning": "_dict_learning",
        "MiniBatchDictionaryLearning": "_dict_learning", "SparsePCA": "_sparse_pca", "MiniBatchSparsePCA": "_sparse_pca", "SparseCoder": "_dict_learning",
    },
    "cluster": {"KMeans": "_kmeans", "MiniBatchKMeans": "_kmeans", "BisectingKMeans": "_bisect_k_means"},
    "random_projection": {"GaussianRandomProjection": "", "SparseRandomProjection": ""},
}  # fmt: skip

ESTIMATORS: Mapping[str, str] = dict.fromkeys(_OURS, "nbtoolkit.decomposition") | {
    f"sklearn.{module}.{name}": f"sklearn.{module}" for module, classes in _SKLEARN.items() for name in classes
}
FORMAT_1: Mapping[str, str] = {
    "nbtoolkit.decomposition.semi_nmf.SemiNMF": "SemiNMF",
    "nbtoolkit.decomposition.baselines.LargestNorm": "LargestNorm",
    "nbtoolkit.decomposition.baselines.RandomDirections": "RandomDirections",
} | {
    ".".join(filter(None, ("sklearn", module, private, name))): f"sklearn.{module}.{name}"
    for module, classes in _SKLEARN.items()
    for name, private in classes.items()
}


def public_name(estimator: Any) -> str | None:
    """Give the name by which an estimator is stored; None for a class that is not in the table, subclasses included.

    Parameters
    ----------
    estimator
        A fitted or unfitted estimator.

    Examples
    --------
    >>> from sklearn.decomposition import PCA
    >>> public_name(PCA(2)), public_name(object())
    ('sklearn.decomposition.PCA', None)
    """
    kind = type(estimator)
    package = kind.__module__.split(".")[0]
    for name, module in ESTIMATORS.items():
        if name.rpartition(".")[2] == kind.__name__ and module.split(".")[0] == package and _class(name) is kind:
            return name
    return None


def dump_encoder(estimator: Any) -> tuple[dict[str, Any] | None, dict[str, np.ndarray]]:
    """Describe a fitted estimator: JSON-ready facts, and its arrays by name.

    Parameters
    ----------
    estimator
        A fitted estimator, or None.

    Returns
    -------
    (None, {})
        Where the estimator is not in the table: it could not be built again on opening.
    """
    if isinstance(estimator, _LazyEncoder):
        return estimator.description, {k: v for k, v in estimator.arrays.items() if k != "concepts"}
    name = public_name(estimator)
    if name is None:
        return None, {}
    simple: dict[str, Any] = {}
    arrays: dict[str, np.ndarray] = {}
    for attribute, value in vars(estimator).items():
        if isinstance(value, np.ndarray) and value.dtype.kind in "fiub":
            arrays[f"encoder.{attribute}"] = value
        elif isinstance(value, np.generic):
            simple[attribute] = value.item()
        elif isinstance(value, str | int | float | bool | type(None)):
            simple[attribute] = value
    return {"estimator": name, "attributes": simple}, arrays


def load_encoder(description: Mapping[str, Any] | None, arrays: Mapping[str, np.ndarray]) -> Any:
    """Build a fitted estimator again, lazily: scikit-learn is imported when it is first used.

    Parameters
    ----------
    description
        What :func:`dump_encoder` gave, or what study format 1 stored (``class`` in place of ``estimator``); None for a
        dictionary without an encoder.
    arrays
        Arrays of one layer by name; those that begin with ``encoder.`` are the estimator's.
    """
    if description is None:
        return None
    name = description.get("estimator")
    if name is None:
        path = str(description.get("class"))
        name = FORMAT_1.get(path, path)  # an unknown path is refused when the encoder is used
    own = {k: v for k, v in arrays.items() if k.startswith("encoder.") or k == "concepts"}
    if description.get("components") == "concepts":  # stored once where they are the same
        own["encoder.components_"] = arrays["concepts"]
    return _LazyEncoder({"estimator": str(name), "attributes": dict(description["attributes"])}, own)


class _LazyEncoder:
    """Stands for an estimator until one of its attributes is needed."""

    def __init__(self, description: dict[str, Any], arrays: Mapping[str, np.ndarray]) -> None:
        self.description, self.arrays, self._estimator = description, arrays, None

    def _build(self) -> Any:
        if self._estimator is None:
            name = self.description["estimator"]
            kind = _class(name)
            values = dict(self.description["attributes"])
            values |= {k.removeprefix("encoder."): v for k, v in self.arrays.items() if k != "concepts"}
            for attribute in values:
                _check_attribute(kind, attribute, name)
            if "n_jobs" in values:
                values["n_jobs"] = None  # of the machine that wrote the study
            estimator: Any = object.__new__(kind)
            estimator.__dict__.update(values)
            if "concepts" in self.arrays:
                _check_transform(estimator, self.arrays["concepts"], name)
            self._estimator = estimator
        return self._estimator

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return getattr(self._build(), name)


def _check_attribute(kind: type, attribute: str, name: str) -> None:
    """Refuse an attribute that is no value of an instance, such as one that replaces a method."""
    own = getattr(kind, attribute, None)
    if not attribute.isidentifier() or attribute.startswith("__") or callable(own) or isinstance(own, property):
        raise StudyError(
            f"This study gives the estimator {name!r} the attribute {attribute!r}; expected values that were fitted. "
            "Decompose the representations again."
        )


def _check_transform(estimator: Any, concepts: np.ndarray, name: str) -> None:
    """Refuse an estimator that cannot encode a state of zeros: what it was fitted with is missing or of another kind."""
    k, d = concepts.shape
    try:
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            shape = np.shape(estimator.transform(np.zeros((1, d), np.float32)))
    except Exception as error:  # of scikit-learn, numpy or the estimator, for whatever is missing
        raise StudyError(
            f"The estimator {name!r} of this study cannot encode ({type(error).__name__}: {first_line(error)}). Decompose the "
            "representations again."
        ) from error
    if shape != (1, k):
        raise StudyError(
            f"The estimator {name!r} of this study gives activations of shape {shape}; expected {(1, k)}, one per concept. "
            "Decompose the representations again."
        )


def _class(name: str) -> type:
    """Import the class of a public name; nothing that is not in the table is imported."""
    module = ESTIMATORS.get(name)
    if module is None:
        raise StudyError(
            f"This study names the estimator {name!r}; expected one of {', '.join(sorted(ESTIMATORS))}. "
            "Decompose the representations again, or open the study with the version of nbtoolkit that wrote it."
        )
    kind = getattr(importlib.import_module(module), name.rpartition(".")[2], None)
    if not isinstance(kind, type):
        raise StudyError(
            f"This study names the estimator {name!r}, which the installed {module.split('.')[0]} does not have. "
            "Install the version that wrote the study, or decompose the representations again."
        )
    return kind
