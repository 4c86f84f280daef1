"""Concept dictionaries: any scikit-learn transformer, fitted on the representations of one layer."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from sklearn.base import OneToOneFeatureMixin, clone
from sklearn.cluster import KMeans
from sklearn.decomposition import PCA, DictionaryLearning, FastICA, MiniBatchDictionaryLearning

from ..errors import MethodError, NbtoolkitError, first_line
from ..types import ConceptDictionary, Representations, activations_of
from ..types.arguments import checked
from ..types.dictionary import last_step
from ..types.rules import LARGEST, described, suggestion
from .decoder import decoder_of, relative_error, unexplained
from .largest_norm import LargestNorm
from .random_directions import RandomDirections
from .semi_nmf import SemiNMF
from .topk_sae import TopKSAE

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
    "TopKSAE": TopKSAE,
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


@checked
def decompose(reps: Representations, method: Any = None, *, layer: int = -1) -> ConceptDictionary:
    """Learn a concept dictionary from the representations of one layer: Z ≈ coefficients · D + b.

    Parameters
    ----------
    reps
        Representations of a token.
    method
        Any scikit-learn transformer with an ``inverse_transform``, ``components_`` or ``cluster_centers_``, or a pipeline
        that ends in one (it is cloned, then fitted), a trained one of :func:`nbtoolkit.read_sae`, or a name of
        :func:`list_decompositions`; ``None`` means ``SemiNMF(20, random_state=0)``.
    layer
        Layer to decompose; negative indices count from the last.

    Returns
    -------
    ConceptDictionary
        Its ``decoder``, ``offset`` and ``coefficients`` reconstruct the states. Activations of clustering methods are
        1 / (1 + distance), so that larger is closer; their coefficients are one-hot.

    Raises
    ------
    MethodError
        Unknown name, fewer samples than concepts, NaN or infinity in Z, constant Z, NMF of Z with negative entries, a
        method that learns no dictionary, or whatever else the method refuses.

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
    estimator = estimator_of(method)
    name, index = _name(estimator), reps.resolve(layer)
    Z = reps.layer(index)
    _check(Z, name, last_step(estimator), index, reps)
    V = _activations(estimator, Z, name, index)
    decoder = decoder_of(estimator, V, Z)
    if decoder.missing:
        concepts = np.asarray(getattr(last_step(estimator), "components_", np.zeros(0)))
        if concepts.shape != (V.shape[1], Z.shape[1]):
            raise MethodError(
                f"{name} has neither an affine inverse_transform nor components_ nor cluster_centers_ after fitting "
                f"({decoder.missing}); expected a scikit-learn transformer that learns a dictionary."
            )
    else:
        concepts = decoder.D
    cd = ConceptDictionary(
        concepts=np.asarray(concepts, np.float32),
        activations=V,
        sample_ids=reps.sample_ids,
        layer=index,
        method=name,
        parameters={
            k: v for k, v in estimator.get_params().items() if k != "dictionary"
        },  # SparseCoder's are the concepts
        encoder=estimator,
        source=reps.source,
        offset=None if decoder.missing else decoder.b.astype(np.float32),
        coding=decoder.coding,
        missing_decoder=decoder.missing,
        occurrences=reps.occurrences,
    )
    if cd.decoder is None:
        return cd
    reconstruction = cd.decode(V)
    error, rest = relative_error(Z, reconstruction), unexplained(Z, reconstruction)
    return replace(cd, reconstruction_error=error, unexplained=rest)


def _name(estimator: Any) -> str:
    """Name of the class; of a pipeline, those of its steps."""
    steps = [step for _, step in estimator.steps] if hasattr(estimator, "steps") else [estimator]
    return " + ".join(type(step).__name__ for step in steps)


def _activations(estimator: Any, Z: Array, name: str, layer: int) -> Array:
    """Fit the estimator, and encode the samples that it was fitted on, (n_samples, n_concepts) float32."""
    try:
        values = np.asarray(activations_of(estimator.fit(Z), Z))
    except NbtoolkitError:
        raise
    except (ValueError, TypeError) as error:
        text = f"{name} cannot decompose Z at layer {layer}, {Z.shape}: {first_line(error)}"
        raise MethodError(text) from error
    if values.ndim != 2 or len(values) != len(Z) or values.dtype.kind not in "fiub":
        raise MethodError(
            f"{name} transforms Z {Z.shape} into an array of shape {values.shape} and type {values.dtype}; expected numbers "
            "of shape (n_samples, n_concepts)."
        )
    if isinstance(last_step(estimator), OneToOneFeatureMixin):
        raise MethodError(
            f"{name} has neither components_ nor cluster_centers_: it maps each coordinate by itself; "
            "expected a scikit-learn transformer that learns a dictionary."
        )
    return values.astype(np.float32)


@checked
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
        hint = suggestion(name, _METHODS, 0.4)
        raise MethodError(f"No decomposition named {name!r}.{hint} Known: {', '.join(_METHODS)}.")
    method = _METHODS[name]
    return method(random_state=0) if "random_state" in method().get_params() else method()


def estimator_of(method: Any) -> Any:
    """Clone of a method, so that the caller's object stays unfitted.

    Parameters
    ----------
    method
        An unfitted scikit-learn transformer, a name of :func:`list_decompositions`, or None for the default.

    Raises
    ------
    MethodError
        Anything else.
    """
    if method is None:
        return SemiNMF(random_state=0)
    if isinstance(method, str):
        return named(method)
    if isinstance(method, type) or not hasattr(method, "get_params") or not hasattr(method, "transform"):
        raise MethodError(
            f"method is {described(method)}; expected a scikit-learn transformer such as nbt.SemiNMF(20) or PCA(20), or its name."
        )
    return clone(method)


def _check(Z: Array, name: str, estimator: Any, layer: int, reps: Representations) -> None:
    """Refuse representations that the method cannot decompose."""
    parameters = estimator.get_params()
    n_concepts = parameters.get("n_components", parameters.get("n_clusters"))
    if isinstance(n_concepts, int | np.integer) and n_concepts < 1:
        raise MethodError(f"The number of concepts of {name} is {n_concepts}; expected at least 1.")
    finite = np.isfinite(Z)
    if not finite.all():
        row, column = np.argwhere(~finite)[0]
        n, first = int((~finite).any(1).sum()), f"{reps.sample_ids[row]!r}, row {row}, column {column}"
        raise MethodError(
            f"Z at layer {layer} has NaN or infinity in {n} of {len(Z)} samples (first: {first}); expected finite numbers. "
            "Extract again with dtype='float32' (float16 overflows above 65,504)."
        )
    if not Z.size or np.abs(Z).max() > LARGEST:
        fault = f"values up to {np.abs(Z).max():.3g}" if Z.size else f"shape {Z.shape}"
        raise MethodError(
            f"Z at layer {layer} has {fault}; expected at least one sample and coordinate, and values of at most {LARGEST:g}."
        )
    if name in ("NMF", "MiniBatchNMF") and (Z < 0).any():
        raise MethodError(
            f"{name} needs non-negative data, and Z at layer {layer} has {(Z < 0).mean():.0%} negative entries. "
            "Use SemiNMF, whose concepts may be negative."
        )
    overcomplete = getattr(estimator, "overcomplete", False)
    if isinstance(n_concepts, int | np.integer) and n_concepts > len(Z) and not overcomplete:
        raise MethodError(
            f"The number of concepts of {name} is {n_concepts}, but token {reps.source.token!r} has {len(Z)} samples; "
            f"expected at most {len(Z)}. Use fewer concepts or more data."
        )
    if len(Z) > 1 and np.ptp(Z, axis=0).max() <= 1e-6 * max(1e-30, float(np.abs(Z).max())):
        raise MethodError(
            f"Z at layer {layer} is constant over its {len(Z)} samples; expected samples that differ. Use a deeper layer."
        )
