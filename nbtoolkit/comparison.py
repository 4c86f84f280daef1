"""Two dictionaries side by side: which concepts they share, and how much of that chance would give."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from .errors import MethodError
from .metrics import Score
from .metrics.dictionaries import match
from .types import ConceptDictionary

Array = np.ndarray
MEASURES = ("cosine", "activation")
N_NULL = 20  # shuffles


@dataclass(frozen=True, eq=False)
class Agreement:
    """How the concepts of two dictionaries match.

    Attributes
    ----------
    measure
        ``"cosine"`` of the concepts, or ``"activation"``: Pearson's correlation over the samples that both have.
    similarity : (n_a, n_b)
        -1 to 1; 0 where a concept is dead.
    partners, values : (n_a,), (n_a,)
        Best one-to-one matching (Hungarian): the partner of every concept of ``a``, -1 without one, and the similarity.
    null
        The same similarities when one of the dictionaries is shuffled: its concepts' entries, or its samples.
    """

    measure: str
    similarity: Array
    partners: Array
    values: Array
    null: Score

    @property
    def score(self) -> Score:
        """Similarities of the matched pairs."""
        return Score(self.values, f"{self.measure} of matched concepts")


def compare_dictionaries(
    a: ConceptDictionary, b: ConceptDictionary, *, measure: str = "auto", random_state: Any = 0
) -> Agreement:
    """Match the concepts of two dictionaries: of two layers, methods, models or random states.

    Parameters
    ----------
    measure
        ``"cosine"``, ``"activation"``, or ``"auto"``: cosine for two dictionaries of one layer and model, else activation.
    random_state
        Seed of the null.

    Raises
    ------
    MethodError
        Cosine of concepts of different widths; activation with fewer than three samples in common.

    References
    ----------
    Hungarian matching against a shuffled null, as for stability: Wu et al., "Stability-driven nonnegative matrix
    factorization to interpret spatial gene expression", PNAS 2016.

    Examples
    --------
    >>> a = ConceptDictionary(np.eye(3), np.eye(3), list("xyz"), 1, "SemiNMF")
    >>> compare_dictionaries(a, ConceptDictionary(np.eye(3)[::-1], np.eye(3), list("xyz"), 1, "PCA")).partners.tolist()
    [2, 1, 0]
    """
    if measure not in (*MEASURES, "auto"):
        raise MethodError(f"measure is {measure!r}; expected 'auto', {' or '.join(map(repr, MEASURES))}.")
    alike = a.layer == b.layer and a.source.model == b.source.model and a.concepts.shape[1] == b.concepts.shape[1]
    if measure == "cosine" or (measure == "auto" and alike):
        if a.concepts.shape[1] != b.concepts.shape[1]:
            raise MethodError(
                f"The concepts have widths {a.concepts.shape[1]} and {b.concepts.shape[1]}; expected one width. Use measure='activation'."
            )
        measure, rows, others = "cosine", a.concepts, b.concepts
    else:
        place = {i: k for k, i in enumerate(b.sample_ids)}
        common = [(k, place[i]) for k, i in enumerate(a.sample_ids) if i in place]
        if len(common) < 3:
            raise MethodError(
                f"The dictionaries have {len(common)} samples in common; expected at least 3 for measure='activation'."
            )
        mine, theirs = map(list, zip(*common, strict=True))
        V, W = a.activations[mine], b.activations[theirs]
        measure, rows, others = "activation", (V - V.mean(0)).T, (W - W.mean(0)).T
    rng = np.random.default_rng(random_state)
    unit = [x / np.maximum(np.linalg.norm(x, axis=1, keepdims=True), 1e-30) for x in map(np.float64, (rows, others))]
    partners, values = match(rows, others)
    null = [
        match(
            rows, rng.permuted(others, axis=1) if measure == "cosine" else others[:, rng.permutation(others.shape[1])]
        )[1]
        for _ in range(N_NULL)
    ]
    return Agreement(measure, unit[0] @ unit[1].T, partners, values, Score(np.concatenate(null), "shuffled"))
