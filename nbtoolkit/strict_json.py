"""JSON in both directions as RFC 8259 has it: no NaN, no repeated keys, bounded depth and size; any flaw is one error with its place."""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from .errors import DataError, NbtoolkitError, first_line
from .files import regular_file

DEPTH = 64  # lists and objects inside each other
BYTES = 1 << 30
MARK = "\N{REPLACEMENT CHARACTER}"
_SURROGATES = re.compile("[\ud800-\udfff]")
_INVISIBLE = re.compile("[\ud800-\udfff\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")
_ESCAPED_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")


def parse_json(
    text: str | bytes, place: str, error: type[NbtoolkitError] = DataError, *, allow_nan: bool = False
) -> Any:
    """Value of a JSON text.

    Parameters
    ----------
    text
        The text, or its bytes in UTF-8, with or without a byte-order mark.
    place
        What the text is, for the message: ``"'captions.jsonl', line 3,"``.
    error
        Class of the error.
    allow_nan
        Whether ``NaN`` and ``Infinity`` are read, which Python writes and JSON does not have.

    Returns
    -------
    Any
        The value; a lone surrogate, which no file can hold, is the replacement character.

    Raises
    ------
    NbtoolkitError
        Of the given class: the text is no UTF-8, no JSON, deeper than 64 levels, repeats a key of an object, or has a
        number beyond float64.

    Examples
    --------
    >>> parse_json('{"a": [1, 2]}', "The example")
    {'a': [1, 2]}
    >>> parse_json('{"a": 1, "a": 2}', "The example")
    Traceback (most recent call last):
    nbtoolkit.errors.DataError: The example is not valid JSON (the key 'a' appears twice in one object). ...
    """
    try:
        decoded = text.decode("utf-8-sig") if isinstance(text, bytes) else text.removeprefix("\ufeff")
        value = json.loads(
            decoded,
            object_pairs_hook=_object,
            parse_constant=float if allow_nan else _no_constant,
            parse_float=_number,
        )
        if _deeper_than(value, DEPTH):
            raise ValueError(f"lists and objects are nested deeper than {DEPTH} levels")
    except (ValueError, RecursionError) as flaw:  # UnicodeDecodeError and JSONDecodeError are ValueErrors
        raise error(f"{place} is not valid JSON ({first_line(flaw)}). Write it again.") from flaw
    return encodable(value) if _ESCAPED_SURROGATE.search(decoded) or _SURROGATES.search(decoded) else value


def read_json(
    path: Path,
    error: type[NbtoolkitError] = DataError,
    *,
    inside: Path | None = None,
    allow_nan: bool = False,
    limit: int = BYTES,
) -> Any:
    """Value of a JSON file.

    Parameters
    ----------
    path
        The file.
    error
        Class of the error.
    inside
        As for :func:`nbtoolkit.files.regular_file`.
    allow_nan
        As for :func:`parse_json`.
    limit
        Largest size, in bytes.

    Raises
    ------
    NbtoolkitError
        Of the given class: there is no such regular file, it is larger, cannot be read, or is not valid JSON.
    """
    size = regular_file(path, error, inside=inside).stat().st_size
    if size > limit:
        raise error(f"{str(path)!r} has {size:,} bytes; expected at most {limit:,} of JSON.")
    try:
        content = path.read_bytes()
    except OSError as flaw:
        raise error(f"{str(path)!r} cannot be read ({flaw.strerror or flaw}).") from flaw
    return parse_json(content, repr(str(path)), error, allow_nan=allow_nan)


def dump_json(value: Any, *, indent: int | None = None) -> str:
    """JSON text of a value; NaN and infinity become ``null``, as in JavaScript, and lone surrogates replacement characters.

    Parameters
    ----------
    value
        Mappings, lists, tuples, texts, numbers, booleans and None.
    indent
        Spaces per level; everything on one line where None.

    Examples
    --------
    >>> dump_json({"error": float("nan")})
    '{"error": null}'
    """
    return json.dumps(as_json(value), indent=indent, ensure_ascii=False, allow_nan=False)


def as_json(value: Any) -> Any:
    """Value that JSON can hold: NaN and infinity become None, lone surrogates replacement characters.

    Parameters
    ----------
    value
        As for :func:`dump_json`.

    Examples
    --------
    >>> as_json([float("inf"), 1.0])
    [None, 1.0]
    """
    return encodable(_finite(value))


def with_checksum(value: Mapping[str, Any]) -> dict[str, Any]:
    """An object with its own checksum, the entry ``check``.

    Parameters
    ----------
    value
        The object, with or without a checksum.

    Examples
    --------
    >>> row = with_checksum({"shard": 1})
    >>> row == with_checksum(row), row == with_checksum(row | {"shard": 0})
    (True, False)
    """
    content = {k: v for k, v in value.items() if k != "check"}
    digest = hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
    return {**content, "check": digest}


def encodable(value: Any) -> Any:
    """Texts that UTF-8 can hold: lone surrogates become the replacement character, in lists and mappings too.

    Parameters
    ----------
    value
        A text, or a list, tuple or mapping that holds texts; anything else is given back.

    Examples
    --------
    >>> ascii(encodable("dog \\ud800"))
    "'dog \\\\ufffd'"
    """
    if isinstance(value, str):
        return value if value.isascii() else _SURROGATES.sub(MARK, value)
    if isinstance(value, Mapping):
        return {encodable(k): encodable(v) for k, v in value.items()}
    if isinstance(value, list | tuple) and not set(map(type, value)) <= {float, int, bool}:
        items = [encodable(v) for v in value]
        return tuple(items) if isinstance(value, tuple) else items
    return value


def visible(text: str) -> str:
    """Text to show: lone surrogates and control characters, except tabs and line breaks, become the replacement character.

    Parameters
    ----------
    text
        The text.

    Examples
    --------
    >>> ascii(visible("a bell\\a"))
    "'a bell\\\\ufffd'"
    """
    return text if text.isprintable() else _INVISIBLE.sub(MARK, text)


def _finite(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {k: _finite(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        if set(map(type, value)) == {float} and math.isfinite(sum(map(abs, value))):
            return value  # a fast path for thousands of numbers
        return [_finite(v) for v in value]
    return value


def _object(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for k, key in enumerate(keys) if key in keys[:k])
        raise ValueError(f"the key {twice!r} appears twice in one object")
    return value


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is no number of JSON")


def _number(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"{text[:40]} is beyond the range of float64")
    return value


def _deeper_than(value: Any, depth: int) -> bool:
    level = [value]
    for _ in range(depth + 1):
        level = [
            child
            for node in level
            if isinstance(node, dict | list)
            for child in (node.values() if isinstance(node, dict) else node)
            if isinstance(child, dict | list)
        ]
        if not level:
            return False
    return True
