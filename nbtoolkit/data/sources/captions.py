"""Captions and ids as files write them: texts, records with a text, lists of these; whole numbers as ids."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...errors import DataError

KEYS = ("raw", "caption", "text", "sentence", "value")  # of a record, in the order of preference


def caption_texts(value: Any, place: str) -> list[str]:
    """Texts of an image's captions.

    Parameters
    ----------
    value
        A text; a record with a text, such as Karpathy's ``{"raw": "a dog", "tokens": ["a", "dog"]}``; a list of these; or a
        record of lists, as ``datasets`` stores a list of records. None and empty texts of a list are left out.
    place
        Where the captions are, for the message.

    Raises
    ------
    DataError
        Something else, such as a number or a label.

    Examples
    --------
    >>> caption_texts([{"raw": "a dog", "sentid": 3}, "one dog"], "row 0")
    ['a dog', 'one dog']
    """
    if isinstance(value, str):
        return [value]
    if value is None:
        return []
    if isinstance(value, Mapping):
        text = _text_of(value, place)
        return [text] if isinstance(text, str) else [] if text is None else _list(text, place)
    return _list(value, place)


def identifier(value: Any, place: str) -> str | None:
    """Id of an image as text; None where there is none.

    Parameters
    ----------
    value
        A text, a whole number or None.
    place
        Where the id is, for the message.

    Raises
    ------
    DataError
        Something else, or an empty text.
    """
    if value is None or (isinstance(value, str) and value):
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    raise DataError(f"{place} has the id {_shown(value)}; expected a text or a whole number.")


def _list(value: Any, place: str) -> list[str]:
    if not isinstance(value, list | tuple):
        raise _no_text(value, place)
    texts = []
    for one in value:
        text = one if one is None or isinstance(one, str) or not isinstance(one, Mapping) else _text_of(one, place)
        if text is not None and not isinstance(text, str):
            raise _no_text(text, place)
        if text:
            texts.append(text)
    return texts


def _text_of(record: Mapping[str, Any], place: str) -> Any:
    key = next((key for key in KEYS if key in record), None)
    if key is None:
        raise DataError(
            f"{place} has a caption with the keys {sorted(map(str, record))}; expected a text, or a record with a text under one of "
            f"{', '.join(map(repr, KEYS))}."
        )
    return record[key]


def _no_text(value: Any, place: str) -> DataError:
    return DataError(
        f"{place} has the caption {_shown(value)}; expected a text. Name the column of the captions (captions='…'), or write "
        "labels and numbers as words."
    )


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:60] + "…"
