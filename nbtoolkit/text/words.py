"""Words in text: whole-word matches in any script, spellings of a token, vocabularies.

Texts are compared in Unicode's composed form (NFC) and without case. Combining marks are letters, as in Hindi.
"""

from __future__ import annotations

import functools
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence

import regex

from ..errors import TokenError
from .stop_words import STOP_WORDS

WORD = r"\p{L}[\p{L}\p{M}\u200c\u200d]*"  # letters and the marks and joiners between them
_LETTER = r"[\p{L}\p{M}\p{N}_\u200c\u200d]"  # what may not touch a whole word
_NO_SPACES = "".join(
    rf"\p{{scx={script}}}"  # scripts that write words without spaces between them
    for script in ("Han", "Hira", "Kana", "Bopo", "Thai", "Laoo", "Khmr", "Mymr", "Tibt", "Yiii", "Tale", "Lana")
)
_WORD = regex.compile(WORD)
_SELECTORS = r"\ufe00-\ufe0f\U000e0100-\U000e01ef"  # marks that choose a glyph, and make no other character
_UNSPACED = regex.compile(rf"(?=[\p{{L}}\p{{M}}\p{{N}}])[{_NO_SPACES}]")
_SYLLABLES = regex.compile(rf"(?=[\p{{L}}\p{{M}}\p{{N}}])[{_NO_SPACES}\p{{Hangul}}]")
_PARTICLE = regex.compile("[的了是在我你他她它也都就不没和与]")  # 地图 (map) has none, though 地 and 图 are stop words
_OPEN_END = regex.compile(_SYLLABLES.pattern + r"\p{M}*$")  # Korean particles follow a word without a space
_CLAUSE = regex.compile(rf"(?:(?=[\p{{L}}\p{{M}}])[{_NO_SPACES}])+")


def normalize(text: str) -> str:
    """A text in Unicode's composed form (NFC), in which é is one character.

    Parameters
    ----------
    text
        The text.
    """
    return unicodedata.normalize("NFC", text)


def unspaced(word: str) -> bool:
    """Whether a word begins with a letter of a script without spaces between words: Han, kana, Thai, Lao, Khmer, …

    Parameters
    ----------
    word
        The word.

    Examples
    --------
    >>> unspaced("小狗"), unspaced("หมา"), unspaced("개"), unspaced("dog")
    (True, True, False, False)
    """
    return _UNSPACED.match(word) is not None


def only_stop_words(word: str, stop_words: frozenset[str]) -> bool:
    """Whether a word is a stop word, or a Chinese piece of stop words and a particle, such as 我的.

    Parameters
    ----------
    word
        The word, lower case.
    stop_words
        The stop words.

    Examples
    --------
    >>> only_stop_words("我的", STOP_WORDS), only_stop_words("地图", STOP_WORDS)
    (True, False)
    """
    if word in stop_words or not _PARTICLE.search(word):
        return word in stop_words
    ends = {0}  # of sequences of stop words that begin the word
    for end in range(1, len(word) + 1):
        ends |= {end} if any(word[start:end] in stop_words for start in ends) else set()
    return len(word) in ends


def any_length(word: str) -> bool:
    """Whether a word of one or two characters is as good as a longer one: in Korean and in scripts without spaces.

    Parameters
    ----------
    word
        The word.
    """
    return _SYLLABLES.match(word) is not None


def is_word(text: str) -> bool:
    """Whether a text is one word: letters and combining marks only.

    Parameters
    ----------
    text
        The text, in composed form (NFC).

    Examples
    --------
    >>> is_word("कुत्ता"), is_word("d0g"), is_word("a dog")
    (True, False, False)
    """
    return _WORD.fullmatch(text) is not None


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
        stem = token[:-1] + "ie" if regex.search(r"[^aeiou]y$", token, regex.I) else token
        variants = (stem + ("es" if regex.search(r"(s|x|z|ch|sh)$", token, regex.I) else "s"),)
    words = (token, *variants)
    invalid = [w for w in words if not (isinstance(w, str) and w.strip())]
    if invalid:
        raise TokenError(f"The token is {invalid[0]!r}; expected a word, such as 'dog'.")
    return tuple(dict.fromkeys(normalize(w.strip()) for w in words))


def locate(token: str | Sequence[str], text: str) -> regex.Match[str] | None:
    """First whole-word match of the token (or of several spellings) in a text, ignoring case.

    Scripts without spaces, such as Chinese, have no word boundaries: there, any occurrence counts. Korean words begin
    at a boundary, and particles may follow them.

    Parameters
    ----------
    token
        A word, or several. White space in it stands for any white space.
    text
        The text to search.

    Returns
    -------
    regex.Match or None
        Its spans are those of the text in composed form (NFC), which is its ``string``.
    """
    return word_pattern((token,) if isinstance(token, str) else tuple(token)).search(normalize(text))


@functools.lru_cache(maxsize=256)
def word_pattern(words: tuple[str, ...]) -> regex.Pattern[str]:
    """Pattern of a whole word, for texts in composed form (NFC).

    Parameters
    ----------
    words
        The word's spellings; the first that matches counts.
    """
    bodies = []
    for word in map(normalize, words):
        body = r"\s+".join(regex.escape(part, special_only=True) for part in word.split())
        bodies.append(left_boundary(word) + body + right_boundary(word))
    return regex.compile("|".join(bodies), regex.IGNORECASE | regex.FULLCASE)


def left_boundary(word: str) -> str:
    """Regular expression for the left end of a word; empty where its script has no word boundaries.

    Parameters
    ----------
    word
        The word.
    """
    return "" if unspaced(word) else f"(?<!{_LETTER})"


def right_boundary(word: str) -> str:
    """Regular expression for the right end of a word; no mark may follow where its script has no word boundaries.

    Parameters
    ----------
    word
        The word.
    """
    return rf"(?!(?![{_SELECTORS}])\p{{M}})" if _OPEN_END.search(word) else f"(?!{_LETTER})"


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
        words: set[str] = set()
        for text in map(normalize, group):
            for word in _WORD.findall(text.lower()):
                words |= _parts(word) if unspaced(word) else {word} if len(word) >= 3 else set()
        counts.update(words - STOP_WORDS)
    result: list[str] = []
    for word, _ in sorted(counts.items(), key=lambda item: (-item[1], -len(item[0]) * unspaced(item[0]))):
        if len(result) < n and not (unspaced(word) and any(word in w or w in word for w in result)):
            result.append(word)
    return result


def _parts(clause: str) -> set[str]:
    """All runs of two to four characters of a clause whose words have no spaces between them."""
    return {clause[i : i + n] for n in (2, 3, 4) for i in range(len(clause) - n + 1)} or {clause}


def vocabulary(captions: Iterable[Iterable[str]]) -> frozenset[str]:
    """The lower-case words that the captions use; in scripts without spaces, the clauses (see :func:`in_vocabulary`).

    Parameters
    ----------
    captions
        The captions of each sample.
    """
    return frozenset(w for group in captions for text in group for w in _WORD.findall(normalize(text).lower()))


def in_vocabulary(word: str, words: frozenset[str]) -> bool:
    """Whether a vocabulary has a word; in scripts without spaces, whether one of its clauses contains the word.

    Parameters
    ----------
    word
        The word, lower case.
    words
        The vocabulary.

    Examples
    --------
    >>> in_vocabulary("小狗", vocabulary([["一只小狗在草地上"]])), in_vocabulary("do", vocabulary([["a dog"]]))
    (True, False)
    """
    return word in words or (unspaced(word) and word in _clauses(words))


@functools.lru_cache(maxsize=4)
def _clauses(words: frozenset[str]) -> str:
    """The parts of a vocabulary in scripts without spaces, one per line."""
    return "\n".join(sorted({clause for word in words for clause in _CLAUSE.findall(word)}))


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
    caption = match.string if match else caption
    return (caption[:start], caption[start:stop], caption[stop:]), 1
