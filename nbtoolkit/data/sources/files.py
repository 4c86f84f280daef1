"""Files and folders as data sets: by their ending, or by the listing in them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import datasets

from ...errors import DataError
from .coco import read_coco
from .listings import LISTINGS, SUFFIXES, Rows, read_listing


def open_path(path: Path, names: dict[str, str | None], images: Path | None, split: str | None) -> Any:
    """Open a file or folder as a data set.

    Parameters
    ----------
    path
        A Parquet file, COCO captions (``.json``), a listing (``.jsonl``, ``.csv``), or a folder with a listing.
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
        return _dataset(read_coco(path, images, split))
    if split is not None:
        raise DataError(
            f"split={split!r} was given, but {path.name!r} has no splits. Select the rows first, or leave split out."
        )
    if path.suffix in SUFFIXES:
        return _dataset(read_listing(path, images or path.parent, names))
    return _parquet(path)


def _parquet(path: Path) -> Any:
    if path.suffix != ".parquet":
        raise DataError(
            f"{path.name!r} is not a Parquet file; expected a name that ends in .parquet, .jsonl, .csv or .json (COCO captions)."
        )
    try:
        return datasets.Dataset.from_parquet(str(path))
    except Exception as error:  # a Parquet reader has many ways to say "this is no Parquet file"
        raise DataError(f"{str(path)!r} cannot be read as Parquet ({type(error).__name__}: {error}).") from error


def _dataset(rows: Rows) -> Any:
    text = datasets.Value("string")
    features = datasets.Features({"id": text, "image": text, "captions": datasets.List(text)})
    return datasets.Dataset.from_list([{"id": i, **row} for i, row in rows.items()], features=features)
