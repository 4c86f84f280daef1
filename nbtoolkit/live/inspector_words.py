"""Words of a response: what a reader can ask for, each with the pieces that spell it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import regex

from ..text.stop_words import STOP_WORDS
from ..text.tokens import Span
from ..text.words import any_length, normalize, only_stop_words, unspaced

SHORTEST = 3  # letters of a word that is chosen
_WORDS = regex.compile(r"[\p{L}\p{N}][\p{L}\p{M}\p{N}_\u200c\u200d]*(?:['’][\p{L}\p{M}]+)?")


@dataclass(frozen=True)
class Word:
    """One word of a response.

    Attributes
    ----------
    key
        By which it is asked for: the word, ``"word#2"`` for its second occurrence.
    span
        Its pieces.
    """

    key: str
    span: Span

    @property
    def text(self) -> str:
        """The word, as it is spelled in the response."""
        return self.span.word


def words_of(tokenizer: Any, ids: Sequence[int]) -> tuple[Word, ...]:
    """Words of a response, in order; of two that end in one piece, the first.

    In scripts without spaces between words, every piece is a word.

    Parameters
    ----------
    tokenizer
        A tokenizer of Hugging Face.
    ids
        Ids of the response.

    Examples
    --------
    >>> import nbtoolkit as nbt
    >>> tokenizer = nbt.load_model("toy").tokenizer
    >>> [word.key for word in words_of(tokenizer, tokenizer("a dog and a cat", add_special_tokens=False)["input_ids"])]
    ['a', 'dog', 'and', 'a#2', 'cat']
    """
    ids = list(ids)
    ends = _ends(tokenizer, ids)
    text = ends[-1] if ends else ""
    spans: dict[int, Span] = {}
    for start, stop in _places(text, ends):
        last = _covering(ends, stop)
        if last in spans:
            continue
        before = len(text[:start].rstrip())  # pieces of spaces in front belong to the word
        first = min(_covering(ends, before) + 1 if before else 0, _covering(ends, start + 1))
        lead = text[len(ends[first - 1]) if first else 0 : start]
        spans[last] = Span(first, last, lead, text[start:stop])
    counts: Counter[str] = Counter()
    words = []
    for span in spans.values():
        counts[span.word.casefold()] += 1  # as nbt.target counts occurrences
        n = counts[span.word.casefold()]
        words.append(Word(span.word if n == 1 else f"{span.word}#{n}", span))
    return tuple(words)


def most_changed(words: Sequence[Word], before: Sequence[float], after: Sequence[float]) -> str:
    """Key of the word whose log-probability falls most; no stop word where there is another.

    Parameters
    ----------
    words
        The words.
    before, after
        Log-probability of every piece of the response, in nats.
    """
    content = [word for word in words if _says_something(word.text.casefold())]

    def fall(word: Word) -> float:
        return sum(before[i] - after[i] for i in range(word.span.first, word.span.last + 1))

    return max(content or words, key=fall).key


def _says_something(word: str) -> bool:
    """Whether a word is no stop word, and no short one where words are spelled."""
    return not only_stop_words(word, STOP_WORDS) and (len(word) >= SHORTEST or any_length(word))


def _ends(tokenizer: Any, ids: list[int]) -> list[str]:
    """The text up to each piece; a character whose bytes are not complete is left to the piece that completes it."""
    ends: list[str] = []
    for i in range(len(ids)):
        text = normalize(tokenizer.decode(ids[: i + 1], skip_special_tokens=True)).rstrip("\ufffd")
        before = ends[-1] if ends else ""
        ends.append(text if text.startswith(before) else before)
    return ends


def _places(text: str, ends: Sequence[str]) -> list[tuple[int, int]]:
    """Start and end of each word."""
    borders = sorted({len(end) for end in ends})
    places = []
    for match in _WORDS.finditer(text):
        start, stop = match.span()
        cuts = [b for b in borders if start < b < stop] if unspaced(match.group()) else []
        edges = [start, *cuts, stop]
        places += list(pairwise(edges))
    return places


def _covering(ends: Sequence[str], stop: int) -> int:
    """Index of the piece that completes as many characters."""
    low, high = 0, len(ends) - 1
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if len(ends[middle]) >= stop else (middle + 1, high)
    return low
