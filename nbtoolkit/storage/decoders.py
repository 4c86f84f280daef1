"""The decoder of a stored dictionary; of studies without one, from the attributes of the stored estimator. No scikit-learn."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from ..errors import StudyError, first_line

Array = np.ndarray
Arrays = Mapping[str, Array]


def decoder_of_arrays(layer: int, entry: Mapping[str, Any], arrays: Arrays) -> tuple[Array, dict[str, Any]]:
    """Concepts and decoder of a stored dictionary.

    Parameters
    ----------
    layer
        The layer, for warnings.
    entry
        What ``study.json`` has about the dictionary.
    arrays
        Its arrays by name.

    Returns
    -------
    concepts : (n_concepts, d_model)
        Rows of the decoder, where there is one.
    decoder
        ``offset``, ``coding`` and ``missing_decoder`` of :class:`nbtoolkit.types.ConceptDictionary`.

    Raises
    ------
    StudyError
        The stored estimator lacks an attribute.
    """
    concepts = arrays["concepts"]
    if "coding" in entry:
        names = ("coding", "missing_decoder")
        return concepts, {"offset": arrays.get("offset")} | {name: str(entry[name]) for name in names}
    encoder = entry["encoder"] or {}
    name = str(encoder.get("estimator", encoder.get("class"))).rpartition(".")[2]
    own = {k.removeprefix("encoder."): v for k, v in arrays.items()} | dict(encoder.get("attributes", {}))
    if name not in _BY_NAME:
        reason = "the study was saved without it by an earlier version"
        return concepts, {"offset": None, "missing_decoder": reason}
    try:
        D, offset, coding = _BY_NAME[name](concepts, own)
    except KeyError as error:
        raise StudyError(
            f"The estimator {name!r} of layer {layer} lacks {error.args[0]!r}; expected what it was fitted with. Copy the study again."
        ) from error
    except (ValueError, TypeError, AttributeError, np.linalg.LinAlgError) as error:
        raise StudyError(
            f"The estimator {name!r} of layer {layer} is damaged ({first_line(error)}); expected what it was fitted with. "
            "Copy the study again."
        ) from error
    if name in _STALE:
        warnings.warn(f"Layer {layer} of the study, by {name}, {_STALE[name]}: decompose it again.", stacklevel=5)
    return D, {"offset": offset, "coding": coding}


def _components(concepts: Array, own: Mapping[str, Any]) -> tuple[Array, Array | None, str]:
    return concepts, own.get("mean_"), "activations"


def _pca(concepts: Array, own: Mapping[str, Any]) -> tuple[Array, Array | None, str]:
    scale = np.sqrt(own["explained_variance_"])[:, None] if own.get("whiten") else 1
    return (concepts * scale).astype(np.float32), own["mean_"], "activations"


def _ica(concepts: Array, own: Mapping[str, Any]) -> tuple[Array, Array | None, str]:
    return np.ascontiguousarray(own["mixing_"].T, np.float32), own.get("mean_"), "activations"


def _projection(concepts: Array, own: Mapping[str, Any]) -> tuple[Array, Array | None, str]:
    return np.linalg.pinv(concepts.astype(np.float64)).T.astype(np.float32), None, "activations"


def _clusters(concepts: Array, own: Mapping[str, Any]) -> tuple[Array, Array | None, str]:
    return concepts, None, "one-hot"


def _inner_products(concepts: Array, own: Mapping[str, Any]) -> tuple[Array, Array | None, str]:
    return concepts, None, "least-squares"


_STALE = {
    "FastICA": "has words and scores of the unmixing rows; its concepts are now the directions, mixing_",
    "FactorAnalysis": "has reconstruction errors of another decoder",
}
_FromStored = Callable[[Array, Mapping[str, Any]], tuple[Array, Array | None, str]]
_BY_NAME: Mapping[str, _FromStored] = {
    **dict.fromkeys(("SemiNMF", "NMF", "MiniBatchNMF", "TruncatedSVD", "FactorAnalysis"), _components),
    **dict.fromkeys(("DictionaryLearning", "MiniBatchDictionaryLearning"), _components),
    **dict.fromkeys(("SparsePCA", "MiniBatchSparsePCA"), _components),
    **dict.fromkeys(("PCA", "IncrementalPCA"), _pca),
    **dict.fromkeys(("KMeans", "MiniBatchKMeans", "BisectingKMeans", "LargestNorm"), _clusters),
    "FastICA": _ica,
    "GaussianRandomProjection": _projection,
    "RandomDirections": _inner_products,
}
