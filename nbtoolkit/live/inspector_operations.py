"""Operations of an Inspector: functions of (session, **json) that return plain data, with buffers where there are arrays."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Any

from .inspector_instruments import INSTRUMENTS
from .inspector_payload import message

Reply = dict[str, Any] | tuple[dict[str, Any], list[bytes]]
Operation = Callable[..., Reply]
OPERATIONS: dict[str, Operation] = {}


def operation(function: Operation) -> Operation:
    """Register a function of (session, **json) under its name.

    Parameters
    ----------
    function
        Returns plain data, and buffers.
    """
    OPERATIONS[function.__name__] = function
    return function


@operation
def ask(session: Any, *, question: str) -> Reply:
    """Ask another question about the image; the session has its response from now on.

    Parameters
    ----------
    session
        The :class:`nbtoolkit.live.inspector_session.InspectorSession`.
    question
        The question; empty for the model's own.

    Returns
    -------
    dict
        ``key`` of the target: the same word where the new response has it.
    """
    return {"key": session.ask(question)}


@operation
def measure(
    session: Any,
    *,
    name: str,
    target: str,
    side: str = "a",
    foil: str = "",
    of: str = "",
    edits: Sequence[dict[str, Any]] = (),
    progress: Callable[[int, int], None] | None = None,
    cancel: threading.Event | None = None,
) -> Reply:
    """Measure a word with an instrument; a repeat is answered at once.

    Parameters
    ----------
    session
        The session.
    name
        The instrument.
    target, foil
        Key of the word, and the word that it is compared with.
    side
        ``"a"``, ``"b"``, or ``"edited"``: a under the edits.
    of
        Further subject: ``"layer:concept"``, a layer, or the name of a map.
    edits
        The edits, for ``"edited"``.
    progress, cancel
        Called with (done, total), in passes; and the event that stops the measurement.

    Returns
    -------
    dict, list of bytes
        Of :func:`nbtoolkit.live.inspector_payload.message`.
    """
    case = session.case(target, foil, side=side, of=of, edits=edits)
    result = session.result(name, case, progress, cancel)
    instrument, m = INSTRUMENTS[name], result.measurement
    head = {
        "name": name,
        "title": instrument.title,
        "unit": m.unit,
        "check": str(m.check),
        "null": "" if m.null_kind is None else str(m.null_kind),
        "note": m.note,
        "seconds": result.seconds,
    }
    with session.exclusive():
        return message(head, instrument.arrays(case, m), instrument.facts(m))
