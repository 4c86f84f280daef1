"""Words in token ids: the id sequences that spell a word, and where they occur in a response."""

from __future__ import annotations

import functools
import unicodedata
from bisect import bisect_left
from collections.abc import Callable, Sequence
from typing import Any

from ..errors import TokenError
from .words import normalize, word_pattern

_WINDOW = 8  # pieces: a character of four bytes, and the one after it


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
    words = tuple(map(normalize, (token,) if isinstance(token, str) else token))
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


def read_piece(tokenizer: Any, token_id: int) -> tuple[str, bool]:
    """Text of a token id as it continues a text, and whether it begins a word: whether it decodes with a space in front.

    So tokenizers of any kind are read alike: the piece is decoded after itself.

    Parameters
    ----------
    tokenizer
        A tokenizer of Hugging Face.
    token_id
        The id.
    """
    alone, twice = tokenizer.decode([token_id]), tokenizer.decode([token_id, token_id])
    text = twice[len(alone) :] if twice.startswith(alone) else alone
    return text, text[:1].isspace()


def find_tokens(
    ids: Sequence[int], variants: Sequence[Sequence[int]], decode: Callable[[Sequence[int]], str]
) -> list[int]:
    """Indices of the last sub-token of each whole-word occurrence of the token, in order.

    The word is searched in the text, so that it is found in any piece: in capitals, as "-man", in a piece of several
    Chinese words. A piece that contains the word twice has its index once.

    Parameters
    ----------
    ids
        Ids of the response, without the prompt.
    variants
        Sequences of :func:`subtoken_variants`.
    decode
        From ids to text.
    """
    ids = list(ids)
    text = normalize(decode(ids)) if ids else ""
    matches = _pattern(tuple(map(tuple, variants)), decode).finditer(text)
    return list(dict.fromkeys(_covering(ids, text[: match.end()], decode) for match in matches))


@functools.lru_cache(maxsize=8)
def _pattern(variants: tuple[tuple[int, ...], ...], decode: Callable[[Sequence[int]], str]) -> Any:
    """Pattern of the words that the variants spell."""
    words = dict.fromkeys(normalize(decode(list(ids))).strip() for ids in variants)
    return word_pattern(tuple(word for word in words if word))


def _covering(ids: list[int], text: str, decode: Callable[[Sequence[int]], str]) -> int:
    """Index of the piece that completes a text, with which the decoded ids begin."""

    def covers(index: int) -> bool:
        return normalize(decode(ids[: index + 1])).startswith(text)

    last = bisect_left(range(len(ids)), True, key=covers)
    return next(i for i in range(max(0, last - _WINDOW), last + 1) if covers(i))  # bytes of a next character hide it


def may_complete(token_id: int, variants: Sequence[Sequence[int]], decode: Callable[[Sequence[int]], str]) -> bool:
    """Whether a piece may complete the token: it has its last letter, or a part of a character.

    Parameters
    ----------
    token_id
        The id of the piece.
    variants, decode
        As for :func:`find_tokens`.
    """
    piece = _decomposed(decode([token_id]))
    return "\ufffd" in piece or any(_decomposed(decode(list(ids)).strip())[-1:] in piece for ids in variants)


def _decomposed(text: str) -> str:
    return unicodedata.normalize("NFD", text.casefold())


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
