"""Names of concepts that tell those of one layer apart."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator, Sequence


def concept_names(words: Sequence[Sequence[str]], token: str = "") -> list[str]:
    """A name per concept, no two alike: the word that is most its own, with a second one where several have that word.

    A word at place r of a concept's words weighs 1 / r (the token of interest is left out); the name is the word of largest
    weight × log((1 + n) / W), where W is its total weight over the n concepts. Among concepts that have the same word, a
    second one is chosen in the same way, and then the number of the concept. Without words, the number is the name.

    Parameters
    ----------
    words
        Words per concept, best first.
    token
        The token of interest, which names no concept unless it is the only word.

    Returns
    -------
    list of str
        As many as concepts.

    Examples
    --------
    >>> concept_names([["car", "snow"], ["car", "beach"], ["car"], ["dog", "car"], []], "dog")
    ['snow', 'beach', 'car 2', 'car 3', 'concept 4']
    """
    own = [list(dict.fromkeys(w for w in row if w != token.lower())) or list(row[:1]) for row in words]
    rarity = _rarity(own)
    groups: defaultdict[str, list[int]] = defaultdict(list)
    for k, row in enumerate(own):
        groups[min(_places(row, rarity))[-1] if row else ""].append(k)
    names = {members[0]: word for word, members in groups.items() if word and len(members) == 1}
    unique, pairs = set(names.values()), set()
    for first, members in groups.items():
        if members[0] in names:
            continue
        others = [[w for w in own[k] if w != first] for k in members]
        rarity = _rarity(others)
        for k, row in zip(members, others, strict=True):
            ranked = (word for *_, word in sorted(_places(row, rarity)))
            second = next((w for w in ranked if frozenset((first, w)) not in pairs), "")
            pairs.add(frozenset((first, second)))
            names[k] = f"{first} · {second}" if second else f"{first or 'concept'} {k}"
            while names[k] in unique:
                names[k] += f" {k}"
            unique.add(names[k])
    return [names[k] for k in range(len(own))]


def _rarity(rows: Sequence[Sequence[str]]) -> dict[str, float]:
    """How much a word is of few rows, by word."""
    total: defaultdict[str, float] = defaultdict(float)
    for row in rows:
        for place, word in enumerate(row, 1):
            total[word] += 1 / place
    return {word: math.log((1 + len(rows)) / weight) for word, weight in total.items()}


def _places(row: Sequence[str], rarity: dict[str, float]) -> Iterator[tuple[float, int, str]]:
    """Each word of a row after what sorts them: those first that are the row's own."""
    return ((-rarity[word] / place, place, word) for place, word in enumerate(row, 1))
