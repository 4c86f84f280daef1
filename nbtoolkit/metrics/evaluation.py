"""All scores of one dictionary in one call."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from ..types import ConceptDictionary, Grounding, Scores
from .naming import naming
from .overlap import overlap
from .vision import correspondence


def evaluate(cd: ConceptDictionary, grounding: Grounding, *, images: Callable[[Sequence[str]], np.ndarray] | None = None,
             texts: Callable[[Sequence[str]], np.ndarray] | None = None, factors: Sequence[Mapping[str, str]] | None = None,
             meaning: Mapping[str, tuple[str, str]] | None = None, n_words: int = 10, random_state: int = 0) -> Scores:  # fmt: skip
    """Score a dictionary: fit, sparsity, overlap, and with a CLIP judge how well words fit exemplars.

    Parameters
    ----------
    cd, grounding
        A dictionary and its grounding.
    images
        From sample ids to unit image embeddings (n, d), for example ``lambda ids: scorer.images(pictures(ids))``.
    texts
        From texts to unit text embeddings (n, d).
    factors, meaning
        Known factors of each sample and what each word names (see :func:`nbtoolkit.metrics.naming`), where there are any.
    n_words
        How many of a concept's words are scored, best first (the paper scores ten and shows five).
    random_state
        Seed of the random words.

    Returns
    -------
    Scores
        ``reconstruction_error`` ‖Z−Ẑ‖²/‖Z‖² (0 to 1, lower is better), ``overlap`` (0 to 1, lower is better),
        ``active`` (mean share of samples that use a concept), ``n_dead``; with a judge ``clip_score`` (mean over
        concepts of exemplars × words, 0 to 2.5) with random words as baseline; with factors ``naming`` (0 to 1).

    References
    ----------
    Parekh et al. 2024, section 4 ("Evaluating concept grounding") and Figure 3.

    Examples
    --------
    >>> cd = ConceptDictionary(np.eye(2), np.eye(2), ["a", "b"], layer=1, method="SemiNMF")
    >>> evaluate(cd, Grounding([["sun"], ["sea"]], [["a"], ["b"]]))["overlap"]
    0.0
    """
    grounding = Grounding([list(words[:n_words]) for words in grounding.words], grounding.exemplars)
    per: dict[str, np.ndarray] = {
        "overlap": overlap(grounding.words).values,
        "active": (np.abs(cd.activations) > 0).mean(0),
    }
    baseline: dict[str, float] = {}
    values = {
        "reconstruction_error": cd.reconstruction_error,
        "n_dead": float((np.abs(cd.activations).max(0) <= 0).sum()),
    }
    if images is not None and texts is not None:
        own, random = correspondence(grounding, images, texts, random_state=random_state)
        per["clip_score"], per["clip_score_random"] = own.values, random.values
        if len(random.defined):
            baseline["clip_score"] = random.mean
    if factors is not None and meaning is not None:
        per["naming"] = naming(cd.activations, grounding.words, factors, meaning).values
    for name, each in per.items():
        if np.isfinite(each).any():
            values[name] = float(np.nanmean(each))
    spread = {name: float(np.nanstd(each)) for name, each in per.items() if np.isfinite(each).any()}
    return Scores(values, spread, baseline, per)
