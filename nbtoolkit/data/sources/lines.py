"""Lines of listings: JSON Lines, and CSV line by line, so that a stray quotation mark costs no rows."""

from __future__ import annotations

import csv
import itertools
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from ...errors import DataError
from ...files import regular_file
from ...strict_json import parse_json
from .columns import find_column

LONGEST = 1 << 24  # bytes of a line
DELIMITERS = ",;\t|"
MOST_LINES = 32  # that one quoted text of a CSV file may have
_MARKS = {b"\xff\xfe": "UTF-16", b"\xfe\xff": "UTF-16"}
_TOO_LONG = "field larger than field limit"  # what Python's reader says of a text of 128 kB
_UNCLOSED = "unexpected end of data"  # and of a quotation mark that is not closed


def records(path: Path, image: str | None = None) -> Iterator[tuple[int, dict[str, Any]]]:
    """Lines of a listing, each with its number, as a mapping from column to value.

    Parameters
    ----------
    path
        The listing: ``.jsonl``, or else CSV with a header, separated by commas, semicolons, tabs or bars.
    image
        The column of the image in a CSV file; detected where not given.

    Raises
    ------
    DataError
        A line is not UTF-8, no JSON object, or has another number of fields than the header.
    """
    if path.suffix != ".jsonl":
        yield from _csv_records(path, image)
        return
    for number, line in text_lines(path):
        if line.strip():
            value = parse_json(line, f"{path}, line {number}")
            if not isinstance(value, dict):
                raise DataError(f"{path}, line {number}: {line[:80]!r} is not a JSON object; expected one per image.")
            yield number, value


def text_lines(path: Path) -> Iterator[tuple[int, str]]:
    """Lines of a UTF-8 file, each with its number; only a newline ends one, and a byte-order mark is left out.

    Parameters
    ----------
    path
        The file.

    Raises
    ------
    DataError
        It is no regular file, is in another encoding, or has a line of more than 16 MB.
    """
    try:
        with regular_file(path).open("rb") as file:
            for number in itertools.count(1):
                line = file.readline(LONGEST + 1)
                if not line:
                    return
                if len(line) > LONGEST:
                    raise DataError(
                        f"{path}, line {number} has more than {LONGEST:,} bytes; expected one image per line."
                    )
                yield number, _decoded(line, path, number).removesuffix("\n").removesuffix("\r")
    except OSError as error:
        raise DataError(f"{path} cannot be read ({error.strerror or error}).") from error


def _decoded(line: bytes, path: Path, number: int) -> str:
    try:
        return line.decode("utf-8-sig" if number == 1 else "utf-8")
    except UnicodeDecodeError as error:
        other = _MARKS.get(line[:2], "") if number == 1 else ""
        reason = f"begins as {other} does" if other else f"has the byte 0x{line[error.start]:02x} at {error.start + 1}"
        raise DataError(
            f"{path}, line {number} {reason}; expected UTF-8. Save the file as UTF-8, for example: "
            f"Path(file).write_text(Path(file).read_text({(other or 'cp1252').lower()!r}), 'utf-8')."
        ) from error


# --- CSV -------------------------------------------------------------------------------------------------


def _csv_records(path: Path, image: str | None) -> Iterator[tuple[int, dict[str, Any]]]:
    lines = [
        (number, part) for number, line in text_lines(path) for part in (line.split("\r") if "\r" in line else [line])
    ]
    start = next((k for k, (_, text) in enumerate(lines) if text.strip()), len(lines))
    if start == len(lines):
        return
    delimiter = max(DELIMITERS, key=lines[start][1].count)
    columns = [name.strip() for name in _fields(lines[start][1], delimiter)[0] or []]
    if not columns or len(set(columns)) < len(columns):
        raise DataError(
            f"{path}, line {lines[start][0]} has the columns {columns}; expected a header with each name once."
        )
    name = find_column("image", columns, image)
    place = columns.index(name) if name is not None else 0
    k = start + 1
    while k < len(lines):
        number, text = lines[k]
        n_lines, fields = 1, None
        if text.strip():
            n_lines, fields = _record(lines, k, delimiter, len(columns), place)
            if fields is None:
                raise _miscounted(path, number, text, delimiter, len(columns))
            yield number, dict(zip(columns, fields, strict=True))
        k += n_lines


def _record(
    lines: Sequence[tuple[int, str]], k: int, delimiter: str, n: int, place: int
) -> tuple[int, list[str] | None]:
    """Fields of the row that begins with a line, and its number of lines; None where their number is another.

    A quoted text may go on over lines, unless one of them looks like a row of its own. A quotation mark that is not closed
    is a character of its text.
    """
    text = lines[k][1]
    fields, reason = _fields(text, delimiter)
    own = _suffix(text.split(delimiter), place)
    for j in range(k + 1, min(k + MOST_LINES, len(lines))):
        following = lines[j][1].split(delimiter)
        if reason != _UNCLOSED or (len(following) == n and _suffix(following, place) == own):
            break
        text += "\n" + lines[j][1]
        fields, reason = _fields(text, delimiter)
        if fields is not None and len(fields) == n:
            return j - k + 1, fields
    if reason.startswith(_TOO_LONG):
        return 1, None
    if fields is None or "\n" in text:
        fields = _verbatim(lines[k][1], delimiter)
    return 1, fields if len(fields) == n else None


def _fields(text: str, delimiter: str) -> tuple[list[str] | None, str]:
    """Fields of a row, or None and the reason."""
    if '"' not in text:
        return _verbatim(text, delimiter), ""
    try:
        return next(csv.reader([text], delimiter=delimiter, skipinitialspace=True, strict=True)), ""
    except csv.Error as error:
        return None, str(error)


def _verbatim(text: str, delimiter: str) -> list[str]:
    return [field.lstrip(" ") for field in text.split(delimiter)]


def _suffix(fields: Sequence[str], place: int) -> str:
    name = fields[place].strip().strip('"') if place < len(fields) else ""
    return os.path.splitext(name)[1].lower()  # noqa: PTH122 - of any text: pathlib drops a slash at its end


def _miscounted(path: Path, number: int, text: str, delimiter: str, n: int) -> DataError:
    if _fields(text, delimiter)[1].startswith(_TOO_LONG):
        limit = csv.field_size_limit()
        return DataError(f"{path}, line {number} has a field of more than {limit:,} characters. Shorten the text.")
    count = len(_fields(text, delimiter)[0] or _verbatim(text, delimiter))
    unclosed = (
        " A quotation mark of the line is not closed: write it twice inside quotes." if text.count('"') % 2 else ""
    )
    return DataError(
        f"{path}, line {number} has {f'more than {n}' if count > n else count} fields; expected {n}, as in the header. "
        f"Put texts with commas in quotes.{unclosed}"
    )
