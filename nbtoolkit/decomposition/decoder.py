"""From activations back to representations: Ẑ, and what it leaves unexplained."""

from __future__ import annotations

from typing import Any

import numpy as np

Array = np.ndarray


def reconstruct(estimator: Any, activations: Array) -> Array:
    """Reconstruction Ẑ of the samples that have these activations, by the decoder of the method.

    Clustering methods decode to the nearest centre, others by their ``inverse_transform``. Without one, a sparse coder
    decodes by V U, and a method with linear activations by their least-squares inverse.

    Parameters
    ----------
    estimator
        A fitted scikit-learn transformer with ``components_`` or ``cluster_centers_``.
    activations : (n_samples, n_concepts)
        V, as :func:`nbtoolkit.types.activations_of` gives them for this estimator; no unit.

    Returns
    -------
    (n_samples, d_model) array
        Ẑ, in the unit of the representations.

    Examples
    --------
    >>> from nbtoolkit import LargestNorm
    >>> reconstruct(LargestNorm(1).fit([[1.0, 0.0], [0.0, 3.0]]), np.array([[0.2], [1.0]])).tolist()
    [[0.0, 3.0], [0.0, 3.0]]
    """
    if hasattr(estimator, "cluster_centers_"):
        return estimator.cluster_centers_[activations.argmax(1)]
    if hasattr(estimator, "inverse_transform"):
        return np.asarray(estimator.inverse_transform(activations))
    U = estimator.components_
    return activations @ (U if hasattr(estimator, "alpha") else np.linalg.pinv(U).T)


def unexplained(Z: Array, reconstruction: Array) -> Array:
    """Unexplained share ‖z − ẑ‖² / ‖z‖² per row.

    Parameters
    ----------
    Z, reconstruction : (n_samples, d_model)
        Representations and their reconstruction, in one unit.

    Returns
    -------
    (n_samples,) float32 array
        At least 0, no unit: 0 is perfect, 1 explains nothing.

    Examples
    --------
    >>> unexplained(np.array([[2.0, 0.0]]), np.array([[1.0, 0.0]])).tolist()
    [0.25]
    """
    return np.array([relative_error(z, r) for z, r in zip(Z, reconstruction, strict=True)], np.float32)


def relative_error(Z: Array, reconstruction: Array) -> float:
    """Relative squared error ‖Z − Ẑ‖² / ‖Z‖², at least 0, no unit.

    Parameters
    ----------
    Z, reconstruction : (n_samples, d_model)
        Representations and their reconstruction, in one unit; single rows (d_model,) may be given, too.

    Returns
    -------
    float
        0 is perfect, 1 explains nothing.

    Examples
    --------
    >>> relative_error(np.eye(2), np.array([[1.0, 0.0], [0.0, 0.0]]))
    0.5
    """
    Z = Z.astype(np.float64)
    return float(np.square(Z - reconstruction).sum() / max(np.square(Z).sum(), 1e-300))
