"""Grounding of concepts: words by unembedding, exemplars by activation."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from .errors import NbtoolkitError
from .text.stop_words import STOP_WORDS
from .text.tokens import read_piece
from .text.words import any_length, in_vocabulary, is_word, normalize, unspaced
from .types import ConceptDictionary, Grounding

if TYPE_CHECKING:
    from .models import Model


@dataclass(frozen=True)
class WordFilter:
    """Rule that decides which of a concept's top tokens count as its words.

    Attributes
    ----------
    name
        Name of the rule, stored with the results.
    n_tokens
        Number of top tokens to consider; ``None``: ``n_words`` of them (the paper).
    min_length
        Shortest word, in letters and combining marks; of any length in Korean and in scripts without spaces.
    stop_words
        Words that never count, lower case; :func:`nbtoolkit.text.stop_words.language_stop_words` gives those of a
        language.
    whole_words
        Only tokens that begin a word, so no "ing"; in scripts without spaces any token may.
    vocabulary
        If given, only these words (lower case) count: distinguishes whole words from prefixes. In scripts without
        spaces, so do the words inside them, since captions are clauses there.
    """

    name: str
    n_tokens: int | None = None
    min_length: int = 3
    stop_words: frozenset[str] = STOP_WORDS
    whole_words: bool = True
    vocabulary: frozenset[str] | None = None

    def accepts(self, text: str, *, begins_word: bool) -> bool:
        """Whether a decoded token counts as a word.

        Parameters
        ----------
        text
            The decoded token.
        begins_word
            Whether the token begins a word.
        """
        word = normalize(text.strip().lower())
        return (
            (len(word) >= self.min_length or any_length(word))
            and is_word(word)
            and word not in self.stop_words
            and (begins_word or not self.whole_words or unspaced(word))
            and (self.vocabulary is None or in_vocabulary(word, self.vocabulary))
        )


FILTERS = {
    "default": WordFilter("default"),
    "paper": WordFilter("paper", whole_words=False),
    "xl-vlms": WordFilter("xl-vlms", n_tokens=50, whole_words=False),
    "none": WordFilter("none", min_length=1, stop_words=frozenset(), whole_words=False),
}


def word_filter(filter: str | WordFilter, vocabulary: Collection[str] | None = None) -> WordFilter:
    """Word filter by name, restricted to a vocabulary.

    Parameters
    ----------
    filter
        Name of a filter, or a filter.
    vocabulary
        Words that may count; None for any.

    Raises
    ------
    NbtoolkitError
        No filter has that name; the message lists them.
    """
    if isinstance(filter, str) and filter not in FILTERS:
        raise NbtoolkitError(f"No word filter named {filter!r}. Known: {', '.join(FILTERS)}.")
    rule = FILTERS[filter] if isinstance(filter, str) else filter
    if vocabulary is not None:
        rule = replace(rule, vocabulary=frozenset(normalize(w.lower()) for w in vocabulary))
    return rule


def ground(
    cd: ConceptDictionary,
    model: Model,
    *,
    n_words: int = 15,
    n_exemplars: int = 5,
    filter: str | WordFilter = "default",
    vocabulary: Collection[str] | None = None,
    norm: bool = False,
    centred: bool = False,
) -> Grounding:
    """Ground every concept in words and images.

    Parameters
    ----------
    cd
        A dictionary of :func:`nbtoolkit.decompose`.
    model
        The model that the states came from; its unembedding matrix is used.
    n_words
        Number of top tokens of the unembedded concept to consider; those that pass the filter are its words.
    n_exemplars
        Number of most activating samples per concept.
    filter
        ``"default"`` (whole words of at least three letters, no stop words), ``"paper"`` (fragments too), ``"xl-vlms"`` (the authors' code: 50
        tokens, then the first ``n_words``), ``"none"``, or a :class:`WordFilter`.
    vocabulary
        Only words of this collection count, for example those of the data's captions.
    norm
        Apply the model's final norm to the concept first; the paper does not.
    centred
        Subtract the mean of the dictionary's concepts first: the words that distinguish a concept from the others.

    Returns
    -------
    Grounding
        ``words`` best first, ``exemplars`` strongest first (by absolute activation; samples with activation 0 are
        excluded), ``tokens`` the unfiltered list.

    Raises
    ------
    NbtoolkitError
        Unknown filter, or a model of another width.

    References
    ----------
    Parekh et al. 2024, section 3.3.

    Examples
    --------
    >>> import nbtoolkit as nbt
    >>> model = nbt.load_model("toy")
    >>> reps = nbt.extract(model, nbt.load_data("toy", n=200), "train", progress=False)
    >>> len(nbt.ground(nbt.decompose(reps, nbt.SemiNMF(3, random_state=0)), model).words)
    3
    """
    rule = word_filter(filter, vocabulary)
    if cd.concepts.shape[1] != model.d_model:
        raise NbtoolkitError(
            f"The concepts have width {cd.concepts.shape[1]}, the model {model.d_model}; ground with the model that the states came from."
        )
    concepts = cd.concepts - cd.concepts.mean(0) if centred else cd.concepts
    logits = model.unembed(concepts, norm=norm)  # (n_concepts, n_vocabulary)
    order = np.argsort(-logits, axis=1, kind="stable")[:, : rule.n_tokens or n_words]
    live = np.linalg.norm(cd.concepts, axis=1) > 0
    tokens = [[model.tokenizer.decode([i]) for i in ids] for ids in order.tolist()]
    words = [
        list(dict.fromkeys(accepted(model.tokenizer, ids, rule)))[:n_words] if live[k] else []
        for k, ids in enumerate(order.tolist())
    ]
    return Grounding(words, exemplars(cd, n_exemplars), tokens, rule.name)


def exemplars(cd: ConceptDictionary, n: int) -> list[list[str]]:
    """Ids of the samples of largest absolute activation, per concept, strongest first.

    Parameters
    ----------
    cd
        The dictionary.
    n
        Number of samples per concept; with several rows per sample, each sample counts once.
    """
    strength = np.abs(cd.activations)
    order = np.argsort(-strength, axis=0, kind="stable").T  # (n_concepts, n_samples)
    repeats = len(set(cd.sample_ids)) < len(cd.sample_ids)  # which="all": several rows per sample
    rows = order if repeats else order[:, :n]
    return [list(dict.fromkeys(cd.sample_ids[i] for i in row if strength[i, k] > 0))[:n] for k, row in enumerate(rows)]


def accepted(tokenizer: Any, ids: Sequence[int], rule: WordFilter) -> list[str]:
    """Words among token ids that pass a filter: lower case, in the order of the ids.

    Parameters
    ----------
    tokenizer
        The model's tokenizer.
    ids
        Token ids, best first.
    rule
        The filter.
    """
    pieces = [read_piece(tokenizer, i) for i in ids]
    return [normalize(text.strip().lower()) for text, begins in pieces if rule.accepts(text, begins_word=begins)]
