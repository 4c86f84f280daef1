"""Scores on samples that the dictionary has not seen: what its top concepts say about them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from ..errors import MethodError
from ..types import Score
from .texts import Embed, bert_score
from .vision import clip_score, word_list

Array = np.ndarray


def of_top_concepts(activations: Array, scores: Array, r: int = 1, name: str = "score") -> Score:
    """Mean of a score over the r concepts that each sample uses most.

    Parameters
    ----------
    activations : (n_samples, n_concepts)
        V of test samples; absolute values count.
    scores : (n_samples, n_concepts)
        The score of every concept's words with every sample; NaN for a concept without words.
    r
        How many concepts: 1 in the paper's tables, 3 in its figures.

    Returns
    -------
    Score
        NaN for a sample that uses no concept, or whose top concepts have no words.

    References
    ----------
    Parekh et al. 2024, section 4 and appendix C.2.

    Examples
    --------
    >>> of_top_concepts(np.array([[0.0, 2.0]]), np.array([[0.1, 0.7]])).values.tolist()
    [0.7]
    """
    V, scores = np.abs(np.asarray(activations, np.float64)), np.asarray(scores, np.float64)
    if V.shape != scores.shape or not 1 <= r <= V.shape[1]:
        raise MethodError(
            f"activations {V.shape}, scores {scores.shape} and r = {r} do not fit; expected one shape, and r between 1 and n_concepts."
        )
    top = np.argsort(-V, axis=1, kind="stable")[:, :r]
    used = np.take_along_axis(V, top, 1) > 0
    chosen = np.where(used, np.take_along_axis(scores, top, 1), np.nan)
    count = (~np.isnan(chosen)).sum(1)
    return Score(np.where(count > 0, np.nansum(chosen, 1) / np.maximum(count, 1), np.nan), name)


def top_words_clip_score(activations: Array, words: Sequence[Sequence[str]], pictures: Array, texts: Callable[[Sequence[str]], Array], *,
                    r: int = 1, n_words: int = 10) -> Score:  # fmt: skip
    """CLIPScore of test pictures with the words of the concepts that they use most, 0 to 2.5.

    Parameters
    ----------
    activations : (n_samples, n_concepts)
        V of test samples, for example ``cd.encode(test.layer(-1))``.
    words
        The words of each concept; the first ``n_words`` count.
    pictures : (n_samples, d)
        Unit embeddings of the test pictures.
    texts
        From texts to unit embeddings.

    References
    ----------
    Parekh et al. 2024, Tables 1, 3 and 9.

    Examples
    --------
    >>> top_words_clip_score(np.eye(2), [["a"], ["b"]], np.eye(2), lambda texts: np.eye(2)).values.tolist()
    [2.5, 2.5]
    """
    scores = np.full((len(pictures), len(words)), np.nan)
    named = [k for k, row in enumerate(words) if len(row)]
    if named:
        scores[:, named] = clip_score(
            np.asarray(pictures) @ np.asarray(texts([word_list(list(words[k])[:n_words]) for k in named])).T
        )
    return of_top_concepts(activations, scores, r, "test_clip_score")


def caption_clip_score(
    captions: Sequence[Sequence[str]], pictures: Array, texts: Callable[[Sequence[str]], Array]
) -> Score:
    """CLIPScore of pictures with their own captions, the mean over a picture's captions: the upper reference.

    References
    ----------
    Parekh et al. 2024, Table 1 ("GT-captions").

    Examples
    --------
    >>> caption_clip_score([["a"], ["b"]], np.eye(2), lambda texts: np.eye(2)).mean
    2.5
    """
    rows = [i for i, group in enumerate(captions) for _ in group]
    said = np.asarray(texts([c for group in captions for c in group]))
    each = clip_score(np.einsum("ij,ij->i", np.asarray(pictures)[rows], said))
    total = np.bincount(rows, each, len(captions)) / np.maximum(1, np.bincount(rows, minlength=len(captions)))
    return Score(np.where([len(g) > 0 for g in captions], total, np.nan), "caption_clip_score")


def top_words_bert_score(activations: Array, words: Sequence[Sequence[str]], references: Sequence[Sequence[str]], embed: Embed, *,
                         n_words: int = 10) -> Score:  # fmt: skip
    """BERTScore of test captions with the words of the concept that each sample uses most: the best of a sample's captions.

    The paper lets a language model write scene descriptions of the words first; here the words are scored as they are.

    Parameters
    ----------
    activations, words
        As for :func:`top_words_clip_score`.
    references
        The captions of each sample.
    embed
        A text encoder, as for :func:`nbtoolkit.metrics.bert_score`.

    References
    ----------
    Parekh et al. 2024, Tables 1 and 9, and appendix C.2.

    Examples
    --------
    >>> one_hot = lambda texts: [(np.eye(3)[[ord(c) - 97 for c in t]], np.ones(len(t))) for t in texts]
    >>> top_words_bert_score(np.eye(2), [["a"], ["b"]], [["a"], ["c"]], one_hot).values.tolist()
    [1.0, 0.0]
    """
    V = np.abs(np.asarray(activations, np.float64))
    top = V.argmax(1)
    rows = [i for i, k in enumerate(top) if V[i, k] > 0 and len(words[k]) and len(references[i])]
    values = np.full(len(V), np.nan)
    if rows:
        values[rows] = bert_score(
            [word_list(list(words[top[i]])[:n_words]) for i in rows], [references[i] for i in rows], embed
        ).values
    return Score(values, "bert_score")


def captions_bert_score(references: Sequence[Sequence[str]], embed: Embed) -> Score:
    """BERTScore of each sample's first caption with the best of its others: the upper reference; NaN where there is one only.

    Examples
    --------
    >>> one_hot = lambda texts: [(np.eye(3)[[ord(c) - 97 for c in t]], np.ones(len(t))) for t in texts]
    >>> captions_bert_score([["a", "b", "a"], ["c"]], one_hot).values.tolist()
    [1.0, nan]
    """
    return bert_score(
        [group[0] if group else "" for group in references], [list(group[1:]) for group in references], embed
    )
