"""Steering vectors from representations and concepts."""

from __future__ import annotations

import numpy as np

from .metrics.shift import Shift, concept_shift, t_overlap
from .types import ConceptDictionary, Representations

__all__ = ["Shift", "concept_pair", "concept_shift", "difference_of_means", "t_overlap"]

Array = np.ndarray


def difference_of_means(source: Representations, target: Representations, *, layer: int = -1) -> Array:
    """Coarse steering vector, mean(target) − mean(source).

    Parameters
    ----------
    source, target
        Representations to steer from and to.
    layer
        Layer of both; negative indices count from the last.

    Returns
    -------
    (d_model,) float64 array
        In the unit of the states.

    References
    ----------
    Khayatan et al., "Analyzing Finetuning Representation Shift for Multimodal LLMs Steering", ICCV 2025
    (arXiv 2501.03012), section 4.

    Examples
    --------
    >>> a, b = (Representations(np.full((2, 1, 3), c), "xy", [""] * 2, [0] * 2) for c in (1.0, 4.0))
    >>> difference_of_means(a, b, layer=0).tolist()
    [3.0, 3.0, 3.0]
    """
    return target.layer(layer).mean(0, dtype=np.float64) - source.layer(layer).mean(0, dtype=np.float64)


def concept_pair(cd: ConceptDictionary, i: int, j: int) -> Array:
    """Fine steering vector from concept i to concept j, u_j − u_i; the authors' code has the opposite sign.

    Parameters
    ----------
    cd
        A concept dictionary.
    i, j
        Concepts to steer from and to, counted from 0.

    Returns
    -------
    (d_model,) float64 array
        In the unit of the concepts.

    Raises
    ------
    MethodError
        There is no such concept.

    References
    ----------
    Khayatan et al. 2025 (arXiv 2501.03012), section 4.

    Examples
    --------
    >>> concept_pair(ConceptDictionary(np.eye(2), np.eye(2), ["a", "b"], 1, "KMeans"), 0, 1).tolist()
    [-1.0, 1.0]
    """
    return cd.concept(j).astype(np.float64) - cd.concept(i)
