"""Listings of captioned images: records with a file name and captions, from JSON Lines, CSV or a JSON list."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from ...errors import DataError
from ...files import exists, regular_file
from .captions import caption_texts, identifier
from .columns import find_column

Rows = dict[str, dict[str, Any]]  # id to {"image": path or paths, "captions": texts}
LISTINGS = ("captions.jsonl", "captions.csv", "metadata.jsonl", "metadata.csv", "captions.txt")
SUFFIXES = (".jsonl", ".csv", ".tsv", ".txt")


class ImageFolder:
    """File names of images, which must be in one folder; each folder on the way is looked up once.

    Parameters
    ----------
    root
        The folder.

    Examples
    --------
    >>> ImageFolder(Path("/images")).files(["a.jpg", "b/c.jpg"], "line 3")
    (['/images/a.jpg', '/images/b/c.jpg'], 'a.jpg + b/c.jpg')
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self._home = os.path.realpath(root)
        self._folders: dict[str, str] = {}
        self._files: dict[str, str] = {}

    def files(self, names: Any, place: str) -> tuple[str | list[str], str]:
        """Paths of a row's image, or of its images, and the id of a row that has none: their names.

        Parameters
        ----------
        names
            File name, relative to the folder, or a list of these.
        place
            Where they were read, for the message.

        Raises
        ------
        DataError
            A name is no text or leads out of the folder, or the list is empty.
        """
        if not isinstance(names, list):
            file = self.file(names, place)
            return file, self._name(file)
        if not names:
            raise DataError(f"{place} has an empty list of images; expected at least one file name.")
        files = [self.file(name, place) for name in names]
        return files, " + ".join(map(self._name, files))

    def file(self, name: Any, place: str) -> str:
        """Path of an image.

        Parameters
        ----------
        name
            File name, relative to the folder.
        place
            Where it was read, for the message.

        Raises
        ------
        DataError
            The name is no text, or leads out of the folder.
        """
        if not isinstance(name, str) or not name.strip():
            raise DataError(f"{place}: the image is {name!r}; expected a file name.")
        if name in self._files:
            return self._files[name]
        try:
            folder, last = os.path.split(os.path.join(self._home, name))  # noqa: PTH118 - ten times as fast as pathlib
            if folder not in self._folders:
                self._folders[folder] = os.path.realpath(folder)
            file = os.path.join(self._folders[folder], last)  # noqa: PTH118 - ten times as fast as pathlib
            if last in ("", ".", "..") or os.path.islink(file):  # noqa: PTH114 - ten times as fast as pathlib
                file = os.path.realpath(file)
            name.encode()
            inside = "\0" not in name and file.startswith(self._home.rstrip(os.sep) + os.sep)
        except (ValueError, OSError):  # a lone surrogate, links in a circle
            inside = False
        if not inside:
            whole = " For a listing with absolute paths, give images='/'." if Path(name).is_absolute() else ""
            raise DataError(f"{place}: the image {name!r} does not lie in the folder {str(self.root)!r}.{whole}")
        self._files[name] = file
        return file

    def _name(self, file: str) -> str:
        return file[len(self._home.rstrip(os.sep)) + 1 :]


def read_records(
    lines: Iterable[tuple[str, Mapping[str, Any]]], whole: str, root: Path, names: Mapping[str, str | None]
) -> Rows:
    """Rows of a listing, by id; an image on several lines gets the captions of all of them, and other texts of the first.

    Parameters
    ----------
    lines
        Each line as a mapping from column to value, after its place, for messages.
    whole
        The listing, for messages.
    root
        Folder that the file names are relative to; files outside it are refused.
    names
        Column of each role, where the caller named it.

    Raises
    ------
    DataError
        A line lacks a column, has a value of another type, or names a file outside ``root``; an id stands for two images.
    """
    rows: Rows = {}
    folder = ImageFolder(root)
    columns: dict[tuple[str, ...], list[str | None]] = {}  # of lines with the same names
    for place, line in lines:
        given = tuple(line)
        if given not in columns:
            columns[given] = [find_column(role, given, names[role]) for role in ("image", "captions", "id")]
        image, captions, own = columns[given]
        if image is None or captions is None:
            role, usual = ("image", "file_name") if image is None else ("captions", "caption")
            raise DataError(f"{place} has the columns {sorted(line)}; expected one for the {role}, such as {usual!r}.")
        files, default = folder.files(line[image], place)
        key = identifier(line[own], place) if own is not None else None
        key = default if key is None else key
        roles = (image, captions, own, "id", "image", "captions")
        others = {k: v for k, v in line.items() if k not in roles and isinstance(v, str)}
        row = rows.setdefault(key, {"image": files, "captions": [], **others})
        if row["image"] != files:
            raise DataError(f"{place}: the id {key!r} stands for another image before; expected one id per image.")
        row["captions"] += caption_texts(line[captions], place)
    if not rows:
        raise DataError(f"{whole} is empty; expected one line per image.")
    return rows


def first_image_exists(rows: Rows, path: Path) -> None:
    """Refuse rows whose first image is no file, because then their folder is another.

    Parameters
    ----------
    rows
        The rows.
    path
        The file that names the images.

    Raises
    ------
    DataError
        There is no such file.
    """
    first = next(iter(rows.values()), {"image": None})["image"]
    first = first[0] if isinstance(first, list) else first
    if first is not None and not (exists(first) and Path(first).is_file()):
        raise DataError(
            f"The first image of {path.name!r} is not at {first!r}; name the folder: load_data({str(path)!r}, images='folder')."
        )


def has_header(path: Path) -> bool:
    """Whether the first line of a text file names columns of images and captions, as Flickr's ``captions.txt`` does.

    Parameters
    ----------
    path
        The file.
    """
    with regular_file(path).open(encoding="utf-8-sig", errors="replace") as file:
        columns = [c.strip().strip('"').lower() for c in re.split(r"[,;\t|]", file.readline(10_000))]
    return all(find_column(role, columns, None) for role in ("image", "captions"))
