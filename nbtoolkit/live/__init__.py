"""A model behind the views: ``explore`` for a study, ``inspect`` for one word, and the sessions that answer what a page asks.

Both need no torch by themselves; :class:`Session` is imported where a model is given.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .explorer import explore
from .inspector import inspect

if TYPE_CHECKING:
    from .session import Session
    from .session import Session as Live

__all__ = ["Live", "Session", "explore", "inspect"]


def __getattr__(name: str) -> Any:
    if name in ("Session", "Live"):  # Live is the former name
        from .operations import Session  # needs torch

        return Session
    raise AttributeError(f"module 'nbtoolkit.live' has no attribute {name!r}; it has {', '.join(__all__)}")
