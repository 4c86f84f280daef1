"""Requests of the page and their replies: quick ones at once, slow ones on a thread, with progress and cancellation."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

from ..errors import Cancelled, NbtoolkitError
from ..strict_json import as_json
from . import arguments
from .refusals import Refusals

log = logging.getLogger(__name__)

Reply = tuple[dict[str, Any], list[bytes]]
Operations = dict[str, Callable[..., Reply]]
EVERY = 0.1  # seconds between two progress messages
MAX_ERROR = 1000  # characters: a message may quote what the page sent
MAX_ID = 2**53  # a larger integer is none in JavaScript
MAX_IMAGE = 32_000_000  # bytes of an image that comes with a request
RESERVED = ("job", "session", "progress", "cancel")  # parameters that no page fills
QUEUE = 64  # slow requests that wait; a newer one displaces the oldest


class Job:
    """Handle of a slow request: ``cancel`` is an event to check, :meth:`progress` reports to the page.

    Parameters
    ----------
    report
        Called with (done, total).
    """

    def __init__(self, report: Callable[[int, int], None]) -> None:
        self.cancel, self._report, self._last = threading.Event(), report, 0.0

    def progress(self, done: int, total: int) -> None:
        """Report progress to the page, at most ten times a second and at the end.

        Parameters
        ----------
        done, total
            Number of steps done, and of all steps.
        """
        now = time.monotonic()
        if done == total or now - self._last >= EVERY:
            self._last = now
            self._report(done, total)


class Channel:
    """Replies to the requests ``{"kind": "request", "id", "op", "args"}`` of one widget.

    The signature of an operation declares its arguments, and a request that does not fit is refused before anything runs.
    At most 64 slow requests wait: a newer one displaces the oldest, which is answered with the reason. Of many errors within
    a second the page gets messages ``{"kind": "replies", "replies": [{"id", "error"}, …]}``.

    Parameters
    ----------
    send
        Sends a message with buffers to the page.
    quick
        Operations that are answered at once.
    slow
        Operations that run on a thread; they get a :class:`Job` first. One runs at a time, in order.
    """

    def __init__(self, send: Callable[..., None], quick: Operations, slow: Operations) -> None:
        self._send, self._quick, self._slow = send, quick, slow
        self._jobs: dict[int, Job] = {}
        self._waiting: deque[tuple[int, str, dict[str, Any], Job]] = deque()
        self._lock = threading.Lock()  # messages may come on several threads
        self._pool = ThreadPoolExecutor(1, "nbtoolkit-view")  # starts a thread with the first slow request
        self._busy = self._closed = False
        self._logged: set[tuple[str, type]] = set()
        self._refusals = Refusals(send)

    def receive(self, _widget: Any, message: dict[str, Any], buffers: Any) -> None:
        """Handle a message of the page: a request, or ``{"kind": "cancel", "id"}``; any other is a sign of life.

        A request gets one reply, whatever it holds; a wrong one gets the reason as its ``error``. One without an integer as its
        id gets none, for its sender could not tell whose it is.

        Parameters
        ----------
        message
            The message.
        buffers
            With an image of the reader: its bytes.
        """
        if not isinstance(message, dict):
            return
        number, kind = message.get("id"), message.get("kind")
        if isinstance(number, bool) or not isinstance(number, int) or abs(number) > MAX_ID:
            log.debug("a message of kind %.80r was dropped: its id is %s", kind, _number(number))
            return
        job = self._jobs.get(number)
        if kind == "cancel" and job is not None:
            job.cancel.set()
        if kind == "request":
            try:
                self._start(*self._checked(message, number, buffers))
            except (NbtoolkitError, RecursionError) as error:
                self._fail(number, error)

    def close(self) -> None:
        """Cancel what runs, drop what waits, and accept nothing more."""
        with self._lock:
            self._closed = True
            self._waiting.clear()
            jobs = [*self._jobs.values()]
        for job in jobs:
            job.cancel.set()
        self._pool.shutdown(wait=False, cancel_futures=True)
        try:
            self._refusals.close()
        except Exception as flaw:  # a page that is gone cannot be told
            log.debug("errors were not sent: %s", flaw)

    def _checked(self, message: dict[str, Any], number: int, buffers: Any) -> tuple[int, str, dict[str, Any]]:
        """Number, name and arguments of a request."""
        name, args = message.get("op"), message.get("args", {})
        names = [*self._quick, *self._slow]
        if self._closed:
            raise NbtoolkitError("The view is closed. Run the cell again.")
        if number in self._jobs:
            raise NbtoolkitError(f"id is {number}; expected one that no running request has.")
        if not isinstance(name, str) or name not in names:
            given = repr(name[:80]) if isinstance(name, str) else f"of type {type(name).__name__}"
            raise NbtoolkitError(f"op is {given}; expected one of {', '.join(names)}.")
        function = self._quick.get(name) or self._slow[name]
        if buffers and isinstance(args, dict):
            args = args | {"image": _image(buffers)}
        return number, name, arguments.checked(name, function, args, RESERVED, arguments.MAX_ENTRIES)

    def _start(self, number: int, name: str, args: dict[str, Any]) -> None:
        if name in self._quick:
            self._reply(number, name, partial(self._quick[name], **args))
            return
        job = Job(
            lambda done, total: self._send(as_json({"kind": "progress", "id": number, "done": done, "total": total}))
        )
        displaced = None
        with self._lock:
            if self._closed:
                return
            self._jobs[number] = job
            self._waiting.append((number, name, args, job))
            if len(self._waiting) > QUEUE:
                displaced = self._waiting.popleft()[0]
                self._jobs.pop(displaced, None)
            if not self._busy:
                self._busy = True
                self._pool.submit(self._work)
        if displaced is not None:
            self._fail(displaced, Cancelled(f"Cancelled: {QUEUE} newer requests wait."))

    def _work(self) -> None:
        """Answer what waits, the oldest first, until nothing does."""
        while True:
            with self._lock:
                if not self._waiting:
                    self._busy = False
                    return
                number, name, args, job = self._waiting.popleft()
            self._reply(number, name, partial(self._slow[name], job, **args))

    def _reply(self, number: int, name: str, work: Callable[[], Reply]) -> None:
        try:
            data, buffers = work()
            self._send({"kind": "reply", "id": number, "data": as_json(data)}, buffers)
        except Exception as error:  # shown in the page: an exception in a callback is otherwise silent
            self._log(name, error)
            self._fail(number, error)
        finally:
            with self._lock:
                self._jobs.pop(number, None)

    def _log(self, name: str, error: Exception) -> None:
        """Log an error once per kind, for a page can cause it ten thousand times; a flaw of ours with its traceback."""
        kind = (name, type(error))
        if self._closed or kind in self._logged:
            return
        self._logged.add(kind)
        if isinstance(error, NbtoolkitError):
            log.warning("request %r failed: %s", name, error)
        else:
            log.error("request %r failed", name, exc_info=error)

    def _fail(self, number: int, error: Exception) -> None:
        text = f"{type(error).__name__}: {error}"[:MAX_ERROR]
        try:
            self._refusals.add(number, as_json(text))
        except Exception as flaw:  # a page that is gone cannot be told
            log.debug("the reply %r was not sent: %s", text, flaw)


def _number(value: Any) -> str:
    """What the number of a request is, for a message."""
    fits = isinstance(value, int) and not isinstance(value, bool)
    return "beyond 2^53" if fits else f"of type {type(value).__name__}"


def _image(buffers: Any) -> bytes:
    """The image of a request: its only buffer."""
    size = memoryview(buffers[0]).nbytes
    if len(buffers) > 1 or size > MAX_IMAGE:
        raise NbtoolkitError(
            f"The request has {len(buffers)} buffers, the first of {size:,} bytes; expected one, an image of at most "
            f"{MAX_IMAGE:,} bytes."
        )
    return bytes(buffers[0])
