"""Requests of the page and their replies: quick ones at once, slow ones on a thread, with progress and cancellation."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from ..errors import NbtoolkitError
from . import arguments

log = logging.getLogger(__name__)

Reply = tuple[dict[str, Any], list[bytes]]
Operations = dict[str, Callable[..., Reply]]
EVERY = 0.1  # seconds between two progress messages
MAX_ERROR = 1000  # characters: a message may quote what the page sent


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
        self._pool: ThreadPoolExecutor | None = None
        self._closed = False

    def receive(self, _widget: Any, message: dict[str, Any], buffers: Any) -> None:
        """Handle a message of the page: a request, or ``{"kind": "cancel", "id"}``; any other is a sign of life.

        A request gets one reply, whatever it holds; a wrong one gets the reason as its ``error``.

        Parameters
        ----------
        message
            The message.
        buffers
            With an image of the reader: its bytes.
        """
        if not isinstance(message, dict):
            return
        number = message.get("id")
        if isinstance(number, bool) or not isinstance(number, int):
            number = None  # its reply has no addressee
        if message.get("kind") == "cancel" and number in self._jobs:
            self._jobs[number].cancel.set()
        if message.get("kind") == "request":
            try:
                self._start(*self._checked(message, number, buffers))
            except NbtoolkitError as error:
                self._fail(number, error)

    def close(self) -> None:
        """Cancel what runs, and accept nothing more."""
        self._closed = True
        for job in [*self._jobs.values()]:
            job.cancel.set()
        if self._pool is not None:
            self._pool.shutdown(wait=False, cancel_futures=True)

    def _checked(self, message: dict[str, Any], number: int | None, buffers: Any) -> tuple[int, str, dict[str, Any]]:
        """Number, name and arguments of a request."""
        name, args = message.get("op"), message.get("args", {})
        names = [*self._quick, *self._slow]
        if number is None:
            raise NbtoolkitError(f"id of a request is of type {type(message.get('id')).__name__}; expected an integer.")
        if self._closed:
            raise NbtoolkitError("The view is closed. Run the cell again.")
        if number in self._jobs:
            raise NbtoolkitError(f"id is {number}; expected one that no running request has.")
        if not isinstance(name, str) or name not in names:
            given = repr(name[:80]) if isinstance(name, str) else f"of type {type(name).__name__}"
            raise NbtoolkitError(f"op is {given}; expected one of {', '.join(names)}.")
        function = self._quick.get(name) or self._slow[name]
        if buffers and isinstance(args, dict):
            args = args | {"image": bytes(buffers[0])}
        return number, name, arguments.checked(name, function, args, ("job",))

    def _start(self, number: int, name: str, args: dict[str, Any]) -> None:
        if name in self._quick:
            self._reply(number, name, lambda: self._quick[name](**args))
            return
        job = Job(lambda done, total: self._send({"kind": "progress", "id": number, "done": done, "total": total}))
        self._jobs[number] = job
        self._pool = self._pool or ThreadPoolExecutor(1, "nbtoolkit-view")
        self._pool.submit(self._reply, number, name, lambda: self._slow[name](job, **args))

    def _reply(self, number: int, name: str, work: Callable[[], Reply]) -> None:
        try:
            data, buffers = work()
            self._send({"kind": "reply", "id": number, "data": data}, buffers)
        except Exception as error:  # shown in the page: an exception in a callback is otherwise silent
            log.exception("request %r failed", name)
            self._fail(number, error)
        finally:
            self._jobs.pop(number, None)

    def _fail(self, number: int | None, error: Exception) -> None:
        self._send({"kind": "reply", "id": number, "error": f"{type(error).__name__}: {error}"[:MAX_ERROR]})
