"""The columns of captioned images, whatever a file calls them."""

from __future__ import annotations

import contextlib
import gc
import hashlib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import datasets
import pyarrow as pa
from datasets.table import InMemoryTable
from PIL import Image

from ...errors import DataError
from ..images import read_image

COLUMNS = {
    "image": (
        *("image", "images", "img", "picture", "photo", "jpg"),
        *("image_path", "image_name", "file_name", "filename", "filepath", "path"),
    ),
    "captions": ("captions", "caption", "sentences", "text", "texts", "description", "comment"),
    "id": ("id", "image_id", "cocoid", "sample_id", "key"),
}


def find_column(role: str, columns: Iterable[str], name: str | None) -> str | None:
    """Column of a role: the named one, which must exist, or the first usual name; None where there is none.

    Parameters
    ----------
    role
        ``"image"``, ``"captions"`` or ``"id"``.
    columns
        Names of the columns that there are.
    name
        The column that the caller named, or None.

    Raises
    ------
    DataError
        The named column does not exist.
    """
    columns = list(columns)
    if name is not None and name not in columns:
        raise DataError(f"There is no column {name!r} for the {role}; the columns are {columns}.")
    return name or next((c for c in COLUMNS[role] if c in columns), None)


def dataset_of(columns: Mapping[str, Any], kinds: Mapping[str, Any]) -> Any:
    """Data set of columns in memory; unlike ``Dataset.from_dict`` it does not go through every value twice.

    Parameters
    ----------
    columns
        Column name to values, in a list or an Arrow array.
    kinds
        Column name to its type, of ``datasets``.

    Examples
    --------
    >>> dataset_of({"id": ["a", "b"]}, {"id": datasets.Value("string")})["id"][:]
    ['a', 'b']
    """
    features = datasets.Features(dict(kinds))
    schema = features.arrow_schema
    arrays = [
        values if isinstance(values := columns[name], pa.ChunkedArray) else pa.array(values, schema.field(name).type)
        for name in features
    ]
    table = pa.Table.from_arrays(arrays, schema=schema)
    info = datasets.DatasetInfo(features=features)
    return datasets.Dataset(InMemoryTable(table), info=info, fingerprint=_fingerprint(table))


def _fingerprint(table: pa.Table) -> str:
    """Hash of a table's content; that of ``datasets`` needs the table two times more in memory."""
    digest = hashlib.sha256(str(table.schema).encode())
    for chunk in (chunk for column in table.columns for chunk in column.chunks):
        digest.update(str(len(chunk)).encode())
        for buffer in chunk.buffers():
            digest.update(b"-" if buffer is None else memoryview(buffer))
    return digest.hexdigest()[:16]


def lossless(value: Any) -> Any:
    """Images that a function made, without the format that they were read from, in which ``datasets`` would store them again.

    Parameters
    ----------
    value
        A cell of a row: an image, a list, or anything else, which is given back.
    """
    if isinstance(value, Image.Image):
        return read_image(value)
    return [lossless(one) for one in value] if isinstance(value, list) else value


@contextlib.contextmanager
def no_collection() -> Iterator[None]:
    """Pause the collection of garbage, which would go through millions of new objects again and again."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()
