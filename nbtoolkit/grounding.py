"""Grounding of concepts: words by unembedding, exemplars by activation."""

from __future__ import annotations

import functools
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from .errors import NbtoolkitError
from .naming import choose_naming
from .text.stop_words import STOP_WORDS
from .text.tokens import read_piece
from .text.words import any_length, in_vocabulary, is_word, normalize, only_stop_words, unspaced
from .types import ConceptDictionary, Grounding, Naming
from .types.arguments import checked

if TYPE_CHECKING:
    from .models import Model

N_LOOKED_AT = 200  # tokens: in a vocabulary of 150,000, code, fragments and other languages fill the first places
CHUNK = 64  # directions
N_NEGATIVE = 10  # words of the most negative logits
N_LOWEST = 2000  # tokens that are looked at for them: most are rare fragments
Tokens = tuple[list[int], list[float]]  # ids and logits of one direction


@dataclass(frozen=True)
class WordFilter:
    """Rule that decides which of a concept's top tokens count as its words.

    Attributes
    ----------
    name
        Name of the rule, stored with the results.
    n_tokens
        Number of top tokens to look at; ``None``: 200, or ``n_words`` where that is more.
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
            and not only_stop_words(word, self.stop_words)
            and (begins_word or not self.whole_words or unspaced(word))
            and (self.vocabulary is None or in_vocabulary(word, self.vocabulary))
        )


FILTERS = {
    "default": WordFilter("default"),
    "paper": WordFilter("paper", n_tokens=15, whole_words=False),
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


@checked
def ground(
    cd: ConceptDictionary,
    model: Model,
    *,
    n_words: int = 15,
    n_exemplars: int = 5,
    filter: str | WordFilter = "default",
    vocabulary: Collection[str] | None = None,
    naming: str | Naming | None = None,
    norm: bool | None = None,
    centred: bool | None = None,
) -> Grounding:
    """Ground every concept in words and images.

    Parameters
    ----------
    cd
        A dictionary of :func:`nbtoolkit.decompose`.
    model
        The model that the states came from; its unembedding matrix is used.
    n_words
        Largest number of words per concept: the first of its top tokens that pass the filter.
    n_exemplars
        Number of most activating samples per concept.
    filter
        ``"default"`` (whole words of at least three letters, no stop words, among 200 tokens), ``"paper"`` (fragments too,
        among 15 tokens), ``"xl-vlms"`` (the authors' code: among 50 tokens), ``"none"``, or a :class:`WordFilter`.
    vocabulary
        Only words of this collection count, for example those of the data's captions.
    naming
        ``"auto"`` (the default: measured on the model, see :func:`nbtoolkit.naming.measure_naming`), ``"paper"`` (the
        concept itself is unembedded), ``"norm"`` (after the final norm), ``"centred"`` (less the mean of the dictionary's
        concepts: the words that distinguish a concept from the others) or ``"norm-centred"``.
    norm, centred
        The same as two switches, in place of ``naming``.

    Returns
    -------
    Grounding
        ``words`` best first, ``exemplars`` strongest first (by absolute activation; samples with activation 0 are
        excluded), ``tokens`` the first ``n_words`` of the unfiltered list (50 for ``"xl-vlms"``), ``naming`` the rule.
        ``negative``: ten words.

    Raises
    ------
    NbtoolkitError
        Unknown filter or naming, ``naming`` beside a switch, or a model of another width.
    MethodError
        The dictionary has no decoder: its concepts are no directions of the model's stream.

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
    D = cd.require_decoder("the words of a concept")
    if D.shape[1] != model.d_model:
        raise NbtoolkitError(
            f"The concepts have width {D.shape[1]}, the model {model.d_model}; ground with the model that the states came from."
        )
    choice = choose_naming(_from_switches(naming, norm, centred), model)
    concepts = D - D.mean(0) if choice.centred else D
    read = functools.cache(model.tokenizer.decode)  # concepts share tokens
    own = functools.cache(lambda i: accepted(model.tokenizer, [i], rule))

    def listed(ids: list[int], values: list[float], n: int) -> dict[str, float]:
        """The first words that pass, each with the logit of its first token."""
        first: dict[str, float] = {}
        for word, value in ((word, value) for i, value in zip(ids, values, strict=True) for word in own(i)):
            if len(first) == n:
                break
            first.setdefault(word, value)
        return first

    tokens, words, least = [], [], []
    n = rule.n_tokens or max(N_LOOKED_AT, n_words)
    ends = extreme_tokens(model, concepts, n, N_LOWEST, norm=choice.norm)
    for used, (largest, smallest) in zip(np.linalg.norm(D, axis=1) > 0, ends, strict=True):
        tokens.append([read((i,)) for i in largest[0][: rule.n_tokens or n_words]])
        words.append(listed(*largest, n_words) if used else {})
        least.append(listed(*smallest, N_NEGATIVE) if used else {})
    return Grounding(
        [list(row) for row in words],
        exemplars(cd, n_exemplars),
        tokens,
        rule.name,
        choice,
        [list(row.values()) for row in words],
        [list(row) for row in least],
        [list(row.values()) for row in least],
    )


def _from_switches(naming: str | Naming | None, norm: bool | None, centred: bool | None) -> str | Naming:
    """The rule of two switches; "auto" where nothing is given."""
    if norm is None and centred is None:
        return naming or "auto"
    if naming is not None:
        raise NbtoolkitError(
            f"naming is {naming!r} beside norm={norm} and centred={centred}; expected one or the other."
        )
    return {(False, False): "paper", (False, True): "centred", (True, False): "norm", (True, True): "norm-centred"}[
        bool(norm), bool(centred)
    ]


def top_tokens(model: Model, directions: np.ndarray, n: int, *, norm: bool) -> list[list[int]]:
    """Ids of the tokens of largest logit per direction, best first.

    Parameters
    ----------
    model, directions, n, norm
        As for :func:`extreme_tokens`.
    """
    return [ids for (ids, _), _ in extreme_tokens(model, directions, n, 1, norm=norm)]


def extreme_tokens(
    model: Model, directions: np.ndarray, n: int, n_low: int, *, norm: bool
) -> Iterator[tuple[Tokens, Tokens]]:
    """Tokens of largest and of smallest logit of one direction after the other; those of 64 are in memory at a time.

    Parameters
    ----------
    model
        Its unembedding matrix gives the logits.
    directions : (n_directions, d_model)
        Directions of the residual stream.
    n, n_low
        Number of tokens of largest and of smallest logit; all where the vocabulary has fewer.
    norm
        Whether the final norm is applied first.

    Yields
    ------
    largest, smallest
        Ids, the most extreme first, and their logits, rounded to four digits.
    """
    for start in range(0, len(directions), CHUNK):
        logits = model.unembed(directions[start : start + CHUNK], norm=norm)
        ends = []
        for key, size in ((-logits, n), (logits, n_low)):
            first = np.argpartition(key, min(size, key.shape[1]) - 1, axis=1)[:, :size]
            first.sort(axis=1)  # equal logits in the order of their ids
            order = np.argsort(np.take_along_axis(key, first, 1), axis=1, kind="stable")
            ids = np.take_along_axis(first, order, 1)
            values = np.take_along_axis(logits, ids, 1).astype(float).round(4)
            ends.append(zip(ids.tolist(), values.tolist(), strict=True))
        yield from zip(*ends, strict=True)


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
