"""Progress: a tqdm bar in terminals and notebooks, or the caller's own function."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


class bar:  # noqa: N801 (used like a function: ``with bar(True, 10, "reading") as advance``)
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

    def __init__(self, progress: bool | Callable[[int, int], None], total: int, label: str) -> None:
        self._progress, self._total, self._tqdm = progress, total, None
        if progress is True:
            from tqdm.auto import tqdm

            self._tqdm = tqdm(total=total, desc=label)

    def __enter__(self) -> Callable[[int], None]:
        return self._advance

    def _advance(self, done: int) -> None:
        if self._tqdm is not None:
            self._tqdm.update(done - self._tqdm.n)
        elif callable(self._progress):
            self._progress(done, self._total)

    def __exit__(self, *_: Any) -> None:
        if self._tqdm is not None:
            self._tqdm.close()
