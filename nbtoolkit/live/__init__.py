"""A model behind the views of a study: ``explore``, and the session that answers what its page asks.

``explore`` needs no torch by itself; :class:`Session` is imported where a model is given.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .explorer import explore

if TYPE_CHECKING:
    from .session import Session
    from .session import Session as Live

__all__ = ["Live", "Session", "explore"]


def __getattr__(name: str) -> Any:
    if name in ("Session", "Live"):  # Live is the former name
        from .operations import Session  # needs torch

        return Session
    raise AttributeError(f"module 'nbtoolkit.live' has no attribute {name!r}; it has {', '.join(__all__)}")
