"""All scores of one dictionary in one call."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ..types import ConceptDictionary, Grounding, Scores
from ..types.arguments import checked
from .clip_scores import Embedder, correspondence
from .heldout import constant_clip_score
from .known_factors import naming
from .word_overlap import overlap

Array = np.ndarray


@checked
def evaluate(
    cd: ConceptDictionary,
    grounding: Grounding,
    *,
    images: Embedder | None = None,
    texts: Embedder | None = None,
    factors: Sequence[Mapping[str, str]] | None = None,
    meaning: Mapping[str, tuple[str, str]] | None = None,
    n_words: int = 10,
    random_words: Sequence[Sequence[str]] | None = None,
    random_state: Any = 0,
) -> Scores:
    """Scores of a dictionary: reconstruction, sparsity, overlap, and with a scorer the correspondence of words and exemplars.

    Parameters
    ----------
    cd, grounding
        A dictionary and its grounding.
    images
        From sample ids to unit image embeddings (n, d), for example ``lambda ids: scorer.images(images_of(ids))``.
    texts
        From texts to unit text embeddings (n, d).
    factors, meaning
        Known factors of each sample, and the (factor, value) that each word names, where there are any; see
        :func:`nbtoolkit.metrics.naming`.
    n_words
        Number of words per concept, best first (the paper scores ten and shows five).
    random_words
        Random words of each concept, by the paper's rule R_k; see :func:`nbtoolkit.metrics.correspondence`.
    random_state
        Seed of random words that are drawn from the dictionary.

    Returns
    -------
    Scores
        ``reconstruction_error`` ‖Z−Ẑ‖²/‖Z‖² (0 to 1, lower is better), ``overlap`` (0 to 1, lower is better, NaN where no
        concept has words),
        ``active`` (mean share of samples that use a concept, 0 to 1), ``n_dead`` (number of concepts that no sample
        uses); with a scorer ``clip_score`` (mean over concepts of exemplars × words, 0 to 2.5) with random words as
        baseline, and ``clip_score_token``, that of the dictionary's token alone on the same exemplars; with factors ``naming`` (0 to 1).

    References
    ----------
    Parekh et al., "A Concept-Based Explainability Framework for Large Multimodal Models", NeurIPS 2024, section 4
    ("Evaluating concept grounding") and Figure 3.

    Examples
    --------
    >>> cd = ConceptDictionary(np.eye(2), np.eye(2), ["a", "b"], layer=1, method="SemiNMF")
    >>> evaluate(cd, Grounding([["sun"], ["sea"]], [["a"], ["b"]]))["overlap"]
    0.0
    """
    grounding = Grounding([list(words[:n_words]) for words in grounding.words], grounding.exemplars)
    per_concept: dict[str, Array] = {
        "overlap": overlap(grounding.words).values,
        "active": (np.abs(cd.activations) > 0).mean(0),
    }
    baseline: dict[str, float] = {}
    values = {
        "reconstruction_error": cd.reconstruction_error,
        "n_dead": float((np.abs(cd.activations).max(0) <= 0).sum()),
    }
    if images is not None and texts is not None:
        lists = None if random_words is None else [list(words)[:n_words] for words in random_words]
        own, random = correspondence(grounding, images, texts, random_words=lists, random_state=random_state)
        per_concept["clip_score"], per_concept["clip_score_random"] = own.values, random.values
        if len(random.defined):
            baseline["clip_score"] = random.mean
        if cd.source.token:
            per_concept["clip_score_token"] = _token_scores(cd.source.token, grounding, images, texts)
    if factors is not None and meaning is not None:
        per_concept["naming"] = naming(cd.activations, grounding.words, factors, meaning).values
    defined = {name: scores for name, scores in per_concept.items() if np.isfinite(scores).any()}
    values |= {"overlap": float("nan")} | {name: float(np.nanmean(scores)) for name, scores in defined.items()}
    spread = {name: float(np.nanstd(scores)) for name, scores in defined.items()}
    return Scores(values, spread, baseline, per_concept)


def _token_scores(token: str, grounding: Grounding, images: Embedder, texts: Embedder) -> Array:
    """CLIPScore (n_concepts,) of the exemplars of concepts that have words with the token alone."""
    exemplars = [group if words else [] for words, group in zip(grounding.words, grounding.exemplars, strict=True)]
    ids = sorted({i for group in exemplars for i in group})
    if not ids:
        return np.full(len(exemplars), np.nan)
    score = dict(zip(ids, constant_clip_score(token, images(ids), texts).values, strict=True))
    return np.array([np.mean([score[i] for i in group]) if group else np.nan for group in exemplars])
