"""Concept shift under fine-tuning: states of the same samples in a model and its fine-tuned version."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

import numpy as np

from ..errors import MethodError
from ..types import ConceptDictionary, Representations
from ..types.arguments import checked
from ..types.rows import common_samples
from ..types.rules import Rule
from .matching import match

Array = np.ndarray


@dataclass(frozen=True, eq=False)
class Shift:
    """Shift of each concept of a model under fine-tuning; u^a, u^b and u^s are concept, partner and shifted concept.

    Attributes
    ----------
    vectors : (n_concepts, d_model)
        Δ_k, the mean difference of the samples whose strongest concept is k; 0 without such samples.
    counts : (n_concepts,)
        Number of these samples.
    shifted : (n_concepts, d_model)
        u_k + α Δ_k.
    partners : (n_concepts,)
        The concept of the fine-tuned dictionary that matches each concept (Hungarian, on cosines); -1 without one.
    recovery : (n_concepts,)
        (cos(u^b, u^s) − cos(u^b, u^a)) / (1 − cos(u^b, u^a)), no unit: 1 where the shift leads to the partner, 0 where
        it comes no closer; NaN without samples or partner.
    distance_gain : (n_concepts,)
        (‖u^b − u^a‖ − ‖u^b − u^s‖) / ‖u^b − u^a‖, likewise.
    consistency : (n_concepts,)
        Mean cosine of the samples' differences with their mean, -1 to 1; NaN without samples.
    """

    vectors: Array
    counts: Array
    shifted: Array
    partners: Array
    recovery: Array
    distance_gain: Array
    consistency: Array

    @property
    def magnitude(self) -> Array:
        """‖Δ_k‖ per concept, (n_concepts,), in the unit of the states."""
        return np.linalg.norm(self.vectors, axis=1)


@checked
def concept_shift(
    before: Representations,
    after: Representations,
    cd: ConceptDictionary,
    tuned: ConceptDictionary,
    *,
    alpha: float = 1.0,
) -> Shift:
    """Shift of each concept between a model and its fine-tuned version.

    Parameters
    ----------
    before, after
        Representations of the same token by both models; the rows in both, by sample and occurrence, are compared.
    cd, tuned
        Dictionaries of ``before`` and ``after`` at one layer (K-Means in the paper).
    alpha
        α, the length of the shift relative to Δ_k, no unit.

    Returns
    -------
    Shift
        Vectors, partners, and how much of the way to the partner the shift explains.

    Raises
    ------
    MethodError
        No common sample, other layers, or other widths.

    References
    ----------
    Khayatan et al., "Analyzing Finetuning Representation Shift for Multimodal LLMs Steering", ICCV 2025
    (arXiv 2501.03012), section 3.

    Examples
    --------
    >>> reps = Representations(np.eye(3)[:, None], "abc", [""] * 3, [0] * 3)
    >>> tuned = Representations(np.eye(3)[:, None] + 1, "abc", [""] * 3, [0] * 3)
    >>> a, b = (ConceptDictionary(np.eye(3) + c, np.eye(3), list("abc"), 0, "KMeans") for c in (0, 1))
    >>> concept_shift(reps, tuned, a, b).recovery.round(6).tolist()
    [1.0, 1.0, 1.0]
    """
    if cd.layer != tuned.layer or cd.concepts.shape[1] != tuned.concepts.shape[1]:
        raise MethodError(
            f"The dictionaries are of layers {cd.layer} and {tuned.layer} and widths {cd.concepts.shape[1]} and "
            f"{tuned.concepts.shape[1]}; expected the same layer of two versions of one model."
        )
    rows, others = common_samples(before.row_keys, after.row_keys)
    if not rows:
        raise MethodError(
            "The two representations have no sample in common; expected at least one. Extract both from the same data."
        )
    strongest = dict(zip(cd.row_keys, np.abs(cd.activations).argmax(1), strict=True))
    owner = np.array([strongest.get(before.row_keys[i], -1) for i in rows])
    differences = after.layer(cd.layer)[others].astype(np.float64) - before.layer(cd.layer)[rows]
    U, W = cd.concepts.astype(np.float64), tuned.concepts.astype(np.float64)
    counts = np.array([(owner == k).sum() for k in range(len(U))])
    vectors, consistency = np.zeros_like(U), np.full(len(U), np.nan)
    for k in np.flatnonzero(counts):
        own = differences[owner == k]
        vectors[k] = own.mean(0)
        consistency[k] = _row_cosines(own, vectors[k][None]).mean()
    shifted, partners = U + alpha * vectors, match(U, W)[0]
    recovery, distance_gain = np.full(len(U), np.nan), np.full(len(U), np.nan)
    defined = (partners >= 0) & (counts > 0)
    goal = W[partners[defined]]
    start, end = _row_cosines(U[defined], goal), _row_cosines(shifted[defined], goal)
    recovery[defined] = (end - start) / np.maximum(1 - start, 1e-12)
    distance = np.linalg.norm(goal - U[defined], axis=1)
    remaining = np.linalg.norm(goal - shifted[defined], axis=1)
    distance_gain[defined] = (distance - remaining) / np.maximum(distance, 1e-12)
    return Shift(vectors, counts, shifted, partners, recovery, distance_gain, consistency)


@checked
def t_overlap(
    words: Annotated[Sequence[Sequence[str]], Rule("k")], others: Annotated[Sequence[Sequence[str]], Rule("k")]
) -> Array:
    """Share of each concept's words that its partner has, too.

    Parameters
    ----------
    words
        The words of each concept.
    others
        The words of the partner of each concept.

    Returns
    -------
    (n_concepts,) array
        0 to 100, in per cent; NaN for a concept without words.

    References
    ----------
    Khayatan et al. 2025 (arXiv 2501.03012), section 3 ("T-Overlap").

    Examples
    --------
    >>> t_overlap([["sun", "sea"]], [["sea", "sand"]]).tolist()
    [50.0]
    """
    return np.array(
        [100 * len(set(a) & set(b)) / len(set(a)) if a else np.nan for a, b in zip(words, others, strict=True)]
    )


def _row_cosines(a: Array, b: Array) -> Array:
    return (_unit(a) * _unit(b)).sum(1)


def _unit(x: Array) -> Array:
    return x / np.maximum(np.linalg.norm(x, axis=1, keepdims=True), 1e-30)
