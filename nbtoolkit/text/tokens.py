"""Words in token ids: the id sequences that spell a word, and where they occur in a response."""

from __future__ import annotations

import functools
import unicodedata
from bisect import bisect_left
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from ..errors import TokenError
from ..strict_json import encodable
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
        if encodable(word) != word:
            continue  # no tokenizer takes a lone surrogate
        quoted = tokenize_response(tokenizer, "'" + word)
        after_quote = quoted[len(quote) :] if quoted[: len(quote)] == quote else []
        for ids in (tokenize_response(tokenizer, " " + word), tokenize_response(tokenizer, word), after_quote):
            reads = letters(tokenizer.decode(ids)) == letters(word)
            if ids and reads and tuple(ids) not in sequences and tokenizer.unk_token_id not in ids:
                sequences.append(tuple(ids))
    if not sequences:
        raise TokenError(
            f"The model's tokenizer cannot spell {words[0]!r} (every piece is unknown to it); choose a word of its language."
        )
    return tuple(sequences)


def letters(text: str) -> str:
    """A text without case, accents and spaces: what every tokenizer preserves of a word.

    Parameters
    ----------
    text
        The text.

    Examples
    --------
    >>> letters(" Café")
    'cafe'
    """
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


@dataclass(frozen=True)
class Span:
    """Pieces of one occurrence of a word in a response.

    Attributes
    ----------
    first, last
        Indices of its first and its last piece. A piece of spaces in front belongs to it, as the space of " dog" does.
    lead
        Text of the first piece before the word: a space, a hyphen, or nothing.
    word
        The word, as it is spelled there.
    """

    first: int
    last: int
    lead: str
    word: str


def find_spans(
    ids: Sequence[int], variants: Sequence[Sequence[int]], decode: Callable[[Sequence[int]], str]
) -> list[Span]:
    """Pieces of each whole-word occurrence of the token, in order; of two that end in one piece, the first.

    The word is searched in the text, so that it is found in any piece: in capitals, as "-man", in a piece of several
    Chinese words.

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
    spans: dict[int, Span] = {}
    for match in _pattern(tuple(map(tuple, variants)), decode).finditer(text):
        last = _covering(ids, text[: match.end()], decode)
        if last not in spans:
            spans[last] = _span(ids, text, match, last, decode)
    return list(spans.values())


def _span(ids: list[int], text: str, match: Any, last: int, decode: Callable[[Sequence[int]], str]) -> Span:
    """Span of a match whose last piece is known."""
    before = text[: match.start()].rstrip()
    first = _covering(ids, before, decode) + 1 if before else 0
    while first < last and (piece := decode([ids[first]])).isspace():
        if not piece.strip(" ") and not decode([ids[first + 1]]).isspace():
            break  # the one piece of spaces before the word
        first += 1
    first = min(first, _covering(ids, text[: match.start() + 1], decode))
    start = len(normalize(decode(ids[:first]))) if first else 0
    return Span(first, last, text[start : match.start()], match.group())


def find_tokens(
    ids: Sequence[int], variants: Sequence[Sequence[int]], decode: Callable[[Sequence[int]], str]
) -> list[int]:
    """Indices of the last sub-token of each whole-word occurrence of the token, in order.

    A piece that contains the word twice has its index once.

    Parameters
    ----------
    ids, variants, decode
        As for :func:`find_spans`.
    """
    ids = list(ids)
    text = normalize(decode(ids)) if ids else ""
    matches = _pattern(tuple(map(tuple, variants)), decode).finditer(text)
    return list(dict.fromkeys(_covering(ids, text[: match.end()], decode) for match in matches))


def spell_in_place(tokenizer: Any, word: str, span: Span) -> tuple[int, ...]:
    """Ids of another word in the place of an occurrence: after the same lead, and in the same case.

    Parameters
    ----------
    tokenizer
        A tokenizer of Hugging Face.
    word
        The other word.
    span
        The occurrence that it stands for.

    Raises
    ------
    TokenError
        The tokenizer cannot spell it.
    """
    own = span.word
    cased = word.upper() if own.isupper() and len(own) > 1 else word.capitalize() if own[:1].isupper() else word
    carrier = "a" if span.lead else "'" if span.first else ""
    before = tokenize_response(tokenizer, carrier) if carrier else []
    ids = tokenize_response(tokenizer, carrier + span.lead + cased)
    rest = tuple(ids[len(before) :])
    reads = bool(rest) and ids[: len(before)] == before and letters(tokenizer.decode(rest)).endswith(letters(cased))
    if not reads or tokenizer.unk_token_id in rest:
        raise TokenError(f"The model's tokenizer cannot spell {word!r}; choose a word of its language.")
    return rest


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
