"""Passes of the model as they happen: progress in passes, and the end of a run that was cancelled."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from typing import Any

from ..errors import Cancelled
from ..models.adapter import Model
from ..models.hooks import input_states

Progress = Callable[[int, int], None]


@contextlib.contextmanager
def following(
    model: Model, total: float, n_positions: int, progress: Progress | None, cancel: threading.Event | None
) -> Iterator[list[float]]:
    """Context in which passes of a model are counted, reported, and stopped between two blocks.

    Parameters
    ----------
    model
        The model.
    total
        Passes that are expected.
    n_positions
        Positions of a whole pass: a pass of half of them counts half.
    progress
        Called with (done, total) in passes.
    cancel
        The event that stops the run.

    Yields
    ------
    list of float
        One entry: the passes so far.

    Raises
    ------
    Cancelled
        The event was set.
    """
    done = [0.0]
    share = 1 / max(1, n_positions * model.n_layers)

    def enter(_block: Any, args: Any, kwargs: Any) -> None:
        if cancel is not None and cancel.is_set():
            raise Cancelled(f"Stopped after {done[0]:.0f} of about {total:.0f} passes.")
        states = input_states(args, kwargs)
        done[0] += states.shape[0] * states.shape[1] * share
        if progress is not None:
            whole = max(1, round(total))
            progress(min(int(done[0]), whole), whole)

    handles = [block.register_forward_pre_hook(enter, with_kwargs=True) for block in model.blocks]
    try:
        yield done
    finally:
        for handle in handles:
            handle.remove()
