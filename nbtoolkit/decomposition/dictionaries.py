"""Concept dictionaries: any scikit-learn transformer, fitted on the representations of one layer."""

from __future__ import annotations

import difflib
from typing import Any

import numpy as np
from sklearn.base import clone
from sklearn.cluster import KMeans
from sklearn.decomposition import PCA, DictionaryLearning, FastICA, MiniBatchDictionaryLearning

from ..errors import MethodError
from ..types import ConceptDictionary, Representations, activations_of
from .decoder import reconstruct, relative_error, unexplained
from .largest_norm import LargestNorm
from .random_directions import RandomDirections
from .semi_nmf import SemiNMF

Array = np.ndarray

# Adding a method: its file in this folder, its line here, and a test.
_METHODS: dict[str, type] = {
    "SemiNMF": SemiNMF,
    "LargestNorm": LargestNorm,
    "RandomDirections": RandomDirections,
    "KMeans": KMeans,
    "PCA": PCA,
    "FastICA": FastICA,
    "DictionaryLearning": DictionaryLearning,
    "MiniBatchDictionaryLearning": MiniBatchDictionaryLearning,
}


def list_decompositions() -> dict[str, type]:
    """Decompositions that can be given by name; any other scikit-learn transformer is given as an object.

    Returns
    -------
    dict
        Name to class.

    Examples
    --------
    >>> list(list_decompositions())[:3]
    ['SemiNMF', 'LargestNorm', 'RandomDirections']
    """
    return dict(_METHODS)


def decompose(reps: Representations, method: Any = None, *, layer: int = -1) -> ConceptDictionary:
    """Learn a concept dictionary from the representations of one layer: Z ≈ V @ U.

    Parameters
    ----------
    reps
        Representations of a token.
    method
        Any scikit-learn transformer with ``components_`` or ``cluster_centers_`` (it is cloned, then fitted),
        or a name of :func:`list_decompositions`; ``None`` means ``SemiNMF(20, random_state=0)``.
    layer
        Layer to decompose; negative indices count from the last.

    Returns
    -------
    ConceptDictionary
        Activations of clustering methods are 1 / (1 + distance), so that larger is closer.

    Raises
    ------
    MethodError
        Unknown name, fewer samples than concepts, NaN or infinity in Z, constant Z, or NMF (Z has negative entries).

    References
    ----------
    Parekh et al., "A Concept-Based Explainability Framework for Large Multimodal Models", NeurIPS 2024, section 3.2 and
    Table 2.

    Examples
    --------
    >>> Z = np.random.default_rng(0).normal(size=(30, 2, 8))
    >>> reps = Representations(Z, [str(i) for i in range(30)], [""] * 30, [0] * 30)
    >>> decompose(reps, "PCA", layer=1).concepts.shape
    (8, 8)
    """
    estimator = _estimator(method)
    name, index = type(estimator).__name__, reps.resolve(layer)
    Z = reps.layer(index)
    _check(Z, name, estimator, index, reps)
    estimator.fit(Z)
    concepts = getattr(estimator, "components_", getattr(estimator, "cluster_centers_", None))
    if concepts is None:
        raise MethodError(
            f"{name} has neither components_ nor cluster_centers_ after fitting; expected a scikit-learn transformer that learns a dictionary."
        )
    activations = activations_of(estimator, Z)
    reconstruction = reconstruct(estimator, activations)
    return ConceptDictionary(
        concepts=np.asarray(concepts, np.float32),
        activations=np.asarray(activations, np.float32),
        sample_ids=reps.sample_ids,
        layer=index,
        method=name,
        parameters=estimator.get_params(),
        encoder=estimator,
        reconstruction_error=relative_error(Z, reconstruction),
        source=reps.source,
        unexplained=unexplained(Z, reconstruction),
    )


def named(name: str) -> Any:
    """Unfitted decomposition of a name, with ``random_state=0`` where it has a random state.

    Parameters
    ----------
    name
        A name of :func:`list_decompositions`.

    Returns
    -------
    object
        A scikit-learn transformer with default settings.

    Raises
    ------
    MethodError
        No method has this name; the message lists the names.

    Examples
    --------
    >>> named("RandomDirections")
    RandomDirections(random_state=0)
    """
    if name not in _METHODS:
        close = difflib.get_close_matches(name.lower(), [n.lower() for n in _METHODS], 1, 0.4)
        hint = f" Did you mean {next(n for n in _METHODS if n.lower() == close[0])!r}?" if close else ""
        raise MethodError(f"No decomposition named {name!r}.{hint} Known: {', '.join(_METHODS)}.")
    method = _METHODS[name]
    return method(random_state=0) if "random_state" in method().get_params() else method()


def _estimator(method: Any) -> Any:
    """Clone the method, so that the caller's object stays unfitted."""
    if method is None:
        return SemiNMF(random_state=0)
    if isinstance(method, str):
        return named(method)
    if isinstance(method, type) or not hasattr(method, "get_params") or not hasattr(method, "transform"):
        raise MethodError(
            f"method is {method!r}; expected a scikit-learn transformer such as nbt.SemiNMF(20) or PCA(20), or its name."
        )
    return clone(method)


def _check(Z: Array, name: str, estimator: Any, layer: int, reps: Representations) -> None:
    """Refuse representations that the method cannot decompose."""
    parameters = estimator.get_params()
    n_concepts = parameters.get("n_components") or parameters.get("n_clusters")
    finite = np.isfinite(Z)
    if not finite.all():
        row, column = np.argwhere(~finite)[0]
        n, first = int((~finite).any(1).sum()), f"{reps.sample_ids[row]!r}, row {row}, column {column}"
        raise MethodError(
            f"Z at layer {layer} has NaN or infinity in {n} of {len(Z)} samples (first: {first}); expected finite numbers. "
            "Extract again with dtype='float32' (float16 overflows above 65,504)."
        )
    if name in ("NMF", "MiniBatchNMF"):
        raise MethodError(
            f"{name} needs non-negative data, and Z at layer {layer} has {(Z < 0).mean():.0%} negative entries. "
            "Use SemiNMF, whose concepts may be negative."
        )
    if isinstance(n_concepts, int | np.integer) and n_concepts > len(Z):
        raise MethodError(
            f"The number of concepts of {name} is {n_concepts}, but token {reps.source.token!r} has {len(Z)} samples; "
            f"expected at most {len(Z)}. Use fewer concepts or more data."
        )
    if len(Z) > 1 and np.ptp(Z, axis=0).max() <= 1e-6 * max(1e-30, float(np.abs(Z).max())):
        raise MethodError(
            f"Z at layer {layer} is constant over its {len(Z)} samples; expected samples that differ. Use a deeper layer."
        )
