"""Concept dictionaries: any scikit-learn transformer, fitted on the representations of one layer."""

from __future__ import annotations

import difflib
from typing import Any

import numpy as np
from sklearn.base import clone

from ..errors import MethodError
from ..types import ConceptDictionary, Representations, activations_of
from .baselines import LargestNorm, RandomDirections
from .semi_nmf import SemiNMF

__all__ = ["LargestNorm", "RandomDirections", "SemiNMF", "decompose", "list_decompositions", "named"]


def list_decompositions() -> dict[str, type]:
    """Name the decompositions that may be given by name; any other scikit-learn transformer is given as an object."""
    from sklearn import cluster, decomposition

    ours = {"SemiNMF": SemiNMF, "LargestNorm": LargestNorm, "RandomDirections": RandomDirections}
    return (
        ours
        | {"KMeans": cluster.KMeans}
        | {
            n: getattr(decomposition, n)
            for n in ("PCA", "FastICA", "DictionaryLearning", "MiniBatchDictionaryLearning")
        }
    )


def decompose(reps: Representations, method: Any = None, *, layer: int = -1) -> ConceptDictionary:
    """Learn a concept dictionary from the representations of one layer: Z ≈ V @ U.

    Parameters
    ----------
    reps
        Representations of a token.
    method
        Any scikit-learn transformer with ``components_`` or ``cluster_centers_`` (it is cloned, then fitted),
        or its name; ``None`` means ``SemiNMF(20, random_state=0)``.
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
    Parekh et al. 2024, section 3.2 and Table 2.

    Examples
    --------
    >>> reps = Representations(np.random.default_rng(0).normal(size=(30, 2, 8)), [str(i) for i in range(30)], [""] * 30, [0] * 30)
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
    rebuilt = reconstruct(estimator, activations)
    return ConceptDictionary(np.asarray(concepts, np.float32), np.asarray(activations, np.float32), reps.sample_ids, index, name,
                             estimator.get_params(), estimator, relative_error(Z, rebuilt), reps.source,
                             unexplained(Z, rebuilt))  # fmt: skip


def _estimator(method: Any) -> Any:
    """Give an unfitted estimator of one's own: the caller's object is left as it is."""
    if method is None:
        return SemiNMF(random_state=0)
    if isinstance(method, str):
        return named(method)
    if isinstance(method, type) or not hasattr(method, "get_params") or not hasattr(method, "transform"):
        raise MethodError(
            f"method is {method!r}; expected a scikit-learn transformer such as nbt.SemiNMF(20) or PCA(20), or its name."
        )
    return clone(method)


def named(name: str) -> Any:
    """Build a decomposition from its name, seeded where it has a random state; an unknown name is answered with the known ones."""
    known = list_decompositions()
    if name not in known:
        near = difflib.get_close_matches(name.lower(), [k.lower() for k in known], 1, 0.4)
        hint = f" Did you mean {next(k for k in known if k.lower() == near[0])!r}?" if near else ""
        raise MethodError(f"No decomposition named {name!r}.{hint} Known: {', '.join(known)}.")
    return known[name](random_state=0) if "random_state" in known[name]().get_params() else known[name]()


def _check(Z: np.ndarray, name: str, estimator: Any, layer: int, reps: Representations) -> None:
    k = estimator.get_params().get("n_components") or estimator.get_params().get("n_clusters")
    if not np.isfinite(Z).all():
        row, column = np.argwhere(~np.isfinite(Z))[0]
        n, first = int((~np.isfinite(Z)).any(1).sum()), f"{reps.sample_ids[row]!r}, row {row}, column {column}"
        raise MethodError(f"Z at layer {layer} has NaN or infinity in {n} of {len(Z)} samples (first: {first}); expected finite numbers. "
                          "Extract again with dtype='float32' (float16 overflows above 65,504).")  # fmt: skip
    if name in ("NMF", "MiniBatchNMF"):
        raise MethodError(f"{name} needs non-negative data, and Z at layer {layer} has {(Z < 0).mean():.0%} negative entries. "
                          "Use SemiNMF, whose concepts may be negative.")  # fmt: skip
    if isinstance(k, int | np.integer) and k > len(Z):
        raise MethodError(f"{name} was asked for {k} concepts, but token {reps.source.token!r} has {len(Z)} samples; expected at most {len(Z)}. "
                          "Ask for fewer concepts or add data.")  # fmt: skip
    if len(Z) > 1 and np.ptp(Z, axis=0).max() <= 1e-6 * max(1e-30, float(np.abs(Z).max())):
        raise MethodError(
            f"Z at layer {layer} is constant over its {len(Z)} samples, so there is nothing to decompose. Choose a deeper layer."
        )


def reconstruct(estimator: Any, activations: np.ndarray) -> np.ndarray:
    """Rebuild the samples that have these activations, the way the method means it: (n, d_model)."""
    if hasattr(estimator, "cluster_centers_"):
        return estimator.cluster_centers_[activations.argmax(1)]
    if hasattr(estimator, "inverse_transform"):
        return np.asarray(estimator.inverse_transform(activations))
    # no decoder of its own (a random direction, a sparse coder without one): the least-squares one
    U = estimator.components_
    return activations @ (U if hasattr(estimator, "alpha") else np.linalg.pinv(U).T)


def unexplained(Z: np.ndarray, rebuilt: np.ndarray) -> np.ndarray:
    """‖z − ẑ‖² / ‖z‖² of every row, no unit: (n,) float32."""
    return np.array([relative_error(z, r) for z, r in zip(Z, rebuilt, strict=True)], np.float32)


def relative_error(Z: np.ndarray, rebuilt: np.ndarray) -> float:
    """‖Z − Ẑ‖² / ‖Z‖², no unit."""
    Z = Z.astype(np.float64)
    return float(np.square(Z - rebuilt).sum() / max(np.square(Z).sum(), 1e-300))
