"""The shards of an extraction, read in this process: into memory, or onto a disk where completed ones are not read again."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .reader import Reader, Rows
from .shard_rows import COLUMNS
from .shards import ShardStore

Columns = dict[str, list[Any]]


def on_disk(
    reader: Reader, store: ShardStore, shards: Sequence[Sequence[int]], advance: Callable[[int], None]
) -> list[dict[str, Any]]:
    """Read the shards that are missing on disk, or damaged; return the manifest rows of all.

    Parameters
    ----------
    reader, store
        The reader, and the store of its shards.
    shards
        Rows of the data set per shard.
    advance
        Called with the number of candidates that are done.

    Raises
    ------
    StudyError
        An image of a completed shard is another one now.
    """
    manifest, done = [], 0
    for index, shard in enumerate(shards):
        row = store.row(index)
        if row is None:
            row = store.save(index, reader.shard(shard, _after(done, advance)), reader.model.d_model)
        else:
            store.check_images(row, reader.data, shard)
        manifest.append(row)
        done += len(shard)
        advance(done)
    return manifest


def in_memory(
    reader: Reader, shards: Sequence[Sequence[int]], advance: Callable[[int], None]
) -> tuple[tuple[Any, Columns, dict[str, str]], dict[str, str]]:
    """Read all shards.

    Parameters
    ----------
    reader
        The reader.
    shards
        Rows of the data set per shard.
    advance
        Called with the number of candidates that are done.

    Returns
    -------
    rows
        As of :meth:`ShardStore.gather`; the states are None where no row was read.
    images
        Sample id to the hash of the bytes of its image.
    """
    parts: list[Rows] = []
    done = 0
    for shard in shards:
        parts.append(reader.shard(shard, _after(done, advance)))
        done += len(shard)
        advance(done)
    fields = dict(zip(COLUMNS, ("ids", "captions", "positions"), strict=True))
    columns = {name: [x for part in parts for x in getattr(part, field)] for name, field in fields.items()}
    skipped = {k: v for part in parts for k, v in part.skipped.items()}
    states = [part.states for part in parts if part.ids]
    images = {k: v for part in parts for k, v in part.images.items()}
    return (np.concatenate(states) if states else None, columns, skipped), images


def _after(start: int, advance: Callable[[int], None]) -> Callable[[int], None]:
    return lambda n: advance(start + n)
