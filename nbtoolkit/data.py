"""Captioned pictures: one door, ``load_data``, for the embedded world, Parquet, folders and Hugging Face data sets."""

from __future__ import annotations

import io
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image, ImageOps

from .doors import find_column, from_hub, is_repository, one_split, open_path
from .errors import DataError

if TYPE_CHECKING:
    import datasets

_TOY_SIZE = {"train": 3000, "test": 800, "heldout": 800}
_FILES = (".parquet", ".json", ".jsonl", ".csv", ".tsv")


def load_data(source: Any, *, split: str | None = None, image: str | None = None, captions: str | None = None, id: str | None = None,
              n: int | None = None, images: Any = None, config: str | None = None, streaming: bool = False) -> datasets.Dataset:  # fmt: skip
    """Load captioned pictures as a data set with the columns ``id``, ``image`` and ``captions``.

    Parameters
    ----------
    source
        ``"toy"`` (the embedded world); a Parquet file; a listing (``.jsonl`` or ``.csv`` with a file name and a
        caption a line; a picture may have several lines), or a folder that has one named ``captions`` or
        ``metadata``; COCO captions (``.json``, the official format or Karpathy's); a Hugging Face id; anything of
        ``datasets``.
    split
        ``"train"``, ``"test"`` or ``"heldout"`` of the embedded world; the split of a Hugging Face data set, or of a
        Karpathy file (``"train+restval"`` joins two).
    image, captions, id
        Names of the columns; detected where not given. Captions may be one text or several a picture.
    n
        Keep the first ``n`` pictures only (for the embedded world: how many scenes to draw).
    images
        Folder of the pictures that a listing or a COCO file names; the file's own folder otherwise.
    config
        Configuration of a Hugging Face data set that has several.
    streaming
        Take the first ``n`` rows of a Hugging Face data set without downloading the rest.

    Returns
    -------
    datasets.Dataset
        ``id`` (text, unique), ``image`` (PIL when read), ``captions`` (list of texts), and the other columns as they were.

    Raises
    ------
    DataError
        A missing file, column or split (the message lists those that are there), an empty data set, ids that repeat.

    Examples
    --------
    >>> import nbtoolkit as nbt
    >>> nbt.load_data("toy", split="test", n=2).column_names
    ['id', 'image', 'captions', 'factors']
    """
    import datasets

    if isinstance(source, str) and source == "toy":
        from .toy import scenes

        split = split or "train"
        return captioned(scenes(_TOY_SIZE.get(split, 0) if n is None else n, split=split))
    names = {"image": image, "captions": captions, "id": id}
    if isinstance(source, str | Path):
        source = _open(source, names, None if images is None else Path(images), split, config, streaming, n)
    elif split is not None and not isinstance(source, dict):
        raise DataError(
            f"split={split!r} was given, but a {type(source).__name__} has no splits. Select the rows first, or leave split out."
        )
    else:
        source = one_split(source, split, n)
    if not isinstance(source, datasets.Dataset):
        raise DataError(
            f"data is a {type(source).__name__}; expected 'toy', a Parquet file, a folder with captions.jsonl, or a datasets.Dataset."
        )
    if n is not None:
        source = source.select(range(min(n, len(source))))
    if len(source) == 0:
        raise DataError("The data set is empty; expected at least one picture with a caption.")
    listed = source.column_names == ["id", "image", "captions"]  # whatever the file called them
    return _normalise(source, dict.fromkeys(names) if listed else names, datasets)


def _open(source: str | Path, names: dict[str, str | None], images: Path | None, split: str | None, config: str | None,
          streaming: bool, n: int | None) -> Any:  # fmt: skip
    """Open a path, or else a Hugging Face id: a text of one or two plain words that no file has."""
    path = Path(source).expanduser()
    plain = isinstance(source, str) and re.fullmatch(r"[\w.-]+(/[\w.-]+)?", source) and path.suffix not in _FILES
    if is_repository(path) or (plain and not path.exists()):
        return from_hub(str(source), config, split, streaming, n)
    return open_path(path, names, images, split)


def _normalise(data: Any, names: dict[str, str | None], datasets: Any) -> Any:
    typed = [c for c, kind in data.features.items() if isinstance(kind, datasets.Image)]
    for role, given in names.items():
        names[role] = (
            typed[0] if role == "image" and given is None and typed else find_column(role, data.column_names, given)
        )
    for role in ("image", "captions"):
        if names[role] is None:
            raise DataError(
                f"No column of {data.column_names} looks like the {role}; name it: load_data(…, {role}='column')."
            )
    captions = data[names["captions"]]
    ids = [str(i) for i in data[names["id"]]] if names["id"] else [str(i) for i in range(len(data))]
    if len(set(ids)) < len(ids):
        repeated = next(i for i in ids if ids.count(i) > 1)
        raise DataError(
            f"The id {repeated!r} occurs more than once in column {names['id']!r}; expected one id a picture."
        )
    image = data.select_columns([names["image"]])
    if names["image"] != "image":
        image = image.rename_column(names["image"], "image")
    image = image.cast_column("image", datasets.Image())
    texts = [[c] if isinstance(c, str) else [t for t in (c or []) if t] for c in captions]
    image = image.add_column("id", ids).add_column("captions", texts, feature=datasets.List(datasets.Value("string")))
    rest = [c for c in data.column_names if c not in (names["image"], names["captions"], names["id"])]
    rest = [c for c in rest if c not in image.column_names]
    if rest:
        image = datasets.concatenate_datasets([image, data.select_columns(rest)], axis=1)
    return image.select_columns(["id", "image", "captions", *rest])


def captioned(data: Any) -> Any:
    """Give the data set with the columns that the stages need: as it is where it has them, else through :func:`load_data`."""
    import datasets

    if isinstance(data, datasets.Dataset) and len(data):
        kinds = {name: data.features.get(name) for name in ("id", "image", "captions")}
        text = datasets.Value("string")
        if (
            kinds["id"] == text
            and isinstance(kinds["image"], datasets.Image)
            and kinds["captions"] == datasets.List(text)
        ):
            return data
    return load_data(data)


def raw_images(data: Any) -> Any:
    """Give the data set with its pictures undecoded, so that one broken file does not stop the others."""
    import datasets

    return data.cast_column("image", datasets.Image(decode=False))


def read_image(cell: Any) -> Image.Image:
    """Decode one picture: upright, three channels, whatever it was stored as.

    Parameters
    ----------
    cell
        A PIL image, encoded bytes, a path, or the ``{"bytes", "path"}`` of an undecoded data set.

    Returns
    -------
    PIL.Image.Image
        RGB; EXIF rotation applied, transparency over white, 16-bit grey scaled to 8 bits.

    Raises
    ------
    DataError
        The picture is missing, truncated or not a picture.
    """
    if isinstance(cell, dict):
        cell = cell.get("bytes") or cell.get("path")
    try:
        if isinstance(cell, Image.Image):
            image = cell
        elif isinstance(cell, bytes):
            image = Image.open(io.BytesIO(cell))
        else:
            image = Image.open(cell)
        image.load()
        image = ImageOps.exif_transpose(image)
        if image.mode.startswith("I") or image.mode == "F":
            grey = np.asarray(image, dtype=np.float64)
            image = Image.fromarray(
                (grey / max(255.0, 65535.0 if grey.max() > 255 else 255.0) * 255).clip(0, 255).astype(np.uint8)
            )
        if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
            rgba = image.convert("RGBA")
            image = Image.alpha_composite(Image.new("RGBA", rgba.size, "white"), rgba)
        return image.convert("RGB")
    except Exception as error:  # PIL raises many types for damaged files; the caller reports the sample by id
        raise DataError(f"The picture cannot be read ({type(error).__name__}: {error}).") from error


def picture_size(cell: Any) -> tuple[int, int]:
    """Width and height in pixels, from the file's first bytes; (0, 0) where they cannot be read."""
    source: Any = (cell.get("bytes") or cell.get("path")) if isinstance(cell, dict) else cell
    try:
        with Image.open(io.BytesIO(source) if isinstance(source, bytes) else source) as image:
            return image.size
    except Exception:  # whatever is wrong with it, reading it will say so by id
        return (0, 0)


def thumbnail(image: Image.Image, side: int = 256) -> bytes:
    """Encode a picture as a JPEG whose longer side is at most ``side`` pixels."""
    small = image.copy()
    small.thumbnail((side, side), Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    small.save(buffer, "JPEG", quality=85, optimize=True)
    return buffer.getvalue()


def images_by_id(data: Any, ids: Sequence[str]) -> Iterator[Image.Image]:
    """Read the pictures of the given samples, in that order."""
    raw = raw_images(data)
    row = {i: k for k, i in enumerate(raw["id"])}
    return (read_image(raw[row[i]]["image"]) for i in ids)


def vocabulary(captions: Iterable[Iterable[str]]) -> frozenset[str]:
    """Collect the lower-case words that the captions use."""
    return frozenset(w for group in captions for text in group for w in re.findall(r"[^\W\d_]+", text.lower()))
