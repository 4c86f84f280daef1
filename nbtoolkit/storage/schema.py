"""Rules for JSON that others may have written: types, ranges, lengths; a flaw names its place, such as ``scores.5.values``."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from typing import Any

from ..errors import StudyError

Rule = Callable[[Any, str], Any]  # (value, place) -> value, or a StudyError
LARGEST = 2**31 - 1


def refuse(place: str, value: Any, expected: str) -> StudyError:
    """Error for a value of another kind.

    Parameters
    ----------
    place
        Where it is.
    value
        The value.
    expected
        The rule, in words.
    """
    text = repr(value)
    return StudyError(f"{place} is {text if len(text) < 80 else text[:77] + '…'}; expected {expected}.")


def text(value: Any, place: str) -> str:
    """Text.

    Parameters
    ----------
    value, place
        The value, and where it is.
    """
    if not isinstance(value, str):
        raise refuse(place, value, "a text")
    return value


def number(value: Any, place: str) -> float:
    """Number, or null, which stands for NaN.

    Parameters
    ----------
    value, place
        The value, and where it is.
    """
    if value is None:
        return float("nan")
    if isinstance(value, bool) or not isinstance(value, int | float) or (abs(value) > 1e308 and isinstance(value, int)):
        raise refuse(place, value, "a number or null")
    return value


def anything(value: Any, place: str) -> Any:
    """Any value of JSON.

    Parameters
    ----------
    value, place
        The value, and where it is.
    """
    return value


def numbers(value: Any, place: str) -> tuple[float, ...]:
    """List of numbers, given as a tuple; null stands for NaN.

    Parameters
    ----------
    value, place
        The value, and where it is.
    """
    if isinstance(value, list) and set(map(type, value)) <= {float}:
        return tuple(value)  # thousands of concepts have a number each
    return tuple(list_of(number)(value, place))


def whole(low: int = 0, high: int = LARGEST) -> Rule:
    """Rule for a whole number.

    Parameters
    ----------
    low, high
        Smallest and largest value.
    """

    def check(value: Any, place: str) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            raise refuse(place, value, f"a whole number from {low} to {high}")
        return value

    return check


def matching(pattern: str, meaning: str) -> Rule:
    """Rule for a text of one form.

    Parameters
    ----------
    pattern
        Regular expression of the whole text.
    meaning
        The form in words.
    """
    compiled = re.compile(pattern)

    def check(value: Any, place: str) -> str:
        if not isinstance(value, str) or not compiled.fullmatch(value):
            raise refuse(place, value, meaning)
        return value

    return check


def one_of(choices: Collection[Any]) -> Rule:
    """Rule for one of some values.

    Parameters
    ----------
    choices
        The values.
    """

    def check(value: Any, place: str) -> Any:
        if isinstance(value, list | dict) or value not in choices:
            raise refuse(place, value, " or ".join(map(repr, choices)))
        return value

    return check


def optional(rule: Rule) -> Rule:
    """Rule that null passes too.

    Parameters
    ----------
    rule
        The rule of other values.
    """
    return lambda value, place: None if value is None else rule(value, place)


def list_of(rule: Rule) -> Rule:
    """Rule for a list, given as a tuple.

    Parameters
    ----------
    rule
        The rule of its items.
    """

    def check(value: Any, place: str) -> tuple[Any, ...]:
        if not isinstance(value, list):
            raise refuse(place, value, "a list")
        return tuple(rule(item, f"{place}[{k}]") for k, item in enumerate(value))

    return check


def map_of(rule: Rule, key: Rule = text) -> Rule:
    """Rule for an object with any keys.

    Parameters
    ----------
    rule
        The rule of its values.
    key
        The rule of its keys.
    """

    def check(value: Any, place: str) -> dict[Any, Any]:
        if not isinstance(value, dict):
            raise refuse(place, value, "an object")
        return {key(k, f"a key of {place}"): rule(item, f"{place}.{k}") for k, item in value.items()}

    return check


def fields(required: Mapping[str, Rule], others: Mapping[str, Rule] | None = None) -> Rule:
    """Rule for an object with certain keys and no others.

    Parameters
    ----------
    required
        Key to the rule of its value.
    others
        Likewise for keys that may be absent.
    """
    rules = {**required, **(others or {})}

    def check(value: Any, place: str) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise refuse(place, value, "an object")
        for name in required:
            if name not in value:
                raise StudyError(f"{place} lacks {name!r}; expected {', '.join(required)}.")
        for name in value:
            if name not in rules:
                raise StudyError(f"{place} has {name!r}; expected only {', '.join(rules)}.")
        return {name: rules[name](item, f"{place}.{name}") for name, item in value.items()}

    return check
