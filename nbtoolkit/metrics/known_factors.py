"""Concepts against properties of the samples that are known: naming and specificity."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated

import numpy as np
from sklearn.metrics import roc_auc_score

from ..errors import MethodError
from ..types import Score
from ..types.arguments import checked
from ..types.rules import Rule

Array = np.ndarray
_N_WORDS = 5  # words per concept


@checked
def naming(
    activations: Annotated[Array, Rule("n k")],
    words: Annotated[Sequence[Sequence[str]], Rule("k")],
    factors: Annotated[Sequence[Mapping[str, str]], Rule("n")],
    meaning: Mapping[str, tuple[str, str]],
) -> Score:
    """Whether one of a concept's top words names the factor value that its activation separates best.

    Parameters
    ----------
    activations : (n_samples, n_concepts)
        V; absolute values are used.
    words
        The words of each concept, best first; the first five count.
    factors
        The known factors of each sample: factor to value.
    meaning
        Word to the (factor, value) that it names.

    Returns
    -------
    Score
        One value per concept, no unit: 1 where one of the words names the value of largest area under the ROC curve,
        else 0; NaN for a concept that no sample uses.

    Examples
    --------
    >>> naming(np.array([[1.0], [0.0]]), [["sunny"]], [{"weather": "sunny"}, {"weather": "rain"}],
    ...        {"sunny": ("weather", "sunny")}).mean
    1.0
    """
    strength = np.abs(activations)
    labels = sorted({(f, v) for sample in factors for f, v in sample.items() if v != "none"})
    if not labels:
        raise MethodError("factors name no value of any sample; expected a mapping of factor to value per sample.")
    truth = np.array([[sample.get(f) == v for f, v in labels] for sample in factors])  # (n_samples, n_labels)
    separable = (truth.sum(0) >= 1) & (truth.sum(0) < len(truth))
    values = np.full(strength.shape[1], np.nan)
    for k in range(strength.shape[1]):
        if np.ptp(strength[:, k]) <= 0:
            continue
        areas = [roc_auc_score(truth[:, j], strength[:, k]) if separable[j] else 0.0 for j in range(len(labels))]
        best = labels[int(np.argmax(areas))]
        values[k] = float(any(meaning.get(word) == best for word in list(words[k])[:_N_WORDS]))
    return Score(values, "naming")


@checked
def specificity(activations: Array, truth: Array, threshold: float = 0.5) -> Score:
    """Specificity of each concept: of the samples with the largest activations, the share that has its property.

    Parameters
    ----------
    activations : (n_samples, n_concepts)
        V of test samples; absolute values are used.
    truth : (n_samples, n_concepts)
        Whether the sample has the property that the concept stands for.
    threshold
        τ, as a share of the concept's largest activation, 0 to 1, no unit.

    Returns
    -------
    Score
        |C_top ∩ C_true| / |C_top| per concept, 0 to 1, with C_top = {v_k > τ}; NaN for a concept that no sample uses.

    Raises
    ------
    MethodError
        The two shapes differ.

    References
    ----------
    Parekh et al. 2024, appendix B.

    Examples
    --------
    >>> specificity(np.array([[4.0], [3.0], [1.0]]), np.array([[True], [False], [True]])).values.tolist()
    [0.5]
    """
    V, truth = np.abs(np.asarray(activations, np.float64)), np.asarray(truth, bool)
    if V.shape != truth.shape:
        raise MethodError(f"truth has shape {truth.shape}; expected that of the activations, {V.shape}.")
    top = (threshold * V.max(0) < V) & (V > 0)
    with np.errstate(invalid="ignore"):
        return Score((top & truth).sum(0) / top.sum(0), "specificity")
