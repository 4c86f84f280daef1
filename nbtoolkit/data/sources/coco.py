"""COCO captions: the official format, and Karpathy's with its splits."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ...errors import DataError
from .captions import caption_texts, identifier
from .listings import ImageFolder, Rows, first_image_exists


def read_coco(path: Path, content: Any, images: Path | None, split: str | None) -> Rows:
    """Rows of a COCO captions file, by id.

    Parameters
    ----------
    path
        The JSON file.
    content
        What it holds.
    images
        Folder of the images; the file's own folder where not given.
    split
        Split of a file in Karpathy's format; several joined by "+".

    Raises
    ------
    DataError
        Another content, an unknown split, or an image outside the folder.
    """
    if not isinstance(content, dict) or "images" not in content:
        raise DataError(f"{str(path)!r} is not a COCO captions file: expected a JSON object with 'images'.")
    entries, folder = _objects(path, content, "images"), ImageFolder(images or path.parent)
    if "annotations" not in content:
        rows = _karpathy(path, entries, folder, split)
    elif split is None:
        rows = _official(path, entries, _objects(path, content, "annotations"), folder)
    else:
        raise DataError(
            f"split={split!r} was given, but {path.name!r} is COCO's own format, one split per file. Leave split out."
        )
    first_image_exists(rows, path)
    return rows


def _objects(path: Path, content: Mapping[str, Any], name: str) -> list[tuple[str, Mapping[str, Any]]]:
    """Objects of a list, each after its place."""
    entries = content[name]
    if not isinstance(entries, list):
        raise DataError(f"{str(path)!r} has {name!r} of type {type(entries).__name__}; expected a list of objects.")
    for k, entry in enumerate(entries):
        if not isinstance(entry, dict):
            raise DataError(f"{path}, {name}[{k}] is {str(entry)[:60]!r}; expected an object.")
    return [(f"{path}, {name}[{k}]", entry) for k, entry in enumerate(entries)]


def _official(
    path: Path,
    entries: list[tuple[str, Mapping[str, Any]]],
    annotations: list[tuple[str, Mapping[str, Any]]],
    folder: ImageFolder,
) -> Rows:
    rows: Rows = {}
    for place, entry in entries:
        key = _id(entry.get("id"), place, rows)
        rows[key] = {"image": folder.file(entry.get("file_name"), place), "captions": []}
    for place, a in annotations:
        key = identifier(a.get("image_id"), place) or ""
        if "caption" not in a or key not in rows:
            raise DataError(
                f"{place} has the keys {sorted(a)} and the image_id {key!r}; expected 'caption' and the 'image_id' of a listed "
                f"image. {path.name!r} may be another kind of COCO file, such as that of instances."
            )
        rows[key]["captions"] += caption_texts(a["caption"], place)
    return rows


def _karpathy(path: Path, entries: list[tuple[str, Mapping[str, Any]]], folder: ImageFolder, split: str | None) -> Rows:
    splits = sorted({str(e.get("split", "")) for _, e in entries})
    chosen = set(re.split(r"\s*\+\s*", split)) if split else set(splits)
    other = next((sorted(e) for _, e in entries if "sentences" not in e), None)
    if not chosen <= set(splits) or other is not None:
        raise DataError(
            f"{str(path)!r} has the splits {splits}, and images with the keys {other or sorted(entries[0][1]) if entries else []}; "
            f"expected 'sentences' or 'annotations', and split= among the splits, got {split!r}."
        )
    rows: Rows = {}
    for k, (place, e) in enumerate(entries):
        if str(e.get("split", "")) in chosen:
            name, where = e.get("filename"), e.get("filepath") or ""
            if not isinstance(where, str):
                raise DataError(f"{place} has the filepath {where!r}; expected a folder's name.")
            key = _id(e.get("cocoid", e.get("imgid", k)), place, rows)
            file = folder.file(f"{where}/{name}" if where and isinstance(name, str) else name, place)
            rows[key] = {"image": file, "captions": caption_texts(e["sentences"], place)}
    return rows


def _id(value: Any, place: str, rows: Rows) -> str:
    key = identifier(value, place)
    if key is None or key in rows:
        reason = "no id" if key is None else f"the id {key!r}, which is that of another image"
        raise DataError(f"{place} has {reason}; expected one id per image.")
    return key
