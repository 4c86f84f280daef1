"""Scores on held-out samples: their images and captions against the words of the concepts that they use most."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import numpy as np

from ..errors import MethodError
from ..types import Score
from ..types.arguments import checked
from ..types.nulls import CONSTANT_WORD
from ..types.rules import Count, Rule
from .bert_scores import TokenEmbedder, bert_score
from .clip_scores import Embedder, clip_score, embeddings, word_list

Array = np.ndarray


@checked
def of_top_concepts(
    activations: Annotated[Array, Rule("n k")],
    scores: Annotated[Array, Rule("n k", finite=False)],
    r: Count = 1,
    name: str = "score",
) -> Score:
    """Mean of a score over the r concepts that each sample uses most.

    Parameters
    ----------
    activations : (n_samples, n_concepts)
        V of test samples; absolute values are used.
    scores : (n_samples, n_concepts)
        The score of each concept's words with each sample; NaN for a concept without words.
    r
        Number of concepts: 1 in the paper's tables, 3 in its figures.
    name
        Name of the score.

    Returns
    -------
    Score
        One value per sample, in the unit of ``scores``; NaN for a sample that uses no concept, or whose top concepts
        have no words.

    Raises
    ------
    MethodError
        Shapes that do not fit, or r out of range.

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
    active = np.take_along_axis(V, top, 1) > 0
    values = np.where(active, np.take_along_axis(scores, top, 1), np.nan)
    count = (~np.isnan(values)).sum(1)
    return Score(np.where(count > 0, np.nansum(values, 1) / np.maximum(count, 1), np.nan), name)


@checked
def top_words_clip_score(
    activations: Annotated[Array, Rule("n k")],
    words: Annotated[Sequence[Sequence[str]], Rule("k")],
    images: Annotated[Array, Rule("n d", finite=False)],
    texts: Embedder,
    *,
    r: Count = 1,
    n_words: Count = 10,
) -> Score:
    """CLIPScore of test images with the words of the concepts that they use most.

    Parameters
    ----------
    activations : (n_samples, n_concepts)
        V of test samples, for example ``cd.encode(test.layer(-1))``.
    words
        The words of each concept, best first; the first ``n_words`` count.
    images : (n_samples, d)
        Unit embeddings of the test images.
    texts
        From texts to unit embeddings (n, d).
    r
        Number of concepts per sample.
    n_words
        Number of words per concept.

    Returns
    -------
    Score
        One value per sample, 0 to 2.5, no unit; NaN as for :func:`of_top_concepts`.

    References
    ----------
    Parekh et al. 2024, Tables 1, 3 and 9.

    Examples
    --------
    >>> top_words_clip_score(np.eye(2), [["a"], ["b"]], np.eye(2), lambda texts: np.eye(2)).values.tolist()
    [2.5, 2.5]
    """
    scores = np.full((len(images), len(words)), np.nan)
    concepts = [k for k, row in enumerate(words) if len(row)]
    if concepts:
        text_embeddings = embeddings(texts, [word_list(list(words[k])[:n_words]) for k in concepts], images.shape[1])
        scores[:, concepts] = clip_score(images @ text_embeddings.T)
    return of_top_concepts(activations, scores, r, "test_clip_score")


@checked
def constant_clip_score(token: str, images: Annotated[Array, Rule("n d", finite=False)], texts: Embedder) -> Score:
    """CLIPScore of images with the token alone, as a list of one word: a control that every concept's words have to beat.

    Parameters
    ----------
    token
        The token under study.
    images : (n_samples, d)
        Unit embeddings of the images.
    texts
        From texts to unit embeddings (n, d).

    Returns
    -------
    Score
        One value per sample, 0 to 2.5, no unit.

    Examples
    --------
    >>> constant_clip_score("dog", np.eye(2), lambda texts: np.eye(1, 2)).values.tolist()
    [2.5, 0.0]
    """
    embedding = embeddings(texts, [word_list([token])], images.shape[1])[0]
    name = f"clip_score of {CONSTANT_WORD.name}"
    return Score(clip_score(images @ embedding), name, CONSTANT_WORD.preserves)


@checked
def caption_clip_score(
    captions: Annotated[Sequence[Sequence[str]], Rule("n")],
    images: Annotated[Array, Rule("n d", finite=False)],
    texts: Embedder,
) -> Score:
    """CLIPScore of images with their own captions, the mean over the captions of an image: the upper reference.

    Parameters
    ----------
    captions
        The captions of each sample.
    images : (n_samples, d)
        Unit embeddings of the images.
    texts
        From texts to unit embeddings (n, d).

    Returns
    -------
    Score
        One value per sample, 0 to 2.5, no unit; NaN for a sample without captions.

    References
    ----------
    Parekh et al. 2024, Table 1 ("GT-captions").

    Examples
    --------
    >>> caption_clip_score([["a"], ["b"]], np.eye(2), lambda texts: np.eye(2)).mean
    2.5
    """
    rows = [i for i, group in enumerate(captions) for _ in group]
    text_embeddings = embeddings(texts, [caption for group in captions for caption in group], images.shape[1])
    scores = clip_score(np.einsum("ij,ij->i", images[rows], text_embeddings))
    counts = np.bincount(rows, minlength=len(captions))
    means = np.bincount(rows, scores, len(captions)) / np.maximum(1, counts)
    return Score(np.where([len(group) > 0 for group in captions], means, np.nan), "caption_clip_score")


@checked
def top_words_bert_score(
    activations: Annotated[Array, Rule("n k")],
    words: Annotated[Sequence[Sequence[str]], Rule("k")],
    references: Annotated[Sequence[Sequence[str]], Rule("n")],
    embed: TokenEmbedder,
    *,
    n_words: Count = 10,
) -> Score:
    """BERTScore of test captions with the words of the concept that each sample uses most; its best caption counts.

    The paper first lets a language model write scene descriptions from the words; here the words themselves are scored.

    Parameters
    ----------
    activations : (n_samples, n_concepts)
        V of test samples; absolute values are used.
    words
        The words of each concept, best first; the first ``n_words`` count.
    references
        The captions of each sample.
    embed
        A text encoder, as for :func:`nbtoolkit.metrics.bert_score`.
    n_words
        Number of words per concept.

    Returns
    -------
    Score
        F1 per sample, at most 1, no unit; NaN for a sample without activations, words or captions.

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
        candidates = [word_list(list(words[top[i]])[:n_words]) for i in rows]
        values[rows] = bert_score(candidates, [references[i] for i in rows], embed).values
    return Score(values, "bert_score")


@checked
def captions_bert_score(references: Sequence[Sequence[str]], embed: TokenEmbedder) -> Score:
    """BERTScore of each sample's first caption with the best of its other captions: the upper reference.

    Parameters
    ----------
    references
        The captions of each sample.
    embed
        A text encoder, as for :func:`nbtoolkit.metrics.bert_score`.

    Returns
    -------
    Score
        F1 per sample, at most 1, no unit; NaN for a sample with fewer than two captions.

    Examples
    --------
    >>> one_hot = lambda texts: [(np.eye(3)[[ord(c) - 97 for c in t]], np.ones(len(t))) for t in texts]
    >>> captions_bert_score([["a", "b", "a"], ["c"]], one_hot).values.tolist()
    [1.0, nan]
    """
    first = [group[0] if group else "" for group in references]
    return bert_score(first, [list(group[1:]) for group in references], embed)
