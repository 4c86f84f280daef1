"""Arguments that come from a page: names and types are those of the function's signature."""

from __future__ import annotations

import functools
import inspect
import sys
import types
import typing
from collections.abc import Callable, Collection, Mapping, Sequence
from numbers import Integral, Real
from typing import Any

from ..errors import NbtoolkitError

MAX_TEXT = 1000  # characters
MAX_ENTRIES = 64  # of a list in one request: rows, samples, layers
EXPECTED = {
    str: "a text",
    int: "an integer",
    float: "a finite number",
    bool: "true or false",
    bytes: "the bytes of a JPEG or PNG",
}


def checked(
    name: str,
    function: Callable[..., Any],
    arguments: Any,
    reserved: Collection[str] = (),
    max_entries: int | None = None,
) -> dict[str, Any]:
    """Validate the arguments of a function against its signature.

    Parameters
    ----------
    name
        What the function is called in messages.
    function
        The function. Annotations may be ``str``, ``int``, ``float``, ``bool``, ``bytes``, ``None``, ``Any``, a mapping,
        a list or sequence of these, and unions. A function of ``**anything`` validates its arguments itself.
    arguments
        Names and values.
    reserved
        Parameters that the caller fills.
    max_entries
        Largest number of entries of a list; any where None.

    Returns
    -------
    dict
        The same.

    Raises
    ------
    NbtoolkitError
        An unknown, missing or wrongly typed argument.

    Examples
    --------
    >>> def strip(rows: list[int], size: int = 112): ...
    >>> checked("strip", strip, {"rows": [0, 1]})
    {'rows': [0, 1]}
    >>> checked("strip", strip, {"rows": [0, 1.5]})
    Traceback (most recent call last):
    nbtoolkit.errors.NbtoolkitError: An entry of rows is a float; expected an integer.
    """
    if not isinstance(arguments, Mapping):
        raise NbtoolkitError(f"args of {name} is {_type(arguments)}; expected names and values.")
    parameters = {k: p for k, p in inspect.signature(function).parameters.items() if k not in reserved}
    if any(p.kind is p.VAR_KEYWORD for p in parameters.values()):
        return dict(arguments)
    for argument in arguments:
        if argument not in parameters:
            raise NbtoolkitError(f"{name} has no argument {_short(argument)}; expected {_listed(parameters)}.")
    missing = [k for k, p in parameters.items() if p.default is p.empty and k not in arguments]
    if missing:
        raise NbtoolkitError(f"{name} was given no {_listed(missing)}; expected {_listed(parameters)}.")
    hints = _hints(inspect.unwrap(getattr(function, "__func__", function)))
    for argument, value in arguments.items():
        if max_entries is not None and isinstance(value, list | tuple) and len(value) > max_entries:
            raise NbtoolkitError(f"{argument} has {len(value)} entries; expected at most {max_entries}.")
        _check(argument, value, hints.get(argument, Any))
    return dict(arguments)


def rows(name: str, values: Sequence[int], n: int) -> list[int]:
    """Validate row numbers; a negative one counts from no end.

    Parameters
    ----------
    name
        What a row is called in messages.
    values
        The rows, at most 64.
    n
        Number of rows that there are.

    Returns
    -------
    list of int
        The same.

    Raises
    ------
    NbtoolkitError
        Too many of them, or there is no such row.
    """
    if len(values) > MAX_ENTRIES:
        raise NbtoolkitError(f"{name}s has {len(values)} entries; expected at most {MAX_ENTRIES}.")
    for value in values:
        if not 0 <= value < n:
            raise NbtoolkitError(f"{name} is {value}; expected 0 … {n - 1}.")
    return list(values)


@functools.lru_cache(256)
def _hints(function: Callable[..., Any]) -> dict[str, Any]:
    """Annotations as types: a flood of requests resolves them once."""
    return typing.get_type_hints(function)


def _check(name: str, value: Any, kind: Any) -> None:
    if typing.get_origin(kind) in (typing.Union, types.UnionType):
        choices = [part for part in typing.get_args(kind) if part is not type(None)]
        if value is None and len(choices) < len(typing.get_args(kind)):
            return
        kind = next((part for part in choices if _fits(value, part)), choices[0])
    if not _fits(value, kind):
        raise NbtoolkitError(f"{name} is {_type(value)}; expected {_expected(kind)}.")
    if isinstance(value, str) and len(value) > MAX_TEXT:
        raise NbtoolkitError(f"{name} has {len(value)} characters; expected at most {MAX_TEXT}.")
    if _is_list(kind):
        for entry in value:
            _check(f"An entry of {name}", entry, typing.get_args(kind)[0])


def _fits(value: Any, kind: Any) -> bool:
    """Whether a value is of a kind; entries of a list are not looked at."""
    if kind is Any:
        return True
    if kind is int:
        return isinstance(value, Integral) and not isinstance(value, bool)
    if kind is float:
        number: Any = value
        return isinstance(value, Real) and not isinstance(value, bool) and bool(abs(number) <= sys.float_info.max)
    if _is_list(kind):
        return isinstance(value, list | tuple)
    return isinstance(value, typing.get_origin(kind) or kind)


def _is_list(kind: Any) -> bool:
    return typing.get_origin(kind) in (list, tuple, Sequence)


def _expected(kind: Any) -> str:
    return "a list" if _is_list(kind) else EXPECTED.get(kind, "names and values")


def _listed(names: Collection[str]) -> str:
    return ", ".join(names) or "none"


def _type(value: Any) -> str:
    name = type(value).__name__
    return f"{'an' if name[0] in 'aeiou' else 'a'} {name}"


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:80]}…"
