"""Error replies, however many: the first of a second one by one, all others together, so that a flood costs a few messages."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from typing import Any

import traitlets

log = logging.getLogger(__name__)

PER_SECOND = 20  # error replies that are sent one by one
TOGETHER = 0.25  # seconds from the first error that waits to the message with all that wait
MAX_WAITING = 2000  # errors of one message
MAX_TOGETHER = 200  # characters of an error in such a message: servers drop what exceeds 1 MB per second


class Later:
    """Calls a function once, on a thread, some time after the first of any number of calls of :meth:`start`.

    Parameters
    ----------
    seconds
        Time from the first call to the work.
    work
        The function; what it raises is logged.
    """

    def __init__(self, seconds: float, work: Callable[[], None]) -> None:
        self._seconds, self._work = seconds, work
        self._timer: threading.Timer | None = None
        self._closed, self._lock = False, threading.Lock()

    def start(self) -> None:
        """Have the work done, unless it is about to be."""
        with self._lock:
            if self._timer is None and not self._closed:
                self._timer = threading.Timer(self._seconds, self._run)
                self._timer.daemon = True
                self._timer.start()

    def close(self) -> None:
        """Forget the work, and accept no more."""
        with self._lock:
            self._closed = True
            if self._timer is not None:
                self._timer.cancel()

    def _run(self) -> None:
        with self._lock:
            self._timer = None
            if self._closed:
                return
        try:
            self._work()
        except Exception as flaw:  # a page that is gone cannot be told
            log.debug("not sent: %s", flaw)


class Refusals:
    """Sends every request its error, 20 per second as replies, the others in messages of many, four per second.

    A front end drops what a kernel sends at more than 1,000 messages or 1 MB per second, right replies too.

    Parameters
    ----------
    send
        Sends a message to the page.
    """

    def __init__(self, send: Callable[[dict[str, Any]], None]) -> None:
        self._send = send
        self._waiting: list[dict[str, Any]] = []
        self._second, self._count = 0.0, 0
        self._lock = threading.Lock()
        self._later = Later(TOGETHER, self.flush)

    def add(self, number: int, text: str) -> None:
        """Send an error, now or soon.

        Parameters
        ----------
        number
            The id of the request.
        text
            The error, as JSON can hold it.
        """
        with self._lock:
            now = time.monotonic()
            if now - self._second >= 1:
                self._second, self._count = now, 0
            self._count += 1
            alone = self._count <= PER_SECOND
            if not alone:
                self._waiting.append({"id": number, "error": text[:MAX_TOGETHER]})
            full = len(self._waiting) >= MAX_WAITING
        if alone:
            self._send({"kind": "reply", "id": number, "error": text})
        elif full:
            self.flush()
        else:
            self._later.start()

    def flush(self) -> None:
        """Send the errors that wait."""
        with self._lock:
            replies, self._waiting = self._waiting, []
        if replies:
            self._send({"kind": "replies", "replies": replies})

    def close(self) -> None:
        """Send the errors that wait; those to come are sent as they come."""
        self._later.close()
        self.flush()


def validate(trait: Any, view: Any, value: Any) -> None:
    """Validate what a page sets a trait to; of an integer beyond any float, traitlets raises an OverflowError.

    Parameters
    ----------
    trait, view
        The trait, and its view.
    value
        The value.

    Raises
    ------
    traitlets.TraitError
        The trait does not take it.
    """
    try:
        trait._validate(view, value)
    except OverflowError:
        raise traitlets.TraitError(f"{trait.name} has an integer that no float holds.") from None
