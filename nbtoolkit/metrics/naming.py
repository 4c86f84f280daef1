"""Do a concept's words name what its exemplars share? Only where the factors of every picture are known."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from ..types import Score

N_TOP = 5  # words looked at


def naming(activations: np.ndarray, words: Sequence[Sequence[str]], factors: Sequence[Mapping[str, str]],
           meaning: Mapping[str, tuple[str, str]]) -> Score:  # fmt: skip
    """Tell, concept by concept, whether a top word names the factor value that its activation separates best.

    Parameters
    ----------
    activations : (n_samples, n_concepts)
        V; absolute values are used.
    words
        The words of each concept, best first; five are looked at.
    factors
        The known factors of each sample.
    meaning
        Word to the (factor, value) that it names.

    Returns
    -------
    Score
        A value a concept: 1 where one of the words names the value of largest area under the ROC curve, else 0; NaN for a concept
        that no sample uses.

    Examples
    --------
    >>> naming(np.array([[1.0], [0.0]]), [["sunny"]], [{"weather": "sunny"}, {"weather": "rain"}],
    ...        {"sunny": ("weather", "sunny")}).mean
    1.0
    """
    from sklearn.metrics import roc_auc_score

    strength = np.abs(activations)
    labels = sorted({(f, v) for sample in factors for f, v in sample.items() if v != "none"})
    truth = np.array([[sample.get(f) == v for f, v in labels] for sample in factors])  # (n_samples, n_labels)
    useful = (truth.sum(0) >= 1) & (truth.sum(0) < len(truth))
    named = np.full(strength.shape[1], np.nan)
    for k in range(strength.shape[1]):
        if np.ptp(strength[:, k]) <= 0:
            continue
        scores = [roc_auc_score(truth[:, j], strength[:, k]) if useful[j] else 0.0 for j in range(len(labels))]
        best = labels[int(np.argmax(scores))]
        named[k] = float(any(meaning.get(w) == best for w in list(words[k])[:N_TOP]))
    return Score(named, "naming")
