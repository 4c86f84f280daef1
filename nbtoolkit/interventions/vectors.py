"""Steering vectors: differences of means, and differences of concepts."""

from __future__ import annotations

import numpy as np

from ..types import ConceptDictionary, Representations
from ..types.arguments import checked

Array = np.ndarray


@checked
def difference_of_means(source: Representations, target: Representations, *, layer: int = -1) -> Array:
    """Coarse steering vector, mean(target) − mean(source): (d_model,).

    Parameters
    ----------
    source, target
        Representations of the two behaviours.
    layer
        The layer; negative indices count from the last.

    References
    ----------
    Khayatan et al., "Analyzing Finetuning Representation Shift for Multimodal LLMs Steering", ICCV 2025 (arXiv
    2501.03012), section 4.

    Examples
    --------
    >>> a, b = (Representations(np.full((2, 1, 3), c), "xy", [""] * 2, [0] * 2) for c in (1.0, 4.0))
    >>> difference_of_means(a, b, layer=0).tolist()
    [3.0, 3.0, 3.0]
    """
    return target.layer(layer).mean(0, dtype=np.float64) - source.layer(layer).mean(0, dtype=np.float64)


@checked
def concept_pair(cd: ConceptDictionary, i: int, j: int) -> Array:
    """Fine steering vector from concept i to concept j, u_j − u_i: (d_model,). The authors' code has the opposite sign.

    Parameters
    ----------
    cd
        The dictionary.
    i, j
        Rows of the concepts.

    Raises
    ------
    MethodError
        The dictionary has no decoder, or no such concept.

    References
    ----------
    Khayatan et al., arXiv 2501.03012, section 4.

    Examples
    --------
    >>> concept_pair(ConceptDictionary(np.eye(2), np.eye(2), ["a", "b"], 1, "KMeans"), 0, 1).tolist()
    [-1.0, 1.0]
    """
    cd.require_decoder("a steering vector between concepts")
    return cd.concept(j).astype(np.float64) - cd.concept(i)
