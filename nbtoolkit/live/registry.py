"""Registry of the operations of a live session."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any

from ..errors import NbtoolkitError
from ..widgets import arguments

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


def run(session: Any, name: str, question: Mapping[str, Any], **control: Any) -> Any:
    """Run an operation of a session.

    Parameters
    ----------
    session
        The session, with its ``operations``.
    name
        Name of the operation.
    question
        Its arguments, as JSON.
    **control
        ``progress`` and ``cancel``, for operations that take them.

    Raises
    ------
    NbtoolkitError
        There is no such operation, or it refuses the arguments.
    """
    if name not in session.operations:
        raise NbtoolkitError(f"There is no operation {name!r}; expected one of {', '.join(session.operations)}.")
    function = session.operations[name]
    question = arguments.checked(name, function, question, ("session", *control))
    accepted = inspect.signature(function).parameters
    return function(session, **question, **{k: v for k, v in control.items() if k in accepted})
