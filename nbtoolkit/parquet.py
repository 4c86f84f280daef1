"""Parquet files of others: what they hold uncompressed is read from their metadata before their columns are."""

from __future__ import annotations

from pathlib import Path

import pyarrow.parquet as pq

from .errors import DataError, NbtoolkitError, first_line
from .files import regular_file

EXTRA = 256 << 20  # bytes beyond twice the file's size
VALUES = 1 << 31  # in one column


def open_parquet(
    path: Path, error: type[NbtoolkitError] = DataError, *, inside: Path | None = None, extra: int = EXTRA
) -> pq.ParquetFile:
    """Open a Parquet file of which only the metadata were read; close it, or use it as a context.

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

    Returns
    -------
    pyarrow.parquet.ParquetFile
        ``schema_arrow`` and ``metadata.num_rows`` are known; checksums of pages, where there are some, are verified when
        columns are read.

    Raises
    ------
    NbtoolkitError
        Of the given class: there is no such regular file, it is not Parquet, or its columns are larger.
    """
    size = regular_file(path, error, inside=inside).stat().st_size
    try:
        file = pq.ParquetFile(path, page_checksum_verification=True)
        about = file.metadata
        groups = [about.row_group(i) for i in range(about.num_row_groups)]
        columns = [group.column(k) for group in groups for k in range(group.num_columns)]
        whole = sum(max(0, column.total_uncompressed_size) for column in columns)
        longest = max((column.num_values for column in columns), default=0)
    except Exception as flaw:  # Arrow raises ArrowInvalid, OSError, NotImplementedError, KeyError …
        raise error(f"{str(path)!r} cannot be read as Parquet ({first_line(flaw)}). Write it again.") from flaw
    limit = extra + 2 * size
    if whole > limit or longest > VALUES or about.num_rows > VALUES:
        file.close()
        raise error(
            f"{str(path)!r} has {size:,} bytes and {whole:,} uncompressed, in {about.num_rows:,} rows; expected at most "
            f"{limit:,} uncompressed. Write it again in smaller files, without compression."
        )
    return file
