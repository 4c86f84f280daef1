"""Files and folders as data sets: by their ending, or by the listing in them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import datasets

from ...errors import DataError
from .coco import read_coco
from .conversations import is_conversation, read_conversations
from .listings import LISTINGS, SUFFIXES, Rows, has_header, lines, read_listing

_HEAD = 1_000  # characters in which a JSON list begins


def open_path(path: Path, names: dict[str, str | None], images: Path | None, split: str | None) -> Any:
    """Open a file or folder as a data set.

    Parameters
    ----------
    path
        A Parquet file, COCO captions or conversations (``.json``), a listing (``.jsonl``, ``.csv``, ``captions.txt``), or
        a folder with a listing.
    names
        Column of each role, where the caller named it.
    images
        Folder that a listing's file names are relative to; the listing's own by default.
    split
        Split of a COCO file in Karpathy's format; several joined by "+".

    Raises
    ------
    DataError
        It does not exist, or cannot be read as that.
    """
    if not path.exists():
        raise DataError(
            f"There is no file or folder {str(path)!r}. Give 'toy', a Parquet file, COCO captions, or a folder with captions.jsonl."
        )
    if path.is_dir():
        listing = next((path / name for name in LISTINGS if (path / name).is_file()), None)
        if listing is None:
            raise DataError(
                f"The folder {str(path)!r} has no captions.jsonl; expected one line per image: "
                f'{{"file_name": "a.jpg", "captions": ["…"]}} (or {", ".join(LISTINGS[1:])}, or Parquet files).'
            )
        path = listing
    if path.suffix == ".json":
        entries = _conversations(path)
        if entries is None:
            return _dataset(read_coco(path, images, split))
        _no_split(path, split)
        return _dataset(read_conversations(path, entries, images))
    _no_split(path, split)
    if path.suffix == ".jsonl" and _begins_with_conversation(path):
        return _dataset(read_conversations(path, (line for _, line in lines(path)), images))
    if path.suffix in SUFFIXES and (path.suffix != ".txt" or has_header(path)):
        return _dataset(read_listing(path, images or path.parent, names))
    return _parquet(path)


def _no_split(path: Path, split: str | None) -> None:
    if split is not None:
        raise DataError(
            f"split={split!r} was given, but {path.name!r} has no splits. Select the rows first, or leave split out."
        )


def _conversations(path: Path) -> list[Any] | None:
    """Entries of a JSON file of conversations; None for another one, which the reader of COCO's format refuses."""
    try:
        with path.open(encoding="utf-8-sig") as file:
            if not file.read(_HEAD).lstrip().startswith("["):
                return None  # COCO's files are objects, and large
            file.seek(0)
            content = json.load(file)
    except ValueError:
        return None
    return content if isinstance(content, list) and content and is_conversation(content[0]) else None


def _begins_with_conversation(path: Path) -> bool:
    return is_conversation(next((line for _, line in lines(path)), None))


def _parquet(path: Path) -> Any:
    if path.suffix != ".parquet":
        raise DataError(
            f"{path.name!r} is not a Parquet file; expected a name that ends in .parquet, .jsonl, .csv or .json (COCO captions, "
            "conversations), or a .txt that begins with 'image,caption'."
        )
    try:
        return datasets.Dataset.from_parquet(str(path))
    except Exception as error:  # a Parquet reader has many ways to say "this is no Parquet file"
        raise DataError(f"{str(path)!r} cannot be read as Parquet ({type(error).__name__}: {error}).") from error


def _dataset(rows: Rows) -> Any:
    text = datasets.Value("string")
    several = any(isinstance(row["image"], list) for row in rows.values())
    if several:
        rows = {i: row | {"image": _as_list(row["image"])} for i, row in rows.items()}
    kinds = {"id": text, "image": datasets.List(text) if several else text, "captions": datasets.List(text)}
    others = dict.fromkeys(name for row in rows.values() for name in row if name not in kinds)
    filled = [{"id": i, **dict.fromkeys(others), **row} for i, row in rows.items()]
    return datasets.Dataset.from_list(filled, features=datasets.Features(kinds | dict.fromkeys(others, text)))


def _as_list(image: Any) -> list[str]:
    return image if isinstance(image, list) else [image]
