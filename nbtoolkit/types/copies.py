"""Copies of results: copied, deep-copied or unpickled, a result is as checked and as read-only as it was."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from types import MappingProxyType
from typing import Any


class CopiedByFields:
    """Base of frozen dataclasses that check their fields or make them read-only.

    ``copy.copy``, ``copy.deepcopy`` and ``pickle`` make such an object from the fields of another as its constructor does,
    so an array of a copy is read-only, and what was computed from the fields is computed again.
    """

    def __reduce__(self) -> tuple[Any, ...]:
        """Class and fields, which a copy is made from."""
        own = vars(self)
        values = {f.name: own[f.name] for f in fields(self) if f.init}  # type: ignore[arg-type]  # only dataclasses inherit from it
        return _made, (type(self), {name: _plain(value) for name, value in values.items()})


def _plain(value: Any) -> Any:
    return dict(value) if isinstance(value, MappingProxyType) else value  # a view of a dict has no copy


def _made(kind: type, values: Mapping[str, Any]) -> Any:
    return kind(**values)
