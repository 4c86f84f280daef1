"""How fine-tuning moves concepts, and vectors that steer: two studies of the same samples, compared state by state."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .errors import MethodError
from .metrics.dictionaries import match
from .types import ConceptDictionary, Representations
from .types.representations import common_samples

Array = np.ndarray


@dataclass(frozen=True, eq=False)
class Shift:
    """How each concept of a model moves when the model is fine-tuned.

    Attributes
    ----------
    vectors : (n_concepts, d_model)
        Δ_k, the mean difference of the samples whose strongest concept is k; 0 where there are none.
    counts : (n_concepts,)
        How many samples that are.
    shifted : (n_concepts, d_model)
        u_k + α Δ_k.
    partners : (n_concepts,)
        The concept of the fine-tuned dictionary that matches each one (Hungarian, on cosines); -1 where there is none.
    recovery : (n_concepts,)
        (cos(u^b, u^s) − cos(u^b, u^a)) / (1 − cos(u^b, u^a)): 1 where the shift leads to the partner, 0 where it leads
        nowhere; NaN without samples or partner.
    distance_gain : (n_concepts,)
        (‖u^b − u^a‖ − ‖u^b − u^s‖) / ‖u^b − u^a‖, likewise.
    consistency : (n_concepts,)
        Mean cosine of the single differences with their mean, -1 to 1: do all samples move the same way?
    magnitude : (n_concepts,)
        ‖Δ_k‖.
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
        """‖Δ_k‖."""
        return np.linalg.norm(self.vectors, axis=1)


def concept_shift(
    before: Representations,
    after: Representations,
    cd: ConceptDictionary,
    tuned: ConceptDictionary,
    *,
    alpha: float = 1.0,
) -> Shift:
    """Shift of every concept between a model and its fine-tuned version.

    Parameters
    ----------
    before, after
        Representations of the same token by both models; the samples that both have are compared.
    cd, tuned
        Dictionaries of ``before`` and ``after`` at one layer (K-Means in the paper).
    alpha
        How far the concepts are moved along their shift.

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
    >>> moved = Representations(np.eye(3)[:, None] + 1, "abc", [""] * 3, [0] * 3)
    >>> a, b = (ConceptDictionary(np.eye(3) + c, np.eye(3), list("abc"), 0, "KMeans") for c in (0, 1))
    >>> concept_shift(reps, moved, a, b).recovery.round(6).tolist()
    [1.0, 1.0, 1.0]
    """
    if cd.layer != tuned.layer or cd.concepts.shape[1] != tuned.concepts.shape[1]:
        raise MethodError(f"The dictionaries are of layers {cd.layer} and {tuned.layer} and widths {cd.concepts.shape[1]} and {tuned.concepts.shape[1]}; "
                          "expected the same layer of two versions of one model.")  # fmt: skip
    rows, others = common_samples(before.sample_ids, after.sample_ids)
    if not rows:
        raise MethodError("The two representations have no sample in common; extract both from the same data.")
    strongest = np.abs(cd.activations).argmax(1)
    of = dict(zip(cd.sample_ids, strongest, strict=True))
    owner = np.array([of.get(before.sample_ids[k], -1) for k in rows])
    moves = after.layer(cd.layer)[others].astype(np.float64) - before.layer(cd.layer)[rows]
    U, W = cd.concepts.astype(np.float64), tuned.concepts.astype(np.float64)
    vectors, consistency = np.zeros_like(U), np.full(len(U), np.nan)
    counts = np.array([(owner == k).sum() for k in range(len(U))])
    for k in np.flatnonzero(counts):
        own = moves[owner == k]
        vectors[k] = own.mean(0)
        consistency[k] = _cosine(own, vectors[k][None]).mean()
    shifted, partners = U + alpha * vectors, match(U, W)[0]
    near, far = np.full(len(U), np.nan), np.full(len(U), np.nan)
    known = (partners >= 0) & (counts > 0)
    goal = W[partners[known]]
    start, end = _cosine(U[known], goal), _cosine(shifted[known], goal)
    near[known] = (end - start) / np.maximum(1 - start, 1e-12)
    gap = np.linalg.norm(goal - U[known], axis=1)
    far[known] = (gap - np.linalg.norm(goal - shifted[known], axis=1)) / np.maximum(gap, 1e-12)
    return Shift(vectors, counts, shifted, partners, near, far, consistency)


def t_overlap(words: Sequence[Sequence[str]], others: Sequence[Sequence[str]]) -> Array:
    """Share of each concept's words that its partner has too, in per cent; NaN for a concept without words.

    References
    ----------
    arXiv 2501.03012, section 3 ("T-Overlap").

    Examples
    --------
    >>> t_overlap([["sun", "sea"]], [["sea", "sand"]]).tolist()
    [50.0]
    """
    return np.array(
        [100 * len(set(a) & set(b)) / len(set(a)) if a else np.nan for a, b in zip(words, others, strict=True)]
    )


def difference_of_means(source: Representations, target: Representations, *, layer: int = -1) -> Array:
    """Coarse steering vector, mean(target) − mean(source): (d_model,).

    References
    ----------
    arXiv 2501.03012, section 4.

    Examples
    --------
    >>> a, b = (Representations(np.full((2, 1, 3), c), "xy", [""] * 2, [0] * 2) for c in (1.0, 4.0))
    >>> difference_of_means(a, b, layer=0).tolist()
    [3.0, 3.0, 3.0]
    """
    return target.layer(layer).mean(0, dtype=np.float64) - source.layer(layer).mean(0, dtype=np.float64)


def concept_pair(cd: ConceptDictionary, i: int, j: int) -> Array:
    """Fine steering vector from concept i to concept j, u_j − u_i: (d_model,). The authors' code has the opposite sign.

    Examples
    --------
    >>> concept_pair(ConceptDictionary(np.eye(2), np.eye(2), ["a", "b"], 1, "KMeans"), 0, 1).tolist()
    [-1.0, 1.0]
    """
    return cd.concept(j).astype(np.float64) - cd.concept(i)


def _cosine(a: Array, b: Array) -> Array:
    return (_unit(a) * _unit(b)).sum(1)


def _unit(x: Array) -> Array:
    return x / np.maximum(np.linalg.norm(x, axis=1, keepdims=True), 1e-30)
