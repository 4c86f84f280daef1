"""Tables as data sets: Parquet files, whose size in memory is known before they are read, and pandas DataFrames."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from ...errors import DataError, first_line
from ...parquet import Chunk, column_chunks, open_parquet
from ...strict_json import encodable
from .columns import find_column
from .listings import ImageFolder

EXPANDED = 1 << 27  # bytes that a small file may have in memory
RATIO = 20  # times its size that a large file may have in memory
_STEP = 1 << 26  # bytes that are decoded at once
_ROWS = 64  # that are decoded at once where their texts cannot stay in a dictionary
_WIDTHS = {"BOOLEAN": 1, "INT32": 4, "FLOAT": 4, "INT64": 8, "DOUBLE": 8, "INT96": 12}
_DICTIONARIES = {2, 8}  # encodings of parquet.thrift: PLAIN_DICTIONARY, RLE_DICTIONARY
_AS_LONG = {
    0,
    3,
    4,
    6,
}  # that share nothing between values: PLAIN, RLE and BIT_PACKED (of levels), DELTA_LENGTH_BYTE_ARRAY


def read_parquet(path: Path) -> Any:
    """Open a Parquet file as a data set.

    Parameters
    ----------
    path
        The file.

    Raises
    ------
    DataError
        It is no Parquet file, or small and becomes large when it is read.
    """
    if path.suffix != ".parquet":
        raise DataError(
            f"{path.name!r} is not a Parquet file; expected a name that ends in .parquet, .jsonl, .csv or .json (COCO captions, "
            "conversations), or a .txt that begins with 'image,caption'."
        )
    check_expansion(path)
    try:
        return datasets.Dataset.from_parquet(str(path))
    except Exception as error:  # a Parquet reader has many ways to say "this is no Parquet file"
        raise DataError(f"{str(path)!r} cannot be read as Parquet ({type(error).__name__}: {error}).") from error


def check_expansion(path: Path) -> None:
    """Refuse a Parquet file whose columns are much larger in memory than on disk, without having them in memory.

    The metadata do not tell: a text that a dictionary repeats a million times counts once in them. Columns that could
    become large are therefore read as indices and dictionaries.

    Parameters
    ----------
    path
        The file.

    Raises
    ------
    DataError
        It cannot be read, or its columns take more than 128 MB and more than 20 times its size.
    """
    with open_parquet(path) as file, _readable(path):
        limit = max(EXPANDED, RATIO * path.stat().st_size)
        groups = column_chunks(path)
        columns = [
            _Column(file.schema.column(k), [group[k] for group in groups], file.metadata.num_rows)
            for k in range(len(file.schema))
        ]
        total = sum(column.least for column in columns)
        if sum(column.most for column in columns) <= limit:
            return
        for column in columns:
            for size in column.values(path, limit):
                total += size
                if total > limit:
                    raise DataError(
                        f"{str(path)!r} has {path.stat().st_size:,} bytes, and its columns take more than {limit:,} in memory (at the "
                        f"column {column.name!r}); expected at most 20 times its size. Remove repeated or empty content."
                    )


@contextlib.contextmanager
def _readable(path: Path) -> Iterator[None]:
    try:
        yield
    except DataError:
        raise
    except Exception as error:  # of Arrow: many types
        raise DataError(f"{str(path)!r} cannot be read as Parquet ({first_line(error)}). Write it again.") from error


class _Column:
    """Bounds of a column's size in memory, from the metadata, and its size, from the values."""

    def __init__(self, schema: pq.ColumnSchema, chunks: Sequence[Chunk], n_rows: int) -> None:
        n, stored = sum(chunk.n_values for chunk in chunks), sum(chunk.uncompressed for chunk in chunks)
        self.name = schema.path
        self.texts = schema.physical_type == "BYTE_ARRAY"
        self.nested = schema.max_repetition_level > 0
        self.longest = max((chunk.uncompressed for chunk in chunks), default=0)
        self.encodings = {encoding for chunk in chunks for encoding in chunk.encodings}
        self.least = n * (4 if self.texts else _WIDTHS.get(schema.physical_type, schema.length or 1))
        self.most = self.least + (n * self.longest if self.texts else 0)
        self.rows = min(65_536, max(256, _STEP * max(1, n_rows) // max(1, stored)))  # that are read at once

    def values(self, path: Path, limit: int) -> Iterator[int]:
        """Bytes of the texts, part by part."""
        if not self.texts:
            return
        if not self.encodings <= _AS_LONG | _DICTIONARIES:
            yield from self._repeating(path, limit)
            return
        with pq.ParquetFile(path, read_dictionary=[self.name]) as file:
            for group in range(file.metadata.num_row_groups):
                yield from self._dictionary_values(file, path, group)

    def _dictionary_values(self, file: pq.ParquetFile, path: Path, group: int) -> Iterator[int]:
        try:
            for batch in file.iter_batches(self.rows, row_groups=[group], columns=[self.name]):
                yield sum(_bytes(array) for array in batch.columns)
        except pa.ArrowNotImplementedError:  # a list whose texts are partly in a dictionary; what was counted stays so
            with pq.ParquetFile(path) as plain:
                for batch in plain.iter_batches(_ROWS, row_groups=[group], columns=[self.name]):
                    yield batch.nbytes

    def _repeating(self, path: Path, limit: int) -> Iterator[int]:
        """As :meth:`values`, for encodings that store what a text has in common with the one before once."""
        if self.nested and self.most > limit:
            raise DataError(
                f"The column {self.name!r} of {str(path)!r} has other encodings (numbers {sorted(self.encodings)}); expected plain or dictionary "
                "encoding. Write it again with pyarrow.parquet.write_table."
            )
        with pq.ParquetFile(path) as file:
            for batch in file.iter_batches(max(1, _STEP // max(1, self.longest)), columns=[self.name]):
                yield batch.nbytes


def _bytes(array: pa.Array) -> int:
    """Bytes of texts that a dictionary repeats, in lists and structs too."""
    while not isinstance(array, pa.DictionaryArray):
        if pa.types.is_struct(array.type):
            array = array.field(0)
        elif hasattr(array, "flatten") and not pa.types.is_binary(array.type) and not pa.types.is_string(array.type):
            array = array.flatten()
        else:
            return int(array.nbytes)
    lengths = pc.fill_null(pc.binary_length(array.dictionary), 0)
    counts = np.bincount(pc.drop_null(array.indices).to_numpy(), minlength=len(lengths))
    return int(counts @ lengths.to_numpy().astype(np.int64))


# --- tables in memory ------------------------------------------------------------------------------------


def is_frame(source: Any) -> bool:
    """Whether an object is a pandas DataFrame.

    Parameters
    ----------
    source
        Any object.
    """
    return type(source).__module__.partition(".")[0] == "pandas" and hasattr(source, "columns")


def is_records(source: Any) -> bool:
    """Whether an object is a list of mappings from column to value.

    Parameters
    ----------
    source
        Any object.
    """
    return isinstance(source, list | tuple) and bool(source) and all(isinstance(row, Mapping) for row in source)


def read_table(source: Any, names: Mapping[str, str | None]) -> Any:
    """A DataFrame, or a list of records, as a data set; an image given by its path is its id where there is no other.

    Parameters
    ----------
    source
        The table.
    names
        Column of each role, where the caller named it.

    Raises
    ------
    DataError
        A column holds values that cannot be stored.
    """
    if is_frame(source):
        columns = {str(name): [_plain(v) for v in source[name].tolist()] for name in source.columns}
    else:
        keys = dict.fromkeys(str(key) for row in source for key in row)
        columns = {name: [_plain(row.get(name)) for row in source] for name in keys}
    image = find_column("image", columns, names["image"])
    if image is not None and find_column("id", columns, names["id"]) is None:
        paths = columns[image]
        if paths and all(isinstance(path, str) for path in paths):
            columns["id"] = list(paths)
    parts = {}
    for name, values in columns.items():
        try:
            parts[name] = datasets.Dataset.from_dict({name: values})
        except Exception as error:  # of Arrow: values of several types, or objects
            raise DataError(
                f"The column {name!r} cannot be stored ({first_line(error)}); expected values of one type. Convert the column, or "
                "leave it out."
            ) from error
    return datasets.concatenate_datasets(list(parts.values()), axis=1) if parts else datasets.Dataset.from_dict({})


def _plain(value: Any) -> Any:
    """Values of pandas and numpy as Python's; a missing one is None."""
    if isinstance(value, np.ndarray):
        return [_plain(v) for v in value.tolist()]
    if isinstance(value, list | tuple):
        return [_plain(v) for v in value]
    if isinstance(value, Path):
        return str(value)
    if type(value).__name__ in ("NAType", "NaTType") or (isinstance(value, float) and value != value):
        return None
    return encodable(value)


def rooted(data: Any, column: str, root: Path) -> Any:
    """Data set whose image paths are relative to a folder.

    Parameters
    ----------
    data
        The data set.
    column
        The column of the images.
    root
        The folder.

    Raises
    ------
    DataError
        The column holds no paths, or one that leads out of the folder.
    """
    folder, values = ImageFolder(root), data.with_format(None).select_columns([column])
    kind = values.features[column]
    if "string" not in getattr(getattr(kind, "feature", kind), "dtype", ""):
        raise DataError(
            f"images={str(root)!r} was given, but column {column!r} has the images themselves; expected their paths. Leave images out."
        )
    paths: Sequence[Any] = [
        None if value is None else folder.files(value, f"row {k}")[0] for k, value in enumerate(values[column])
    ]
    return data.remove_columns(column).add_column(column, paths)
