"""Words in text: whole-word matches in any script, spellings of a token, vocabularies."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence

from ..errors import TokenError
from .stop_words import STOP_WORDS

_NO_SPACES = r"[\u2e80-\u9fff\uac00-\ud7af\u0e00-\u0e7f]"  # scripts that write words without spaces between them


def spellings(token: str, variants: str | Sequence[str] = ()) -> tuple[str, ...]:
    """Words that count as the token: the token, and its variants.

    Parameters
    ----------
    token
        The word or words.
    variants
        ``"plural"`` for the regular English plural, or further words.

    Raises
    ------
    TokenError
        One of the words is empty or no text, or ``variants`` is another text.

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
    invalid = [w for w in words if not (isinstance(w, str) and w.strip())]
    if invalid:
        raise TokenError(f"The token is {invalid[0]!r}; expected a word, such as 'dog'.")
    return tuple(dict.fromkeys(w.strip() for w in words))


def locate(token: str | Sequence[str], text: str) -> re.Match[str] | None:
    """First whole-word match of the token (or of several spellings) in a text, ignoring case.

    Scripts without spaces, such as Chinese, have no word boundaries: there, any occurrence counts.

    Parameters
    ----------
    token
        A word, or several.
    text
        The text to search.
    """
    words = (token,) if isinstance(token, str) else token
    return re.search("|".join(f"{left_boundary(w)}{re.escape(w)}{right_boundary(w)}" for w in words), text, re.I)


def left_boundary(word: str) -> str:
    """Regular expression for the left end of a word; empty where its script has no word boundaries.

    Parameters
    ----------
    word
        The word.
    """
    return "" if re.match(_NO_SPACES, word) else r"(?<!\w)"


def right_boundary(word: str) -> str:
    """Regular expression for the right end of a word; empty where its script has no word boundaries.

    Parameters
    ----------
    word
        The word.
    """
    return "" if re.search(_NO_SPACES + "$", word) else r"(?!\w)"


def contains(token: str | Sequence[str], text: str) -> bool:
    """Whether a text contains the token as a whole word, ignoring case.

    Parameters
    ----------
    token
        A word, or several spellings.
    text
        The text to search.

    Examples
    --------
    >>> contains("car", "A red Car."), contains("car", "a carrot"), contains("dog", "a hotdog")
    (True, False, False)
    """
    return locate(token, text) is not None


def frequent_words(captions: Iterable[Iterable[str]], n: int = 12) -> list[str]:
    """The words that the captions of most samples contain, without stop words.

    Parameters
    ----------
    captions
        The captions of each sample.
    n
        Number of words.
    """
    counts: Counter[str] = Counter()
    for group in captions:
        counts.update({w for text in group for w in re.findall(r"[^\W\d_]{3,}", text.lower())} - STOP_WORDS)
    return [w for w, _ in counts.most_common(n)]


def vocabulary(captions: Iterable[Iterable[str]]) -> frozenset[str]:
    """The lower-case words that the captions use.

    Parameters
    ----------
    captions
        The captions of each sample.
    """
    return frozenset(w for group in captions for text in group for w in re.findall(r"[^\W\d_]+", text.lower()))


def split_at_token(caption: str, words: Sequence[str]) -> tuple[tuple[str, ...], int]:
    """Split a caption into the text before the token, the token, and the text after it; the token's index is 1.

    Parameters
    ----------
    caption
        The text.
    words
        Spellings of the token.
    """
    match = locate(words, caption)
    start, stop = match.span() if match else (0, 0)
    return (caption[:start], caption[start:stop], caption[stop:]), 1
