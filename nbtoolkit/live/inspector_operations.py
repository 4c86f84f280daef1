"""Operations of an Inspector: functions of (session, **json) that return plain data, with buffers where there are arrays."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

from ..errors import Cancelled, MethodError
from ..interventions.effects import word_difference
from ..text.words import contains
from ..widgets import inspector_edits
from .inspector_controls import control_of
from .inspector_instruments import INSTRUMENTS
from .inspector_payload import message
from .inspector_python import as_python
from .inspector_reading import before_edits, read, response

Reply = dict[str, Any] | tuple[dict[str, Any], list[bytes]]
Operation = Callable[..., Reply]
OPERATIONS: dict[str, Operation] = {}
MAX_DRAWS = 32
MIRRORED = "Read in the response of the first side, as this one lacks the word."
TAGS = {"same": "same", "gone": "removed", "new": "added"}


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
        "note": m.note if case.side is session.sides[side] else f"{MIRRORED} {m.note}".strip(),
        "seconds": result.seconds,
    }
    with session.exclusive():
        return message(head, instrument.arrays(case, m), instrument.facts(m))


@operation
def edit(session: Any, *, edits: Sequence[dict[str, Any]], target: str, foil: str = "") -> Reply:
    """The response and the word under edits, beside those without.

    Parameters
    ----------
    session
        The session.
    edits
        Of :func:`nbtoolkit.widgets.inspector_edits.checked`.
    target, foil
        Key of the word, and the word that it is compared with.

    Returns
    -------
    dict
        ``before`` and ``after``: ``response``, and ``probability`` (0 to 1), ``log_prob`` (nats) and ``logit`` of the word at its
        place in the first response; ``after`` also ``top``, the most probable sub-tokens there. ``difference``, words of both
        responses as same, added or removed; ``present``, whether the second has the word; and ``seconds``.
    """
    start = time.perf_counter()
    with session.exclusive():
        case = session.case(target, foil)
        rules = inspector_edits.checked(edits, session.facts())
        before, after = session.reading(case), read(case, rules)
        first, second = before_edits(case), response(case, rules, after)
        word = case.side.word(target)
    return {
        "before": {"response": first, **before.to_dict()},
        "after": {"response": second, **after.to_dict(), "top": [list(pair) for pair in after.top]},
        "difference": [[text, TAGS[tag]] for tag, text in word_difference(first, second)],
        "present": contains(word.text, second),
        "seconds": time.perf_counter() - start,
    }


@operation
def control(
    session: Any,
    *,
    edits: Sequence[dict[str, Any]],
    target: str,
    foil: str = "",
    draws: int = 5,
    progress: Callable[[int, int], None] | None = None,
    cancel: threading.Event | None = None,
) -> Reply:
    """The word under random edits of equal size: other patches, heads, neurons, layers, directions.

    Parameters
    ----------
    session
        The session.
    edits, target, foil
        As for :func:`edit`.
    draws
        Number of random edits, 1 … 32; the same ones each time.
    progress, cancel
        Called with (done, total); and the event that stops the draws.

    Returns
    -------
    dict
        ``draws``: ``probability``, ``log_prob`` and ``logit`` of each; ``what`` is random, as a sentence.

    Raises
    ------
    MethodError
        There is nothing to edit, or no other part of its kind.
    """
    if not 1 <= draws <= MAX_DRAWS:
        raise MethodError(f"draws is {draws}; expected 1 … {MAX_DRAWS}.")
    results, what = [], ""
    with session.exclusive():
        case = session.case(target, foil)
        rules = inspector_edits.checked(edits, session.facts())
        if not rules:
            raise MethodError("edits is empty; expected one edit at least.")
        for seed in range(draws):
            if cancel is not None and cancel.is_set():
                raise Cancelled(f"Stopped after {seed} of {draws} draws.")
            others, what = control_of(case, rules, seed)
            results.append(read(case, others).to_dict())
            if progress is not None:
                progress(seed + 1, draws)
    return {"draws": results, "what": what}


@operation
def edits_as_python(session: Any, *, edits: Sequence[dict[str, Any]], target: str) -> Reply:
    """Lines of Python that do the same without a view.

    Parameters
    ----------
    session
        The session.
    edits
        As for :func:`edit`.
    target
        Key of the word.

    Returns
    -------
    dict
        ``text``: the lines. They use the names ``model`` and ``image`` of ``nbt.inspect(model, image)``, ``study`` where an edit
        is of a concept, and ``other``, the other image.
    """
    with session.exclusive():
        rules = inspector_edits.checked(edits, session.facts())
        return {"text": as_python(session.case(target, ""), rules)}
