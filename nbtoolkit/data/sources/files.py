"""Files and folders as data sets: by their ending, or by the listing in them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import datasets

from ...errors import DataError
from ...files import exists, regular_file
from ...strict_json import read_json
from .coco import read_coco
from .columns import dataset_of, no_collection
from .conversations import is_conversation, read_conversations
from .lines import records
from .listings import LISTINGS, SUFFIXES, Rows, has_header, read_records
from .tables import read_parquet

MOST_COLUMNS = 1_000  # of a listing


@no_collection()
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
    if not exists(path):
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
    regular_file(path)
    if path.suffix == ".json":
        content = read_json(path)
        if not isinstance(content, list):
            return _dataset(read_coco(path, content, images, split))
        _no_split(path, split)
        return _dataset(_read_list(path, content, images or path.parent, names))
    _no_split(path, split)
    if path.suffix == ".jsonl" and _begins_with_conversation(path):
        return _dataset(read_conversations(path, (line for _, line in records(path)), images))
    if path.suffix in SUFFIXES and (path.suffix != ".txt" or has_header(path)):
        lines = ((f"{path}, line {number}", line) for number, line in records(path, names["image"]))
        return _dataset(read_records(lines, str(path), images or path.parent, names))
    return read_parquet(path)


def _no_split(path: Path, split: str | None) -> None:
    if split is not None:
        raise DataError(
            f"split={split!r} was given, but {path.name!r} has no splits. Select the rows first, or leave split out."
        )


def _read_list(path: Path, content: list[Any], root: Path, names: dict[str, str | None]) -> Rows:
    """Rows of a JSON list: conversations, or records with an image and captions."""
    if content and is_conversation(content[0]):
        return read_conversations(path, content, root)
    wrong = next((k for k, entry in enumerate(content) if not isinstance(entry, dict)), None)
    if wrong is not None or not content:
        what = "is an empty list" if wrong is None else f"is a list whose entry {wrong} is {str(content[wrong])[:60]!r}"
        raise DataError(
            f"{str(path)!r} {what}; expected COCO captions (a JSON object with 'images'), or a list of conversations or of records with "
            "an image and captions."
        )
    return read_records(((f"{path}, entry {k}", entry) for k, entry in enumerate(content)), str(path), root, names)


def _begins_with_conversation(path: Path) -> bool:
    return is_conversation(next((line for _, line in records(path)), None))


def _dataset(rows: Rows) -> Any:
    text = datasets.Value("string")
    several = any(isinstance(row["image"], list) for row in rows.values())
    if several:
        rows = {i: row | {"image": _as_list(row["image"])} for i, row in rows.items()}
    kinds = {"id": text, "image": datasets.List(text) if several else text, "captions": datasets.List(text)}
    others = dict.fromkeys(name for row in rows.values() for name in row if name not in kinds)
    if len(others) > MOST_COLUMNS:
        raise DataError(
            f"The listing has {len(others):,} columns, such as {list(others)[:3]}; expected at most {MOST_COLUMNS:,}. Leave the others out."
        )
    columns: dict[str, list[Any]] = {
        "id": list(rows),
        **{n: [row[n] for row in rows.values()] for n in ("image", "captions")},
    }
    columns |= {name: [row.get(name) for row in rows.values()] for name in others}
    return dataset_of(columns, kinds | dict.fromkeys(others, text))


def _as_list(image: Any) -> list[str]:
    return image if isinstance(image, list) else [image]
