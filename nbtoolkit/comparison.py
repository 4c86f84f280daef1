"""Two dictionaries side by side: which concepts they share, and how much of that chance would give."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from .errors import MethodError
from .metrics import Score
from .metrics.dictionaries import assign, cosines, match
from .types import ConceptDictionary
from .types.representations import common_samples

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
        mine, theirs = common_samples(a.sample_ids, b.sample_ids)
        if len(mine) < 3:
            raise MethodError(
                f"The dictionaries have {len(mine)} samples in common; expected at least 3 for measure='activation'."
            )
        V, W = a.activations[mine], b.activations[theirs]
        measure, rows, others = "activation", (V - V.mean(0)).T, (W - W.mean(0)).T
    rng = np.random.default_rng(random_state)
    similarity = cosines(rows, others)
    null = [match(rows, _shuffled(others, measure, rng))[1] for _ in range(N_NULL)]
    return Agreement(measure, similarity, *assign(similarity), Score(np.concatenate(null), "shuffled"))


def _shuffled(rows: Array, measure: str, rng: np.random.Generator) -> Array:
    """Mix the entries of each concept, or the samples of all of them together."""
    return rng.permuted(rows, axis=1) if measure == "cosine" else rows[:, rng.permutation(rows.shape[1])]
