"""Sparsity of activations, and importance of concepts."""

from __future__ import annotations

from typing import Annotated
from weakref import WeakKeyDictionary

import numpy as np

from ..errors import MethodError
from ..types import ConceptDictionary, Score
from ..types.arguments import checked
from ..types.representations import read_only
from ..types.rules import Rule

Array = np.ndarray
_energies: WeakKeyDictionary[ConceptDictionary, Array] = WeakKeyDictionary()


@checked
def active_concepts(activations: Annotated[Array, Rule("n k")], threshold: float = 1e-6) -> Score:
    """Number of concepts that each sample uses.

    Parameters
    ----------
    activations : (n_samples, n_concepts)
        V.
    threshold
        A concept counts where |v_k| is larger than this share of the largest activation, 0 to 1, no unit.

    Returns
    -------
    Score
        One count per sample.

    Examples
    --------
    >>> active_concepts(np.array([[1.0, 0.0], [0.5, 2.0]])).values.tolist()
    [1.0, 2.0]
    """
    V = np.abs(np.asarray(activations, np.float64))
    return Score((threshold * max(float(V.max(initial=0.0)), 1e-300) < V).sum(1), "active_concepts")


@checked
def hoyer(activations: Annotated[Array, Rule("n k")]) -> Score:
    """Hoyer's sparsity (√K − ‖v‖₁/‖v‖₂) / (√K − 1) of each sample's activations, 0 (all equal) to 1 (one concept).

    Parameters
    ----------
    activations : (n_samples, n_concepts)
        V, of at least two concepts.

    Returns
    -------
    Score
        One value per sample, no unit; NaN for a sample without activations.

    Raises
    ------
    MethodError
        Fewer than two concepts.

    References
    ----------
    Hoyer, "Non-negative matrix factorization with sparseness constraints", JMLR 2004, section 3.1.

    Examples
    --------
    >>> hoyer(np.array([[1.0, 0.0], [1.0, 1.0]])).values.round(6).tolist()
    [1.0, 0.0]
    """
    V = np.abs(np.asarray(activations, np.float64))
    k = V.shape[1]
    if k < 2:
        raise MethodError(f"The number of concepts is {k}; expected at least 2 for Hoyer's sparsity.")
    norm = np.linalg.norm(V, axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        return Score((np.sqrt(k) - V.sum(1) / norm) / (np.sqrt(k) - 1), "hoyer")


def energy(cd: ConceptDictionary) -> Array:
    """Importance of each concept: its total absolute activation times its norm, computed once per dictionary.

    Parameters
    ----------
    cd
        The dictionary.

    Returns
    -------
    numpy.ndarray
        (n_concepts,)
    """
    if cd not in _energies:
        total, used = np.zeros(cd.n_concepts), np.flatnonzero(cd.activations.any(0))
        norms = np.linalg.norm(cd.concepts[used], axis=1)
        total[used] = np.abs(cd.activations[:, used]).sum(0, dtype=np.float64) * norms  # float32 overflows
        _energies[cd] = read_only(total)
    return _energies[cd]
