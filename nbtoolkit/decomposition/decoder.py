"""From activations back to representations: the affine decoder of an estimator, and what it leaves unexplained."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np

from ..errors import MethodError, first_line
from ..types.arguments import checked
from ..types.decoder import coefficients_of, decode
from ..types.dictionary import last_step
from ..types.rules import Rule
from .base import Dictionary

Array = np.ndarray
_ROWS = 512  # concepts that are decoded at a time
_TOLERANCE = 1e-4  # of the part that depends on the activations: float32 estimators round


@dataclass(frozen=True, eq=False)
class Decoder:
    """Decoder of a fitted estimator, ẑ = coefficients · D + b, or the reason why it has none.

    Attributes
    ----------
    D : (n_concepts, d_model)
        The concepts.
    b : (d_model,)
        The offset.
    coding
        How coefficients follow from activations; see :class:`nbtoolkit.types.ConceptDictionary`.
    missing
        Why there is no decoder; empty where there is one.
    """

    D: Array
    b: Array
    coding: str = "activations"
    missing: str = ""

    def __call__(self, activations: Array) -> Array:
        """Decode activations, (n, d_model) float64.

        Parameters
        ----------
        activations : (n, n_concepts)
            V.
        """
        return decode(coefficients_of(activations, self.D, self.coding), self.D, self.b)


def decoder_of(estimator: Any, activations: Array, states: Array | None = None) -> Decoder:
    """Decoder of a fitted estimator.

    Clustering has its centres, with one-hot coefficients. Others have their ``inverse_transform``, where it is affine on
    the activations; without one ``mixing_``, ``components_`` or ``dictionary``, and ``mean_``. The last step of a pipeline
    is decoded so, then by the ``inverse_transform`` of the steps before it.

    Parameters
    ----------
    estimator
        A fitted scikit-learn transformer.
    activations : (n, n_concepts)
        V, as :func:`nbtoolkit.types.activations_of` gives them for this estimator.
    states : (n, d_model)
        The states behind them. With these, ``components_`` that reconstruct worse than b alone are no decoder.

    Returns
    -------
    Decoder
        With a reason in ``missing`` where the estimator has none.

    Examples
    --------
    >>> from sklearn.decomposition import PCA
    >>> X = np.random.default_rng(0).normal(size=(20, 4))
    >>> pca = PCA(2, whiten=True).fit(X)
    >>> V = pca.transform(X)
    >>> bool(np.allclose(decoder_of(pca, V)(V), pca.inverse_transform(V)))
    True
    """
    last = last_step(estimator)
    if isinstance(last, Dictionary):
        width = last.components_.shape[1]
        own = Decoder(last.components_, getattr(last, "intercept_", np.zeros(width)), last.coding)
        return _through(estimator, own, activations)
    if hasattr(last, "cluster_centers_"):
        centres = np.asarray(last.cluster_centers_)
        return _through(estimator, Decoder(centres, np.zeros(centres.shape[1]), "one-hot"), activations)
    if callable(getattr(estimator, "inverse_transform", None)):
        return _probed(estimator.inverse_transform, activations)
    rows = _rows(last, activations.shape[1])
    if rows is None:
        return _none("it has neither inverse_transform nor components_")
    own = Decoder(rows, np.asarray(getattr(last, "mean_", np.zeros(rows.shape[1]))))
    decoder = _through(estimator, own, activations)
    if states is not None and not decoder.missing:
        error, alone = (np.square(states - x).sum() for x in (decoder(activations), decoder.b))
        if error > alone * (1 + _TOLERANCE):
            return _none("it has no inverse_transform, and its components_ reconstruct worse than their offset alone")
    return decoder


def _rows(estimator: Any, n: int) -> Array | None:
    """Rows of the decoder by the attributes of an estimator without ``inverse_transform``; None where they do not fit."""
    if hasattr(estimator, "mixing_"):
        rows = np.asarray(estimator.mixing_).T
    else:
        atoms = getattr(estimator, "components_", getattr(estimator, "dictionary", None))
        rows = np.zeros((0, 0)) if atoms is None else np.asarray(atoms)
    if rows.ndim == 2 and getattr(estimator, "split_sign", False) and n == 2 * len(rows):
        rows = np.concatenate([rows, -rows])  # positive parts of the activations, then negative ones
    return rows if rows.ndim == 2 and len(rows) == n else None


def _through(estimator: Any, own: Decoder, activations: Array) -> Decoder:
    """Decoder of a pipeline from that of its last step."""
    if not hasattr(estimator, "steps") or len(estimator.steps) == 1:
        return own
    before = estimator[:-1]
    if not callable(getattr(before, "inverse_transform", None)):
        return _none("a step before its last one has no inverse_transform")
    coefficients = coefficients_of(activations, own.D, own.coding)
    n = len(own.D)
    probed = _probed(lambda rows: before.inverse_transform(decode(rows, own.D, own.b)), coefficients, n)
    return Decoder(probed.D, probed.b, own.coding, probed.missing)


def _probed(inverse: Callable[[Array], Array], values: Array, n: int | None = None) -> Decoder:
    """D and b of an affine function: its values at 0 and at the unit vectors, checked at the given values."""
    n = values.shape[1] if n is None else n
    try:
        b = np.asarray(inverse(np.zeros((1, n))), np.float64)[0]
        parts = [np.asarray(inverse(np.eye(min(_ROWS, n - i), n, i)), np.float64) - b for i in range(0, n, _ROWS)]
        D, decoded = np.concatenate(parts), np.asarray(inverse(np.asarray(values, np.float64)), np.float64)
    except Exception as error:  # of a foreign estimator
        return _none(f"its inverse_transform fails: {first_line(error)}")
    affine = decode(values, D, b)
    size = max(float(np.linalg.norm(affine - b)), float(np.linalg.norm(decoded - b)))
    difference = float(np.linalg.norm(decoded - affine))
    if not difference <= _TOLERANCE * size + 1e-9 * float(np.linalg.norm(decoded)):
        share = f"{difference / max(size, 1e-300):.2g}"
        return _none(f"its inverse_transform is not affine: on the data it differs from V D + b by {share} of ‖V D‖")
    return Decoder(D, b)


def _none(reason: str) -> Decoder:
    return Decoder(np.zeros((0, 0)), np.zeros(0), missing=reason)


@checked
def reconstruct(estimator: Any, activations: Annotated[Array, Rule("n k")]) -> Array:
    """Reconstruction Ẑ of the samples that have these activations, by the decoder of the method.

    Parameters
    ----------
    estimator
        A fitted scikit-learn transformer.
    activations : (n_samples, n_concepts)
        V, as :func:`nbtoolkit.types.activations_of` gives them for this estimator; no unit.

    Returns
    -------
    (n_samples, d_model) array
        Ẑ, in the unit of the representations.

    Raises
    ------
    MethodError
        The estimator has no decoder.

    Examples
    --------
    >>> from nbtoolkit import LargestNorm
    >>> reconstruct(LargestNorm(1).fit([[1.0, 0.0], [0.0, 3.0]]), np.array([[0.2], [1.0]])).tolist()
    [[0.0, 3.0], [0.0, 3.0]]
    """
    decoder = decoder_of(estimator, np.asarray(activations))
    if decoder.missing:
        raise MethodError(
            f"{type(estimator).__name__} has no decoder ({decoder.missing}); expected one for a reconstruction. "
            "Use a method whose inverse_transform is affine or that has components_."
        )
    if activations.shape[1] != len(decoder.D):
        raise MethodError(
            f"activations has {activations.shape[1]} columns; expected {len(decoder.D)}, one per concept of {type(estimator).__name__}."
        )
    return decoder(activations)


@checked
def unexplained(Z: Annotated[Array, Rule("n d")], reconstruction: Annotated[Array, Rule("n d")]) -> Array:
    """Unexplained share ‖z − ẑ‖² / ‖z‖² per row.

    Parameters
    ----------
    Z, reconstruction : (n_samples, d_model)
        Representations and their reconstruction, in one unit.

    Returns
    -------
    (n_samples,) float32 array
        At least 0, no unit: 0 is perfect, 1 explains nothing; NaN for a row of zeros whose reconstruction is not zero.

    Examples
    --------
    >>> unexplained(np.array([[2.0, 0.0]]), np.array([[1.0, 0.0]])).tolist()
    [0.25]
    """
    return np.array([_relative_error(z, r) for z, r in zip(Z, reconstruction, strict=True)], np.float32)


@checked
def relative_error(Z: Annotated[Array, Rule()], reconstruction: Annotated[Array, Rule()]) -> float:
    """Relative squared error ‖Z − Ẑ‖² / ‖Z‖², at least 0, no unit.

    Parameters
    ----------
    Z, reconstruction : (n_samples, d_model)
        Representations and their reconstruction, in one unit; single rows (d_model,) may be given, too.

    Returns
    -------
    float
        0 is perfect, 1 explains nothing; NaN where Z is zero and the reconstruction is not.

    Raises
    ------
    MethodError
        Two shapes.

    Examples
    --------
    >>> relative_error(np.eye(2), np.array([[1.0, 0.0], [0.0, 0.0]]))
    0.5
    """
    if Z.shape != reconstruction.shape:
        raise MethodError(f"reconstruction has shape {reconstruction.shape}; expected that of Z, {Z.shape}.")
    return _relative_error(Z, reconstruction)


def _relative_error(Z: Array, reconstruction: Array) -> float:
    Z = Z.astype(np.float64)
    error, size = float(np.square(Z - reconstruction).sum()), float(np.square(Z).sum())
    return error / size if size > 0 else 0.0 if error == 0 else float("nan")
