"""Progress: a tqdm bar in terminals and notebooks, or the caller's own function."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator


@contextlib.contextmanager
def bar(progress: bool | Callable[[int, int], None], total: int, label: str) -> Iterator[Callable[[int], None]]:
    """Give a function to call with the number of items done.

    Parameters
    ----------
    progress
        ``True`` for a tqdm bar, ``False`` for none, or a function of (done, total).
    total
        Number of items.
    label
        What is being done.
    """
    if progress is True:
        from tqdm.auto import tqdm

        with tqdm(total=total, desc=label) as shown:
            yield lambda done: shown.update(done - shown.n)
    elif callable(progress):
        yield lambda done: progress(done, total)
    else:
        yield lambda done: None


@contextlib.contextmanager
def no_bars_of_datasets() -> Iterator[None]:
    """Keep the bars of ``datasets`` out of ours while the block lasts; the caller's setting comes back."""
    import datasets

    shown = datasets.is_progress_bar_enabled()
    datasets.disable_progress_bars()
    try:
        yield
    finally:
        if shown:
            datasets.enable_progress_bars()
