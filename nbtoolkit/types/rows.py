"""Rows of representations and dictionaries: each is a sample and an occurrence of the token in its response."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Sequence

from ..errors import NbtoolkitError


def count_occurrences(ids: Sequence[Hashable]) -> tuple[int, ...]:
    """Number of each row among the rows of its sample, counted from 0.

    Parameters
    ----------
    ids
        Sample ids, one per row.

    Examples
    --------
    >>> count_occurrences(["a", "b", "a"])
    (0, 0, 1)
    """
    count: Counter[Hashable] = Counter()
    occurrences = []
    for i in ids:
        occurrences.append(count[i])
        count[i] += 1
    return tuple(occurrences)


def checked_occurrences(what: str, ids: Sequence[str], occurrences: Sequence[int]) -> tuple[int, ...]:
    """Occurrences of rows, counted where none are given; refused where two rows would have one key.

    Parameters
    ----------
    what
        Name of the object, for the message.
    ids
        Sample ids, one per row.
    occurrences
        As many numbers, or none.

    Raises
    ------
    NbtoolkitError
        Another number of them, or two rows of one sample and occurrence.
    """
    if not len(occurrences):
        return count_occurrences(ids)
    values = tuple(int(i) for i in occurrences)
    if len(values) != len(ids):
        raise NbtoolkitError(
            f"{what}.occurrences has {len(values)} entries; expected {len(ids)}, one per row, or none."
        )
    key, repeats = Counter(zip(ids, values, strict=True)).most_common(1)[0]
    if repeats > 1:
        raise NbtoolkitError(
            f"{what} has {repeats} rows of sample {key[0]!r} and occurrence {key[1]}; expected one row per sample and "
            "occurrence. Leave occurrences out, and they are counted."
        )
    return values


def common_samples(ids: Sequence[Hashable], others: Sequence[Hashable]) -> tuple[list[int], list[int]]:
    """Rows that two lists of ids have in common: in the first list, and in the second.

    The first row of an id is paired with the first row of it in the other list, the second with the second.

    Parameters
    ----------
    ids, others
        Sample ids, or row keys (sample id, occurrence).

    Examples
    --------
    >>> common_samples(["a", "a", "b"], ["c", "a", "a"])
    ([0, 1], [1, 2])
    """
    keys, other_keys = (list(zip(x, count_occurrences(x), strict=True)) for x in (ids, others))
    position = {key: k for k, key in enumerate(other_keys)}
    rows = [k for k, key in enumerate(keys) if key in position]
    return rows, [position[keys[k]] for k in rows]
