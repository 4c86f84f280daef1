"""Progress: a tqdm bar in terminals and notebooks, or the caller's own function."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Iterator

from tqdm.auto import tqdm


@contextlib.contextmanager
def bar(progress: bool | Callable[[int, int], None], total: int, label: str) -> Iterator[Callable[[int], None]]:
    """Give a function to call with the number of completed items.

    Parameters
    ----------
    progress
        ``True`` for a tqdm bar, ``False`` for none, or a function of (done, total).
    total
        Number of items.
    label
        Text beside the bar.
    """
    if progress is True:
        with tqdm(total=total, desc=label) as display:
            yield lambda done: display.update(done - display.n)
    elif callable(progress):
        yield lambda done: progress(done, total)
    else:
        yield lambda done: None


def note(progress: bool | Callable[..., None], text: str) -> None:
    """Print a line above the bars, to standard output, or log it where the caller has a function for progress.

    Parameters
    ----------
    progress
        As for :func:`bar`; nothing is told for ``False``.
    text
        The line.
    """
    if progress is True:
        tqdm.write(text)
    elif progress is not False:
        logging.getLogger("nbtoolkit").info(text)
