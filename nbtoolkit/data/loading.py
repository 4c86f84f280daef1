"""Captioned images through one function, ``load_data``: the embedded world, Parquet, folders, Hugging Face data sets."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import datasets
import pyarrow.compute as pc
from PIL import Image

from ..errors import DataError
from ..toy.names import WORLDS
from ..toy.world.scenes import scenes
from ..types.arguments import checked
from ..types.rules import Number
from .images import first_image, read_image, read_images
from .sources.columns import find_column
from .sources.files import open_path
from .sources.hub import is_repository, one_split, open_repository

_TOY_SIZE = {"train": 3000, "test": 800, "heldout": 800, "shifted": 800}
_LISTS = (datasets.List, datasets.LargeList)
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
        question the column ``question``); a Hugging Face id; any object of ``datasets``.
    split
        ``"train"``, ``"test"`` or ``"heldout"`` of an embedded world, ``"shifted"`` of the second one; the split of a Hugging Face data set, or of a
        Karpathy file (``"train+restval"`` joins two).
    image, captions, id
        Names of the columns; detected where not given. Captions may be one text or several per image.
    n
        Number of images to keep, from the first (for the embedded world: number of scenes to draw).
    images
        Folder of the images that a listing or a COCO file names; the file's own folder otherwise.
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
        A missing file, column or split (the message lists those that exist), an empty data set, repeated ids.

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
    if isinstance(source, str | Path):
        folder = None if images is None else Path(images)
        path = Path(source).expanduser()
        if is_repository(path) or (_is_hub_id(source) and not path.exists()):
            source = open_repository(str(source), config, split, streaming, n)
        else:
            source = open_path(path, names, folder, split)
            names = names if path.suffix == ".parquet" else dict.fromkeys(names)  # whatever a listing calls its columns
    elif split is not None and not isinstance(source, dict):
        raise DataError(
            f"split={split!r} was given, but a {type(source).__name__} has no splits. Select the rows first, or leave split out."
        )
    else:
        source = one_split(source, split, n)
    if not isinstance(source, datasets.Dataset):
        raise DataError(
            f"data is a {type(source).__name__}; expected 'toy', 'toy-second', a Parquet file, a folder with captions.jsonl, or a datasets.Dataset."
        )
    if n is not None:
        source = source.select(range(min(n, len(source))))
    if len(source) == 0:
        raise DataError("The data set is empty; expected at least one image with a caption.")
    return _normalise(source, names)


def _is_hub_id(source: str | Path) -> bool:
    """Whether a text looks like a Hugging Face id: one or two plain words, without the ending of a data file."""
    if not isinstance(source, str) or Path(source).suffix in _FILES:
        return False
    return re.fullmatch(r"[\w.-]+(/[\w.-]+)?", source) is not None


def _normalise(data: Any, names: dict[str, str | None]) -> Any:
    """Rename, type and order the columns."""
    columns = _find_columns(data, names)
    captions = data[columns["captions"]]
    ids = [str(i) for i in data[columns["id"]]] if columns["id"] else [str(i) for i in range(len(data))]
    if len(set(ids)) < len(ids):
        repeated = next(i for i in ids if ids.count(i) > 1)
        raise DataError(
            f"The id {repeated!r} occurs more than once in column {columns['id']!r}; expected one id per image."
        )
    result = data.select_columns([columns["image"]])
    if columns["image"] != "image":
        result = result.rename_column(columns["image"], "image")
    listed = isinstance(result.features["image"], _LISTS)
    if not _is_images(result.features["image"]):
        with no_dataset_bars():
            result = result.cast_column("image", datasets.List(datasets.Image()) if listed else datasets.Image())
    texts = [[c] if isinstance(c, str) else [t for t in (c or []) if t] for c in captions]
    feature = datasets.List(datasets.Value("string"))
    result = result.add_column("id", ids).add_column("captions", texts, feature=feature)
    rest = [c for c in data.column_names if c not in columns.values() and c not in result.column_names]
    if rest:
        result = datasets.concatenate_datasets([result, data.select_columns(rest)], axis=1)
    return result.select_columns(["id", "image", "captions", *rest])


def _find_columns(data: Any, names: dict[str, str | None]) -> dict[str, Any]:
    typed = [c for c, kind in data.features.items() if _is_images(kind)]
    columns: dict[str, Any] = {}
    for role, name in names.items():
        by_type = role == "image" and name is None and typed
        columns[role] = typed[0] if by_type else find_column(role, data.column_names, name)
    for role in ("image", "captions"):
        if columns[role] is None:
            raise DataError(
                f"No column of {data.column_names} looks like the {role}; name it: load_data(…, {role}='column')."
            )
    return columns


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
        if texts and _is_images(kinds["image"]):
            return data
    return load_data(data)


def _is_images(kind: Any) -> bool:
    """Whether a column's type is an image, or a list of images."""
    return isinstance(kind.feature if isinstance(kind, _LISTS) else kind, datasets.Image)


def raw_images(data: Any) -> Any:
    """Data set with undecoded images, so that one unreadable file does not stop the others.

    Parameters
    ----------
    data
        A captioned data set.
    """
    undecoded = datasets.Image(decode=False)
    if not isinstance(data.features["image"], _LISTS):
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
    if not isinstance(data.features["image"], _LISTS):
        return [1] * len(rows)
    counts: list[int] = []
    for part in data.select_columns(["image"]).select(rows).with_format("arrow").iter(1000):
        counts += [n or 0 for n in pc.list_value_length(part["image"]).to_pylist()]
    return counts


def images_by_id(data: Any, ids: Sequence[str]) -> Iterator[Image.Image]:
    """Images of samples, decoded one at a time, in the given order; the first of a sample with several.

    Parameters
    ----------
    data
        A captioned data set.
    ids
        Ids of the samples.
    """
    return (read_image(first_image(cell)) for cell in _cells(data, ids))


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
    row = {i: k for k, i in enumerate(raw["id"])}
    return (raw[row[i]]["image"] for i in ids)


@contextlib.contextmanager
def no_dataset_bars() -> Iterator[None]:
    """Hide the progress bars of ``datasets`` while the block lasts; the caller's setting is restored."""
    enabled = datasets.is_progress_bar_enabled()
    datasets.disable_progress_bars()
    try:
        yield
    finally:
        if enabled:
            datasets.enable_progress_bars()
