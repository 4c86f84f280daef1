"""Parquet files of others: what they hold uncompressed is read from their footer before a column is."""

from __future__ import annotations

import itertools
import struct
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import pyarrow.parquet as pq

from .errors import DataError, NbtoolkitError, first_line
from .files import regular_file

EXTRA = 256 << 20  # bytes beyond twice the file's size
VALUES = 1 << 31  # in one column
_FOOTER = 1 << 28  # bytes
_HEADERS = 1 << 12, 1 << 20  # bytes of a page's header
_PAGES = 50_000  # of a column in a group of rows
_DEPTH = 16  # structures inside each other


def open_parquet(
    path: Path,
    error: type[NbtoolkitError] = DataError,
    *,
    inside: Path | None = None,
    extra: int = EXTRA,
    values: int = VALUES,
) -> pq.ParquetFile:
    """Open a Parquet file of which only the footer was read; close it, or use it as a context.

    Parameters
    ----------
    path
        The file.
    error
        Class of the error.
    inside
        As for :func:`nbtoolkit.files.regular_file`.
    extra
        Bytes that its columns may have, uncompressed, beyond twice the size of the file.
    values
        Most values of a column, those in lists counted singly.

    Returns
    -------
    pyarrow.parquet.ParquetFile
        ``schema_arrow`` and ``metadata.num_rows`` are known; do not ask its metadata for single columns, which ends the
        process where they are damaged. Checksums of pages, where there are some, are verified when columns are read.

    Raises
    ------
    NbtoolkitError
        Of the given class: there is no such regular file, it is not Parquet, or its columns are larger.
    """
    size = regular_file(path, error, inside=inside).stat().st_size
    try:
        whole, longest = _uncompressed(path)
        file = pq.ParquetFile(path, page_checksum_verification=True)
        longest = max(longest, file.metadata.num_rows)
    except Exception as flaw:  # Arrow raises ArrowInvalid, OSError, NotImplementedError, KeyError …
        raise error(f"{str(path)!r} cannot be read as Parquet ({first_line(flaw)}). Write it again.") from flaw
    limit = extra + 2 * size
    if whole <= limit and longest <= values:
        return file
    file.close()
    raise error(
        f"{str(path)!r} has {size:,} bytes and {whole:,} uncompressed, {longest:,} values in a column; expected at most "
        f"{limit:,} bytes and {values:,} values. Write it again in smaller files, without compression."
    )


class Chunk(NamedTuple):
    """What a Parquet file says of one column in one row group: the more of its footer and of its pages' headers.

    Attributes
    ----------
    encodings
        Numbers of the encodings, as in ``parquet.thrift``.
    n_values
        Number of values, those in lists counted singly.
    uncompressed
        Bytes of its pages, uncompressed; a value of a dictionary counts once.
    """

    encodings: tuple[int, ...]
    n_values: int
    uncompressed: int


def column_chunks(path: Path) -> list[list[Chunk]]:
    """Chunks of each row group, in the order of the columns; no page is decoded.

    Parameters
    ----------
    path
        A Parquet file that :func:`open_parquet` has opened.

    Raises
    ------
    ValueError
        The footer is damaged.
    """
    groups = []
    with path.open("rb") as file:
        for group in _footer(path, path.stat().st_size).get(4, ()):
            chunks = []
            for about in (column.get(3, {}) for column in group.get(1, ())):
                pages, values = _pages(file, about)
                chunks.append(Chunk(tuple(about.get(2, ())), max(values, about.get(5, 0)), max(pages, about.get(6, 0))))
            groups.append(chunks)
    return groups


def _uncompressed(path: Path) -> tuple[int, int]:
    """Uncompressed bytes of all columns, and values of the longest, by the footer (``parquet.thrift``: FileMetaData)."""
    groups = column_chunks(path)
    columns = itertools.zip_longest(*groups, fillvalue=Chunk((), 0, 0))
    longest = max((sum(chunk.n_values for chunk in column) for column in columns), default=0)
    return sum(chunk.uncompressed for group in groups for chunk in group), longest


def _pages(file: BinaryIO, about: dict[int, Any]) -> tuple[int, int]:
    """Uncompressed bytes and values by the headers of a column's pages: what Arrow allocates, whatever the footer says."""
    at = min((i for i in (about.get(9, 0), about.get(11, 0)) if i > 0), default=0)
    end = at + about.get(7, 0)
    whole = values = n = 0
    while 0 < at < end:
        header, length = _page_header(file, at)
        if not {1, 2, 3} <= header.keys():  # Arrow refuses it too
            break
        n += 1
        if n > _PAGES:
            raise ValueError(f"a column has more than {_PAGES:,} pages")
        whole += max(0, header[2])
        values += max(0, (header.get(5) or header.get(8) or {}).get(1, 0))
        at += length + max(0, header[3])
    return whole, values


def _page_header(file: BinaryIO, at: int) -> tuple[dict[int, Any], int]:
    for size in _HEADERS:  # few have large statistics
        file.seek(at)
        reader = _Compact(file.read(size))
        try:
            return reader.struct(), reader.at
        except ValueError:
            pass
    return {}, 0


def _footer(path: Path, size: int) -> dict[int, Any]:
    with path.open("rb") as file:
        file.seek(max(0, size - 8))
        end = file.read(8)
        length = struct.unpack("<I", end[:4])[0] if len(end) == 8 and end[4:] == b"PAR1" else size
        if length > min(size - 8, _FOOTER):
            raise ValueError("it does not end as Parquet does")
        file.seek(size - 8 - length)
        return _Compact(file.read(length)).struct()


class _Compact:
    """Reader of Thrift's compact protocol: structures as dicts by field number, numbers, bytes and lists."""

    def __init__(self, data: bytes) -> None:
        self.data, self.at, self.depth = data, 0, 0

    def struct(self) -> dict[int, Any]:
        self.depth += 1
        if self.depth > _DEPTH:
            raise ValueError("its footer is nested too deeply")
        fields: dict[int, Any] = {}
        number = 0
        while head := self._byte():
            number = number + (head >> 4) if head >> 4 else self._zigzag()
            kind = head & 15
            fields[number] = kind == 1 if kind in (1, 2) else self._value(kind)
        self.depth -= 1
        return fields

    def _value(self, kind: int) -> Any:
        if kind in (1, 2, 3):
            return self._byte()
        if kind in (4, 5, 6):
            return self._zigzag()
        if kind in (7, 8):
            return self._take(8 if kind == 7 else self._varint())
        if kind in (9, 10):
            head = self._byte()
            n = head >> 4 if head >> 4 < 15 else self._varint()
            if n > len(self.data) - self.at:
                raise ValueError("its footer is damaged")
            return [self.struct() if head & 15 == 12 else self._value(head & 15) for _ in range(n)]
        if kind == 12:
            return self.struct()
        raise ValueError("its footer is damaged")

    def _byte(self) -> int:
        return self._take(1)[0]

    def _take(self, n: int) -> bytes:
        if n > len(self.data) - self.at:
            raise ValueError("its footer is damaged")
        self.at += n
        return self.data[self.at - n : self.at]

    def _varint(self) -> int:
        value = 0
        for shift in range(0, 70, 7):
            byte = self._byte()
            value |= (byte & 127) << shift
            if byte < 128:
                return value
        raise ValueError("its footer is damaged")

    def _zigzag(self) -> int:
        value = self._varint()
        return (value >> 1) ^ -(value & 1)
