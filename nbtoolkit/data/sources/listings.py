"""Listings of captioned images: JSON Lines and CSV, one image and caption per line."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ...errors import DataError
from .columns import find_column

Rows = dict[str, dict[str, Any]]  # id to {"image": path or paths, "captions": texts}
LISTINGS = ("captions.jsonl", "captions.csv", "metadata.jsonl", "metadata.csv", "captions.txt")
SUFFIXES = (".jsonl", ".csv", ".tsv", ".txt")


def read_listing(path: Path, root: Path, names: dict[str, str | None]) -> Rows:
    """Rows of a listing, by id; an image on several lines gets the captions of all of them, and other texts of the first.

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
    for number, line in lines(path):
        image, captions = (find_column(role, line, names[role]) for role in ("image", "captions"))
        if image is None or captions is None:
            role, usual = ("image", "file_name") if image is None else ("captions", "caption")
            raise DataError(
                f"{path}, line {number} has the columns {sorted(line)}; expected one for the {role}, such as {usual!r}."
            )
        files, default = image_files(root, line[image], f"{path}, line {number}")
        own = find_column("id", line, names["id"])
        key = str(line.get(own or "", default))
        texts = line[captions]
        roles = (image, captions, own, "id", "image", "captions")
        others = {k: v for k, v in line.items() if k not in roles and isinstance(v, str)}
        row = rows.setdefault(key, {"image": files, "captions": [], **others})
        if row["image"] != files:
            raise DataError(
                f"{path}, line {number}: the id {key!r} stands for another image before; expected one id per image."
            )
        row["captions"] += [texts] if isinstance(texts, str) else list(texts or [])
    if not rows:
        raise DataError(f"{path} is empty; expected one line per image.")
    return rows


def lines(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """Lines of a listing, each with its number, as a mapping from column to value.

    Parameters
    ----------
    path
        The listing.

    Raises
    ------
    DataError
        A line is no JSON object, or has another number of fields than the header.
    """
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


def image_files(root: Path, names: Any, place: str) -> tuple[str | list[str], str]:
    """Paths of a row's image, or of its images, and the id of a row that has none: their names.

    Parameters
    ----------
    root
        The folder of the images.
    names
        File name, relative to it, or a list of these.
    place
        Where they were read, for the message.

    Raises
    ------
    DataError
        A file lies elsewhere, or the list is empty.
    """
    if not isinstance(names, list):
        file = inside(root, names, place)
        return str(file), str(file.relative_to(root.resolve()))
    if not names:
        raise DataError(f"{place} has an empty list of images; expected at least one file name.")
    files = [inside(root, name, place) for name in names]
    return [str(file) for file in files], " + ".join(str(file.relative_to(root.resolve())) for file in files)


def has_header(path: Path) -> bool:
    """Whether the first line of a text file names columns of images and captions, as Flickr's ``captions.txt`` does.

    Parameters
    ----------
    path
        The file.
    """
    with path.open(encoding="utf-8-sig", errors="replace") as file:
        columns = [c.strip().strip('"').lower() for c in re.split(r"[,;\t|]", file.readline(10_000))]
    return all(find_column(role, columns, None) for role in ("image", "captions"))


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
        whole = " For a listing with absolute paths, give images='/'." if Path(str(name)).is_absolute() else ""
        raise DataError(f"{place}: the image {name!r} does not lie in the folder {str(root)!r}.{whole}") from error
    return file
