"""Captioned images through one function, ``load_data``: the embedded world, Parquet, folders, Hugging Face data sets."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import datasets
import pyarrow.compute as pc
from PIL import Image

from ..errors import DataError
from ..files import exists, user_path
from ..toy.names import WORLDS
from ..toy.world.scenes import scenes
from ..types.arguments import checked
from ..types.rules import Number
from .images import first_image, read_image, read_images
from .normal_form import LISTS, find_columns, is_images, normal_form
from .normal_form import no_dataset_bars as no_dataset_bars
from .sources.files import open_path
from .sources.hub import is_repository, one_split, open_repository
from .sources.tables import is_frame, is_records, read_table, rooted

_TOY_SIZE = {"train": 3000, "test": 800, "heldout": 800, "shifted": 800}
_FILES = (".parquet", ".json", ".jsonl", ".csv", ".tsv", ".txt")


@checked
def load_data(
    source: Any,
    *,
    split: str | None = None,
    image: str | None = None,
    captions: str | None = None,
    id: str | None = None,
    n: Number | None = None,
    images: Any = None,
    config: str | None = None,
    streaming: bool = False,
) -> datasets.Dataset:
    """Load captioned images as a data set with the columns ``id``, ``image`` and ``captions``.

    Parameters
    ----------
    source
        ``"toy"`` (the embedded world) or ``"toy-second"`` (the second one, on which ``"toy-plain"`` and ``"toy-smollm2"``
        are trained); a Parquet file; a listing (``.jsonl``, ``.csv`` or Flickr's ``captions.txt`` with
        a file name and a caption per line; an image may have several lines, a line of ``.jsonl`` a list of images), or
        a folder that has one named ``captions`` or ``metadata``; COCO captions (``.json``, the official format or
        Karpathy's); conversations of LLaVA (``.json`` or ``.jsonl``: the first response is the caption, the first
        question the column ``question``); a JSON list of records; a Hugging Face id; any object of ``datasets``; a pandas
        DataFrame, or a list of records, with such columns.
    split
        ``"train"``, ``"test"`` or ``"heldout"`` of an embedded world, ``"shifted"`` of the second one; the split of a Hugging Face data set, or of a
        Karpathy file (``"train+restval"`` joins two).
    image, captions, id
        Names of the columns; detected where not given. Captions are one text or several per image, or records with a text
        (``{"raw": "a dog"}``). Rows of one id and one image become one row, with the captions of all.
    n
        Number of images to keep, from the first (for the embedded world: number of scenes to draw).
    images
        Folder of the images that a listing, a COCO file or a column of paths names. Of a file, its own folder otherwise.
    config
        Configuration of a Hugging Face data set that has several.
    streaming
        Take the first ``n`` rows of a Hugging Face data set without downloading the rest.

    Returns
    -------
    datasets.Dataset
        ``id`` (text, unique), ``image`` (PIL when read; lists where a row has several), ``captions`` (list of texts), and
        the other columns unchanged.

    Raises
    ------
    DataError
        A missing file, column or split (the message lists those that exist), a file that is damaged or in another encoding
        (with the line), a caption that is no text, an empty data set, an id of two images.

    Examples
    --------
    >>> import nbtoolkit as nbt
    >>> nbt.load_data("toy", split="test", n=2).column_names
    ['id', 'image', 'captions', 'factors']
    """
    if isinstance(source, str) and source in WORLDS:
        split = split or "train"
        size = _TOY_SIZE.get(split, 0) if n is None else n
        return captioned(scenes(size, split=split, world=WORLDS[source]))
    names = {"image": image, "captions": captions, "id": id}
    folder = None if images is None else user_path(images, DataError)
    if isinstance(source, str | os.PathLike):
        path = user_path(source, DataError)
        if is_repository(path) or (_is_hub_id(source) and not exists(path)):
            source = open_repository(str(path) if exists(path) else str(source), config, split, streaming, n)
        else:
            source = open_path(path, names, folder, split)
            if path.suffix != ".parquet":
                names, folder = dict.fromkeys(names), None  # a listing's columns are renamed, and its paths are whole
    elif split is None and (is_frame(source) or is_records(source)):
        source = read_table(source, names)
    elif split is not None and not isinstance(source, dict):
        raise DataError(
            f"split={split!r} was given, but a {type(source).__name__} has no splits. Select the rows first, or leave split out."
        )
    else:
        source = one_split(source, split, n)
    if not isinstance(source, datasets.Dataset):
        raise DataError(
            f"data is a {type(source).__name__}; expected 'toy', 'toy-second', a Parquet file, a folder with captions.jsonl, a pandas "
            "DataFrame or a datasets.Dataset."
        )
    if n is not None:
        source = source.select(range(min(n, len(source))))
    if len(source) == 0:
        raise DataError("The data set is empty; expected at least one image with a caption.")
    if folder is not None:
        source = rooted(source, find_columns(source, names)["image"], folder)
    return normal_form(source, names)


def _is_hub_id(source: str | os.PathLike[str]) -> bool:
    """Whether a text looks like a Hugging Face id: one or two plain words, without the ending of a data file."""
    if not isinstance(source, str) or Path(source).suffix in _FILES:
        return False
    return re.fullmatch(r"[\w.-]+(/[\w.-]+)?", source) is not None


def captioned(data: Any) -> Any:
    """Data set with the columns that the stages need: unchanged where it has them, else through :func:`load_data`.

    Parameters
    ----------
    data
        A data set, or what :func:`load_data` takes.
    """
    if isinstance(data, datasets.Dataset) and len(data):
        kinds = {name: data.features.get(name) for name in ("id", "image", "captions")}
        text = datasets.Value("string")
        texts = kinds["id"] == text and kinds["captions"] == datasets.List(text)
        if texts and is_images(kinds["image"]) and data.format["type"] != "custom":  # a transform may give others
            return data if data.format["type"] is None else data.with_format(None)
    return load_data(data)


def raw_images(data: Any) -> Any:
    """Data set with undecoded images, so that one unreadable file does not stop the others.

    Parameters
    ----------
    data
        A captioned data set.
    """
    undecoded = datasets.Image(decode=False)
    if not isinstance(data.features["image"], LISTS):
        return data.cast_column("image", undecoded)
    # cast_column would copy lists; the table stays as it is
    features = data.features.copy() | {"image": datasets.List(undecoded)}
    info = data.info.copy()
    info.features = datasets.Features(features)
    table = data.data.cast(info.features.arrow_schema)
    return datasets.Dataset(table, info=info, split=data.split, indices_table=data._indices)


def image_counts(data: Any, rows: Sequence[int]) -> list[int]:
    """Number of images per row; nothing is decoded.

    Parameters
    ----------
    data
        A captioned data set.
    rows
        Its rows.
    """
    if not isinstance(data.features["image"], LISTS):
        return [1] * len(rows)
    counts: list[int] = []
    for part in data.select_columns(["image"]).select(rows).with_format("arrow").iter(1000):
        counts += [n or 0 for n in pc.list_value_length(part["image"]).to_pylist()]
    return counts


def images_by_id(data: Any, ids: Sequence[str], side: int | None = None) -> Iterator[Image.Image]:
    """Images of samples, decoded one at a time, in the given order; the first of a sample with several.

    Parameters
    ----------
    data
        A captioned data set.
    ids
        Ids of the samples.
    side
        As for :func:`nbtoolkit.data.read_image`.
    """
    return (read_image(first_image(cell), side) for cell in _cells(data, ids))


def rows_by_id(data: Any, ids: Sequence[str]) -> Iterator[Any]:
    """As :func:`images_by_id`, with a list for a sample with several images.

    Parameters
    ----------
    data, ids
        As for :func:`images_by_id`.
    """
    return (read_images(cell) for cell in _cells(data, ids))


def _cells(data: Any, ids: Sequence[str]) -> Iterator[Any]:
    raw = raw_images(data)
    row = {i: k for k, i in enumerate(raw["id"][:])}  # a slice: a column that is iterated decodes row by row
    return (raw[row[i]]["image"] for i in ids)
