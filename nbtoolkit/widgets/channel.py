"""Requests of the page and their replies: quick ones at once, slow ones on a thread, with progress and cancellation."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

log = logging.getLogger(__name__)

Reply = tuple[dict[str, Any], list[bytes]]
Operations = dict[str, Callable[..., Reply]]
EVERY = 0.1  # seconds between two progress messages


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

    def receive(self, _widget: Any, message: dict[str, Any], buffers: Any) -> None:
        """Handle a message of the page: a request, or ``{"kind": "cancel", "id"}``; any other is a sign of life.

        Parameters
        ----------
        message
            The message.
        buffers
            With an image of the reader: its bytes.
        """
        kind, number = message.get("kind"), int(message.get("id", 0))
        if kind == "cancel" and number in self._jobs:
            self._jobs[number].cancel.set()
        if kind != "request":
            return
        name, args = str(message.get("op")), dict(message.get("args", {}))
        if buffers:
            args["image"] = bytes(buffers[0])
        if name in self._slow:
            job = Job(lambda done, total: self._send({"kind": "progress", "id": number, "done": done, "total": total}))
            self._jobs[number] = job
            self._pool = self._pool or ThreadPoolExecutor(1, "nbtoolkit-view")
            self._pool.submit(self._reply, number, name, lambda: self._slow[name](job, **args))
        else:
            self._reply(number, name, lambda: self._quick[name](**args))

    def close(self) -> None:
        """Cancel what runs, and accept nothing more."""
        for job in self._jobs.values():
            job.cancel.set()
        if self._pool is not None:
            self._pool.shutdown(wait=False, cancel_futures=True)

    def _reply(self, number: int, name: str, work: Callable[[], Reply]) -> None:
        try:
            data, buffers = work()
        except Exception as error:  # shown in the page: an exception in a callback is otherwise silent
            log.exception("request %r failed", name)
            self._send({"kind": "reply", "id": number, "error": f"{type(error).__name__}: {error}"})
        else:
            self._send({"kind": "reply", "id": number, "data": data}, buffers)
        finally:
            self._jobs.pop(number, None)
