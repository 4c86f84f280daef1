"""Tensors and tables that others may have written: every size is compared with the file's before memory is taken."""

from __future__ import annotations

import functools
import mmap
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from safetensors import safe_open
from safetensors.numpy import load_file

from ..errors import StudyError, first_line
from ..files import regular_file
from ..parquet import open_parquet
from ..strict_json import parse_json

_LAYER = "layer."
_TYPES = {"F32": np.float32, "F16": np.float16}
_UNITS = {"text": pa.types.is_string, "bytes": pa.types.is_binary, "whole": pa.types.is_integer}


class MappedStates(np.memmap):
    """Memory-mapped states that notice a file which another process has truncated or rewritten in place.

    Reading what is no longer there would end the process without a word (SIGBUS). The file's size is compared before each
    indexing, arithmetic and copy; a plain array that was made of it (``numpy.asarray``) does not compare.
    """

    _size: int | None = None

    def __array_finalize__(self, other: Any) -> None:
        """Hand the file's size on to views.

        Parameters
        ----------
        other : array
            The array that this one is made from.
        """
        super().__array_finalize__(other)
        self._size = getattr(other, "_size", None)

    def check(self) -> None:
        """Compare the size of the file with the one when it was opened.

        Raises
        ------
        StudyError
            It is another one.
        """
        file: mmap.mmap | None = getattr(self, "_mmap", None)
        if file is not None and self._size is not None and file.size() != self._size:
            raise StudyError(
                f"{str(self.filename)!r} has {file.size():,} bytes; it had {self._size:,} when it was opened: another process "
                "has truncated or rewritten it. Restore the file, and open it again."
            )

    def __getitem__(self, index: Any) -> Any:
        self.check()
        return super().__getitem__(index)

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, out: Any = None, **options: Any) -> Any:
        """Apply a function to plain views, once the size is compared.

        Parameters
        ----------
        ufunc, method, inputs, out, options
            As numpy has it.
        """
        if out is not None:
            options["out"] = tuple(_plain(one) for one in out)
        return getattr(ufunc, method)(*(_plain(one) for one in inputs), **options)

    def __array_function__(self, function: Any, types: Any, arguments: Any, options: Any) -> Any:
        """Apply a function of numpy, once the size is compared.

        Parameters
        ----------
        function, types, arguments, options
            As numpy has it.
        """
        self.check()
        return super().__array_function__(function, types, arguments, options)


def _comparing(name: str) -> Any:
    """Method of numpy's arrays that reads them, once the size is compared."""
    method = getattr(np.memmap, name)

    @functools.wraps(method)
    def compare(self: MappedStates, *arguments: Any, **options: Any) -> Any:
        self.check()
        return method(self, *arguments, **options)

    return compare


_READING = (
    *("astype", "copy", "tobytes", "tolist", "flatten", "ravel", "take", "dot", "item", "argmax", "argmin", "argsort"),
    *("nonzero", "repeat", "compress", "choose", "searchsorted", "tofile", "byteswap"),
    *("__reduce__", "__copy__", "__deepcopy__"),
)
for _name in _READING:
    setattr(MappedStates, _name, _comparing(_name))


def _plain(value: Any) -> Any:
    if isinstance(value, MappedStates):
        value.check()
        return value.view(np.ndarray)
    return value


def map_stacked(path: Path, inside: Path | None = None) -> tuple[tuple[int, ...], np.ndarray]:
    """Memory-map a file of tensors ``layer.000`` … of one shape.

    Parameters
    ----------
    path
        A file of :func:`nbtoolkit.storage.files.write_stacked`.
    inside
        As for :func:`nbtoolkit.files.regular_file`.

    Returns
    -------
    layers, states : (n_layers,), (n, n_layers, d)
        ``states[:, k]`` is one contiguous piece of the file.

    Raises
    ------
    StudyError
        The file is missing, no safetensors by the rules of that library (offsets without holes, header of at most 100 MB), or
        holds something else.
    """
    size = regular_file(path, StudyError, inside=inside).stat().st_size
    header, start = _header(path)
    names = sorted(header, key=lambda name: (header[name]["data_offsets"], name))
    kinds = {(header[n]["dtype"], tuple(header[n]["shape"])) for n in names}
    numbers = [name.removeprefix(_LAYER) for name in names]
    if (
        len(kinds) != 1
        or names != sorted(names)
        or not all(
            n.isdecimal() and n.isascii() and name == f"{_LAYER}{n}" for n, name in zip(numbers, names, strict=True)
        )
    ):
        raise StudyError(f"{str(path)!r} does not hold one tensor per layer, all of one shape. Copy it again.")
    ((kind, shape),) = kinds
    if kind not in _TYPES or len(shape) != 2:
        raise StudyError(
            f"{str(path)!r} holds tensors {kind} of shape {shape}; expected F32 or F16, (n, d_model). Copy it again."
        )
    n, d = shape
    layers = tuple(map(int, numbers))
    if n * d == 0:
        return layers, np.zeros((n, len(names), d), _TYPES[kind])
    states = MappedStates(path, _TYPES[kind], "r", start, (len(names), n, d))
    states._size = size
    return layers, states.transpose(1, 0, 2)


def _header(path: Path) -> tuple[Mapping[str, Any], int]:
    """Header of a safetensors file that the library has accepted, and where its tensors begin."""
    try:
        with safe_open(path, "np"):
            pass
        with path.open("rb") as file:
            length = struct.unpack("<Q", file.read(8))[0]
            content = file.read(length)
    except Exception as error:  # SafetensorError, OSError, MemoryError
        raise _damaged(path, error) from error
    header = parse_json(content, f"The header of {str(path)!r}", StudyError)
    header.pop("__metadata__", None)
    return header, 8 + length


def read_tensors(path: Path, inside: Path | None = None) -> dict[str, np.ndarray]:
    """All tensors of a safetensors file, by name.

    Parameters
    ----------
    path
        The file.
    inside
        As for :func:`nbtoolkit.files.regular_file`.

    Raises
    ------
    StudyError
        The file is missing or no safetensors.
    """
    regular_file(path, StudyError, inside=inside)
    _header(path)
    try:
        return dict(load_file(path))
    except Exception as error:  # SafetensorError, OSError, KeyError for types that numpy lacks, MemoryError
        raise _damaged(path, error) from error


def _damaged(path: Path, error: Exception) -> StudyError:
    return StudyError(f"{str(path)!r} cannot be read as safetensors ({first_line(error)}). Copy it again.")


def read_table(
    path: Path,
    columns: Mapping[str, str],
    rows: int | None = None,
    most: int = 2**31 - 1,
    inside: Path | None = None,
) -> dict[str, list[Any]]:
    """Columns of a Parquet file as lists; a value that repeats is in memory once.

    Parameters
    ----------
    path
        The file.
    columns
        Name to what each value is: ``"text"``, ``"bytes"``, ``"whole"``, or ``"texts"``, a tuple of texts. Others are refused.
    rows
        Number of rows; any where None.
    most
        Largest number of values in a column.
    inside
        As for :func:`nbtoolkit.files.regular_file`.

    Raises
    ------
    StudyError
        The file is missing or no Parquet, its columns are of other names, types or length, or a value is missing.
    """
    with open_parquet(path, StudyError, inside=inside, values=most) as file:
        n, names = file.metadata.num_rows, file.schema_arrow.names
        leaves = [file.schema.column(k).path for k in range(len(file.schema))]
    if sorted(names) != sorted(columns):
        raise StudyError(f"{str(path)!r} has the columns {names}; expected {list(columns)}. Copy it again.")
    if rows is not None and n != rows:
        raise StudyError(f"{str(path)!r} has {n:,} rows; expected {rows:,}, one per row of the states. Copy it again.")
    try:
        with pq.ParquetFile(path, read_dictionary=leaves, page_checksum_verification=True) as file:
            table = file.read()
        return {name: _column(table[name], kind, f"The column {name!r}") for name, kind in columns.items()}
    except Exception as error:  # ArrowInvalid, OSError, UnicodeDecodeError, MemoryError …
        raise StudyError(f"{str(path)!r} is damaged ({first_line(error)}). Copy it again.") from error


def _column(chunks: pa.ChunkedArray, kind: str, what: str) -> list[Any]:
    if chunks.null_count:
        raise ValueError(f"{what} lacks {chunks.null_count} values")
    values: list[Any] = []
    for chunk in (c for c in chunks.chunks if len(c)):
        values += _lists(chunk, what) if kind == "texts" else _values(chunk, kind, what)
    return values


def _lists(chunk: pa.Array, what: str) -> list[tuple[str, ...]]:
    if not pa.types.is_list(chunk.type) and not pa.types.is_large_list(chunk.type):
        raise ValueError(f"{what} has {chunk.type}; expected lists of texts")
    ends = np.cumsum(np.asarray(chunk.value_lengths()), dtype=np.int64).tolist()
    items = _values(chunk.flatten(), "text", what)
    return [tuple(items[a:b]) for a, b in zip([0, *ends], ends, strict=False)]


def _values(chunk: pa.Array, kind: str, what: str) -> list[Any]:
    coded = pa.types.is_dictionary(chunk.type)
    distinct = chunk.dictionary if coded else chunk
    if not len(chunk):
        return []
    if not _UNITS[kind](distinct.type) or chunk.null_count:
        raise ValueError(f"{what} has {chunk.type} with {chunk.null_count} missing; expected {kind}")
    values = distinct.to_pylist()
    return [values[k] for k in chunk.indices.to_pylist()] if coded else values
