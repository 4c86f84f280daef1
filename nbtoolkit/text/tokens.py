"""Words in token ids: the id sequences that spell a word, and where they occur in a response."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Sequence
from typing import Any

from ..errors import TokenError
from .words import left_boundary, right_boundary


def subtoken_variants(tokenizer: Any, token: str | Sequence[str]) -> tuple[tuple[int, ...], ...]:
    """Id sequences that spell the token: after a space, after a quote and at the start; as given, lower case, capitalised.

    A piece that is only white space is cut off the front (Llama tokenizers split " dog" into "▁", "dog"); what
    remains is never empty, has no unknown id, and decodes to the token.

    Parameters
    ----------
    tokenizer
        A tokenizer of Hugging Face.
    token
        A word, or several spellings.

    Raises
    ------
    TokenError
        The tokenizer can spell none of them.
    """
    sequences: list[tuple[int, ...]] = []
    words = (token,) if isinstance(token, str) else tuple(token)
    quote = tokenize_response(tokenizer, "'")
    for word in dict.fromkeys(form for w in words for form in (w, w.lower(), w.capitalize())):
        quoted = tokenize_response(tokenizer, "'" + word)
        after_quote = quoted[len(quote) :] if quoted[: len(quote)] == quote else []
        for ids in (tokenize_response(tokenizer, " " + word), tokenize_response(tokenizer, word), after_quote):
            reads = _letters(tokenizer.decode(ids)) == _letters(word)
            if ids and reads and tuple(ids) not in sequences and tokenizer.unk_token_id not in ids:
                sequences.append(tuple(ids))
    if not sequences:
        raise TokenError(
            f"The model's tokenizer cannot spell {words[0]!r} (every piece is unknown to it); choose a word of its language."
        )
    return tuple(sequences)


def _letters(text: str) -> str:
    """A text without case, accents and spaces: what every tokenizer preserves of a word."""
    plain = unicodedata.normalize("NFKD", text.casefold())
    return "".join(c for c in plain if not unicodedata.combining(c) and not c.isspace())


def tokenize_response(tokenizer: Any, text: str) -> list[int]:
    """Ids of a text as a model would generate it: no special tokens, and no white-space piece at the front.

    Parameters
    ----------
    tokenizer
        A tokenizer of Hugging Face.
    text
        The text.
    """
    ids = list(tokenizer(text, add_special_tokens=False)["input_ids"])
    while ids and not tokenizer.decode(ids[:1]).strip():
        ids = ids[1:]
    return ids


def find_tokens(
    ids: Sequence[int], variants: Sequence[Sequence[int]], decode: Callable[[Sequence[int]], str]
) -> list[int]:
    """Indices of the last sub-token of each whole-word occurrence of the token, in order.

    Parameters
    ----------
    ids
        Ids of the response, without the prompt.
    variants
        Sequences of :func:`subtoken_variants`.
    decode
        From ids to text; used to check that no letter or digit touches the word on either side.
    """
    positions = []
    for start in range(len(ids)):
        for variant in variants:
            stop = start + len(variant)
            if tuple(ids[start:stop]) == tuple(variant) and _is_whole(ids, start, stop, decode):
                positions.append(stop - 1)
                break
    return positions


def find_token(
    ids: Sequence[int], variants: Sequence[Sequence[int]], decode: Callable[[Sequence[int]], str]
) -> int | None:
    """First of :func:`find_tokens`; ``None`` where the token does not occur.

    Parameters
    ----------
    ids, variants, decode
        As for :func:`find_tokens`.
    """
    return next(iter(find_tokens(ids, variants, decode)), None)


def _is_whole(ids: Sequence[int], start: int, stop: int, decode: Callable[[Sequence[int]], str]) -> bool:
    before, upto, after = decode(ids[:start]), decode(ids[:stop]), decode(ids[: stop + 1])
    word = upto[len(before) :] if upto.startswith(before) else upto
    left = before[-1:] if word == word.lstrip() else " "
    right = after[len(upto) : len(upto) + 1] if after.startswith(upto) else " "
    word = word.strip()
    return not (re.match(r"\w", left) and left_boundary(word)) and not (re.match(r"\w", right) and right_boundary(word))
