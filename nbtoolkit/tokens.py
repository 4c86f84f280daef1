"""Find a word: in captions (whole words), and as sub-token sequences in generated ids."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Any


def locate(token: str, text: str) -> re.Match[str] | None:
    """Find the token as a whole word of a text, whatever its capitals."""
    return re.search(rf"(?<!\w){re.escape(token)}(?!\w)", text, re.IGNORECASE)


def contains(token: str, text: str) -> bool:
    """Tell whether a text contains the token as a whole word, whatever its capitals.

    Examples
    --------
    >>> contains("car", "A red Car."), contains("car", "a carrot"), contains("dog", "a hotdog")
    (True, False, False)
    """
    return locate(token, text) is not None


def frequent_words(captions: Iterable[Iterable[str]], n: int = 12) -> list[str]:
    """Give the words that most samples' captions contain, stop words left out."""
    from .stopwords import STOP_WORDS

    counts: Counter[str] = Counter()
    for group in captions:
        counts.update({w for text in group for w in re.findall(r"[^\W\d_]{3,}", text.lower())} - STOP_WORDS)
    return [w for w, _ in counts.most_common(n)]


def subtoken_variants(tokenizer: Any, token: str) -> tuple[tuple[int, ...], ...]:
    """Give the id sequences that spell the token: with and without a leading space, as given, lower case, capitalised.

    A piece that is only white space is cut off the front (Llama tokenizers split " dog" into "▁", "dog"); what
    remains is never empty.
    """
    sequences = []
    for word in dict.fromkeys((token, token.lower(), token.capitalize())):
        for text in (" " + word, word):
            ids = list(tokenizer(text, add_special_tokens=False)["input_ids"])
            while ids and not tokenizer.decode(ids[:1]).strip():
                ids = ids[1:]
            if ids and tuple(ids) not in sequences:
                sequences.append(tuple(ids))
    return tuple(sequences)


def find_token(
    ids: Sequence[int], variants: Sequence[Sequence[int]], decode: Callable[[Sequence[int]], str]
) -> int | None:
    """Index of the last sub-token of the token's first whole-word occurrence in ``ids``.

    Parameters
    ----------
    ids
        Generated ids only, never the prompt's.
    variants
        Sequences of :func:`subtoken_variants`.
    decode
        From ids to text; used to make sure that no letter or digit touches the word on either side.

    Returns
    -------
    int or None
        ``None`` where the token does not occur.
    """
    for start in range(len(ids)):
        for variant in variants:
            stop = start + len(variant)
            if tuple(ids[start:stop]) == tuple(variant) and _is_whole(ids, start, stop, decode):
                return stop - 1
    return None


def _is_whole(ids: Sequence[int], start: int, stop: int, decode: Callable[[Sequence[int]], str]) -> bool:
    before, upto, after = decode(ids[:start]), decode(ids[:stop]), decode(ids[: stop + 1])
    word = upto[len(before) :] if upto.startswith(before) else upto
    left = before[-1:] if word == word.lstrip() else " "
    right = after[len(upto) : len(upto) + 1] if after.startswith(upto) else " "
    return not re.match(r"\w", left) and not re.match(r"\w", right)
