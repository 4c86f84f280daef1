"""Registry of the operations of a live session."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Operation = Callable[..., dict[str, Any]]
OPERATIONS: dict[str, Operation] = {}


def operation(function: Operation) -> Operation:
    """Register a function of (session, **json) under its name.

    Parameters
    ----------
    function
        Returns a dict of plain data; large arrays as bytes.
    """
    OPERATIONS[function.__name__] = function
    return function
