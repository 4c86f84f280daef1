"""An inspection: many instruments on one target, of which a refused one does not lose the others; written as one folder."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch

from ..durable import new_folder
from ..errors import NbtoolkitError, StudyError, first_line
from ..files import disk_errors, user_path
from ..storage.files import write_text
from ..storage.measurements import SUFFIX
from ..targets.target import Target
from ..types.measurement import Measurement
from .drawings import as_map
from .inspection_page import PAGE, Result, inspection_page
from .instruments import FAITHFULNESS, Instrument


@dataclass(frozen=True, eq=False)
class Inspection:
    """Results of instruments on one target.

    Attributes
    ----------
    target
        The target.
    results
        One per instrument, or per instrument and map; refused ones have a reason instead of a measurement.
    """

    target: Target
    results: tuple[Result, ...]

    @property
    def refused(self) -> tuple[Result, ...]:
        """Results without a measurement."""
        return tuple(result for result in self.results if result.measurement is None)

    def save(self, path: str | os.PathLike[str], *, image: str = "") -> Path:
        """Write a folder, whole or not at all: one file per measurement, and a page that shows them.

        Parameters
        ----------
        path
            The folder; that of another inspection is replaced.
        image
            Name of the image, for the page.

        Returns
        -------
        Path
            The page.

        Raises
        ------
        StudyError
            The path is something else than the folder of an inspection, or the disk is full or read-only; what was there stays.
        """
        folder = check_folder(path)
        with disk_errors(
            "The inspection", folder, StudyError, "What was there stays. Make room, or choose another path."
        ):
            folder.parent.mkdir(parents=True, exist_ok=True)
            with new_folder(folder) as unfinished:
                for result in self.results:
                    if result.measurement is not None:
                        result.measurement.save(unfinished / result.file)
                write_text(unfinished / PAGE, inspection_page(self.target, self.results, image))
        return folder / PAGE


def inspect_target(
    target: Target, instruments: Sequence[Instrument], progress: Callable[[str], object] | None = None
) -> Inspection:
    """Measure a target with several instruments.

    Parameters
    ----------
    target
        The target.
    instruments
        Those of :func:`nbtoolkit.live.instruments.instruments`.
    progress
        Is called with the name of what is measured next.

    Examples
    --------
    >>> import nbtoolkit as nbt
    >>> from nbtoolkit.live.instruments import instruments
    >>> t = nbt.target(nbt.load_model("toy"), nbt.load_data("toy", n=1)[0]["image"], "a", foil="the")
    >>> [r.reason or r.measurement.unit for r in inspect_target(t, instruments("occlusion, heads")).results]
    ['nats', 'nats']
    """
    results: list[Result] = []
    for instrument in instruments:
        jobs: list[tuple[str, Callable[[], Measurement]]] = [(instrument.name, partial(instrument, target))]
        if instrument.name == FAITHFULNESS:
            jobs = [_faithfulness(instrument, result, target) for result in results if result.instrument.is_map]
        for name, measure in jobs:
            if progress is not None:
                progress(name)
            results.append(Result(name, instrument, *_measured(measure)))
    return Inspection(target, tuple(results))


def check_folder(path: str | os.PathLike[str]) -> Path:
    """The path of a folder that can be written: a new or empty one, or that of an inspection and nothing else.

    Parameters
    ----------
    path
        The folder.

    Raises
    ------
    StudyError
        It is a file, or has other files, which would be lost.
    """
    folder = user_path(path)
    with disk_errors("The inspection", folder, StudyError, "Choose another path."):
        if not folder.exists():
            return folder
        names = sorted(p.name for p in folder.iterdir())
    others = [name for name in names if name != PAGE and not name.endswith(SUFFIX)]
    if others or (names and PAGE not in names):
        raise StudyError(
            f"{str(folder)!r} exists and is not the folder of an inspection (it has {(others or names)[0]!r}); nothing was written. "
            "Choose another path."
        )
    return folder


def _measured(measure: Callable[[], Measurement]) -> tuple[Measurement | None, str]:
    """A measurement, or the reason why there is none."""
    try:
        return measure(), ""
    except NbtoolkitError as error:
        return None, " ".join(str(error).split())
    except (torch.OutOfMemoryError, MemoryError) as error:
        return None, f"The memory does not suffice ({first_line(error)}). Choose a smaller image, --dtype or --device."


def _faithfulness(instrument: Instrument, result: Result, target: Target) -> tuple[str, Callable[[], Measurement]]:
    """Name and call of the faithfulness of a map; without the map, the reason is that of the map."""

    def measure() -> Measurement:
        if result.measurement is None:
            raise NbtoolkitError(f"There is no map: {result.reason}")
        return instrument(as_map(result.measurement), target)

    return f"{instrument.name}-{result.name}", measure
