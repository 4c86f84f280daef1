"""Data sets of Hugging Face: by id, from a folder of their files, or streamed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import datasets
import pyarrow as pa

from ...errors import DataError, first_line
from ...files import exists
from .columns import lossless
from .listings import LISTINGS
from .tables import check_expansion


def is_repository(path: Path) -> bool:
    """Whether ``datasets`` can open a folder: it has Parquet files or was saved by it, and has no listing.

    Parameters
    ----------
    path
        The folder.
    """
    listings = [name for name in LISTINGS if not name.endswith(".txt")]  # a text beside Parquet files may be anything
    if not exists(path) or not path.is_dir() or any((path / name).is_file() for name in listings):
        return False
    return _is_saved(path) or any(path.rglob("*.parquet"))


def _is_saved(path: Path) -> bool:
    """Whether ``save_to_disk`` of ``datasets`` wrote a folder."""
    return any((path / f"dataset_{part}.json").exists() for part in ("info", "dict"))


def open_repository(name: str, config: str | None, split: str | None, streaming: bool, n: int | None) -> Any:
    """Load a data set by its Hugging Face id, or from a folder of its files.

    Parameters
    ----------
    name
        The id or folder.
    config
        Configuration, of a data set that has several.
    split
        The split.
    streaming
        Take the first ``n`` rows without downloading the rest.
    n
        Number of rows of a stream.

    Raises
    ------
    DataError
        It cannot be reached, or has several splits and none was named.
    """
    if exists(name) and Path(name).is_dir():
        for path in sorted(Path(name).rglob("*.parquet")):
            check_expansion(path)
    try:
        data = (
            datasets.load_from_disk(name)
            if _is_saved(Path(name))
            else datasets.load_dataset(name, config, split=split, streaming=streaming)
        )
    except Exception as error:  # network, hub, formats: in each case there is nothing to read
        raise DataError(
            f"There is no file or folder {name!r}, and no data set of that name could be opened with split={split!r} ({first_line(error)})."
        ) from error
    return one_split(data, split, n)


def one_split(data: Any, split: str | None, n: int | None) -> Any:
    """One split of a data set of ``datasets``, with rows that can be indexed.

    Parameters
    ----------
    data
        What ``datasets`` loaded.
    split
        The split, where there are several.
    n
        Number of rows to take from a stream.

    Raises
    ------
    DataError
        No such split, or a stream without ``n``.
    """
    if isinstance(data, dict):
        if split is None and len(data) == 1:
            split = next(iter(data))
        if split not in data:
            raise DataError(
                f"The data set has the splits {sorted(data)}; expected split= to name one of them, got {split!r}."
            )
        data = data[split]
    if isinstance(data, datasets.IterableDataset):
        if n is None:
            raise DataError("The data set is a stream; expected n=, the number of rows to take from it.")
        data = _take(data, n)
    return data


def _take(stream: Any, n: int) -> Any:
    """Copy the first rows of a stream to disk (the cache of ``datasets``), images as they are stored."""
    try:
        stream = stream.with_format(None)
        features = _features(stream)
        for column, kind in (features or {}).items():
            if isinstance(kind, datasets.Image):
                stream = stream.cast_column(column, datasets.Image(decode=False))
        rows = stream.take(n)

        def each() -> Iterator[dict[str, Any]]:
            for row in rows:
                yield {name: lossless(cell) for name, cell in row.items()}

        return datasets.Dataset.from_generator(each, features=features)
    except Exception as error:  # of the network, of Arrow, or of a function that the stream was mapped with
        reason = error.__cause__ or error
        raise DataError(
            f"The stream cannot be read ({type(reason).__name__}: {first_line(reason)}). Take its first rows yourself: "
            "datasets.Dataset.from_list(list(stream.take(n)))."
        ) from error


def _features(stream: Any) -> Any:
    """Types of a stream's columns; None where a function made decoded images, which are encoded as they come."""
    if stream.features is not None:
        return stream.features
    try:
        return stream._resolve_features().features
    except pa.ArrowInvalid:
        return None
