"""Listings of captioned images: JSON Lines and CSV, one image and caption per line."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ...errors import DataError
from .columns import find_column

Rows = dict[str, dict[str, Any]]  # id to {"image": path, "captions": texts}
LISTINGS = ("captions.jsonl", "captions.csv", "metadata.jsonl", "metadata.csv")
SUFFIXES = (".jsonl", ".csv", ".tsv")


def read_listing(path: Path, root: Path, names: dict[str, str | None]) -> Rows:
    """Rows of a listing, by id; an image on several lines gets the captions of all of them.

    Parameters
    ----------
    path
        The listing.
    root
        Folder that the file names are relative to; files outside it are refused.
    names
        Column of each role, where the caller named it.

    Raises
    ------
    DataError
        A line cannot be read, lacks a column, or names a file outside ``root``; an id stands for two images.
    """
    rows: Rows = {}
    for number, line in _lines(path):
        image, captions = (find_column(role, line, names[role]) for role in ("image", "captions"))
        if image is None or captions is None:
            role, usual = ("image", "file_name") if image is None else ("captions", "caption")
            raise DataError(
                f"{path}, line {number} has the columns {sorted(line)}; expected one for the {role}, such as {usual!r}."
            )
        file = inside(root, line[image], f"{path}, line {number}")
        key = str(line.get(find_column("id", line, names["id"]) or "", file.relative_to(root.resolve())))
        texts = line[captions]
        row = rows.setdefault(key, {"image": str(file), "captions": []})
        if row["image"] != str(file):
            raise DataError(
                f"{path}, line {number}: the id {key!r} stands for another image before; expected one id per image."
            )
        row["captions"] += [texts] if isinstance(texts, str) else list(texts or [])
    if not rows:
        raise DataError(f"{path} is empty; expected one line per image.")
    return rows


def _lines(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    if path.suffix == ".jsonl":
        for number, line in enumerate(path.read_text("utf-8").splitlines(), 1):
            if line.strip():
                try:
                    yield number, dict(json.loads(line))
                except (ValueError, TypeError) as error:
                    raise DataError(f"{path}, line {number}: {line[:80]!r} is not a JSON object ({error}).") from error
        return
    with path.open(encoding="utf-8-sig", newline="") as file:
        first = file.readline()
        file.seek(0)
        delimiter = max(",;\t|", key=first.count)
        reader: Any = csv.DictReader(file, delimiter=delimiter, skipinitialspace=True)
        for line in reader:
            if None in line or None in line.values():
                expected, present = len(reader.fieldnames or []), sum(v is not None for v in line.values())
                count = f"more than {present - 1}" if None in line else str(present)
                raise DataError(
                    f"{path}, line {reader.line_num} has {count} fields; expected {expected}, as in the header. "
                    "Put texts with commas in quotes."
                )
            yield reader.line_num, dict(line)


def inside(root: Path, name: Any, place: str) -> Path:
    """Resolve a file name that must lie in a folder.

    Parameters
    ----------
    root
        The folder.
    name
        File name, relative to it.
    place
        Where the name was read, for the message.

    Raises
    ------
    DataError
        The file lies elsewhere.
    """
    try:
        file = (root / str(name)).resolve()
        file.relative_to(root.resolve())
    except (ValueError, OSError) as error:
        raise DataError(f"{place}: the image {name!r} does not lie in the folder {str(root)!r}.") from error
    return file
