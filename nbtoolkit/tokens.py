"""Find a word: in captions (whole words), and as sub-token sequences in generated ids."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from .errors import TokenError

_NO_SPACES = r"[\u2e80-\u9fff\uac00-\ud7af\u0e00-\u0e7f]"  # scripts that write words without spaces between them


def spellings(token: str, variants: str | Sequence[str] = ()) -> tuple[str, ...]:
    """Give the words that count as the token: itself, and what ``variants`` adds.

    Parameters
    ----------
    token
        The word or words.
    variants
        ``"plural"`` for the regular English plural, or further words.

    Examples
    --------
    >>> spellings("bus", "plural"), spellings("baby", "plural"), spellings("dog", ["puppy"])
    (('bus', 'buses'), ('baby', 'babies'), ('dog', 'puppy'))
    """
    if isinstance(variants, str):
        if variants != "plural":
            raise TokenError(
                f"variants is {variants!r}; expected 'plural' or a list of words that count as {token!r} too."
            )
        token = token if isinstance(token, str) else ""
        stem = token[:-1] + "ie" if re.search(r"[^aeiou]y$", token, re.I) else token
        variants = (stem + ("es" if re.search(r"(s|x|z|ch|sh)$", token, re.I) else "s"),)
    words = (token, *variants)
    if not all(isinstance(w, str) and w.strip() for w in words):
        wrong = next(w for w in words if not (isinstance(w, str) and w.strip()))
        raise TokenError(f"The token is {wrong!r}; expected a word, such as 'dog'.")
    return tuple(dict.fromkeys(w.strip() for w in words))


def locate(token: str | Sequence[str], text: str) -> re.Match[str] | None:
    """Find the token (or the first of several spellings) as a whole word of a text, whatever its capitals.

    Scripts without spaces, such as Chinese, have no word boundaries to look for: there, any occurrence counts.
    """
    words = (token,) if isinstance(token, str) else token
    return re.search("|".join(f"{_left(w)}{re.escape(w)}{_right(w)}" for w in words), text, re.IGNORECASE)


def _left(word: str) -> str:
    return "" if re.match(_NO_SPACES, word) else r"(?<!\w)"


def _right(word: str) -> str:
    return "" if re.search(_NO_SPACES + "$", word) else r"(?!\w)"


def contains(token: str | Sequence[str], text: str) -> bool:
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


def subtoken_variants(tokenizer: Any, token: str | Sequence[str]) -> tuple[tuple[int, ...], ...]:
    """Give the id sequences that spell the token: after a space, after a mark and at the front; as given, lower case, capitalised.

    A piece that is only white space is cut off the front (Llama tokenizers split " dog" into "▁", "dog"); what
    remains is never empty, has no unknown id, and reads as the token again.

    Raises
    ------
    TokenError
        The tokenizer can spell none of it.
    """
    sequences: list[tuple[int, ...]] = []
    given = (token,) if isinstance(token, str) else tuple(token)
    quote = encode_answer(tokenizer, "'")
    for word in dict.fromkeys(form for w in given for form in (w, w.lower(), w.capitalize())):
        quoted = encode_answer(tokenizer, "'" + word)
        after_mark = quoted[len(quote) :] if quoted[: len(quote)] == quote else []
        for ids in (encode_answer(tokenizer, " " + word), encode_answer(tokenizer, word), after_mark):
            reads = _letters(tokenizer.decode(ids)) == _letters(word)
            if ids and reads and tuple(ids) not in sequences and tokenizer.unk_token_id not in ids:
                sequences.append(tuple(ids))
    if not sequences:
        raise TokenError(
            f"The model's tokenizer cannot spell {given[0]!r} (every piece is unknown to it); choose a word of its language."
        )
    return tuple(sequences)


def _letters(text: str) -> str:
    """A text without case, accents and spaces: what every tokenizer gives back of a word."""
    plain = unicodedata.normalize("NFKD", text.casefold())
    return "".join(c for c in plain if not unicodedata.combining(c) and not c.isspace())


def encode_answer(tokenizer: Any, text: str) -> list[int]:
    """Ids of a text as a model would generate it: no special tokens, and no white-space piece at the front."""
    ids = list(tokenizer(text, add_special_tokens=False)["input_ids"])
    while ids and not tokenizer.decode(ids[:1]).strip():
        ids = ids[1:]
    return ids


def find_tokens(
    ids: Sequence[int], variants: Sequence[Sequence[int]], decode: Callable[[Sequence[int]], str]
) -> list[int]:
    """Indices of the last sub-token of each whole-word occurrence of the token in ``ids``, first to last.

    Parameters
    ----------
    ids
        Generated ids only, never the prompt's.
    variants
        Sequences of :func:`subtoken_variants`.
    decode
        From ids to text; used to make sure that no letter or digit touches the word on either side.
    """
    found = []
    for start in range(len(ids)):
        for variant in variants:
            stop = start + len(variant)
            if tuple(ids[start:stop]) == tuple(variant) and _is_whole(ids, start, stop, decode):
                found.append(stop - 1)
                break
    return found


def find_token(
    ids: Sequence[int], variants: Sequence[Sequence[int]], decode: Callable[[Sequence[int]], str]
) -> int | None:
    """First of :func:`find_tokens`; ``None`` where the token does not occur."""
    return next(iter(find_tokens(ids, variants, decode)), None)


def _is_whole(ids: Sequence[int], start: int, stop: int, decode: Callable[[Sequence[int]], str]) -> bool:
    before, upto, after = decode(ids[:start]), decode(ids[:stop]), decode(ids[: stop + 1])
    word = upto[len(before) :] if upto.startswith(before) else upto
    left = before[-1:] if word == word.lstrip() else " "
    right = after[len(upto) : len(upto) + 1] if after.startswith(upto) else " "
    word = word.strip()
    return not (re.match(r"\w", left) and _left(word)) and not (re.match(r"\w", right) and _right(word))
