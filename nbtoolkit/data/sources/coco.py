"""COCO captions: the official format, and Karpathy's with its splits."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from ...errors import DataError
from .listings import Rows, inside


def read_coco(path: Path, images: Path | None, split: str | None) -> Rows:
    """Rows of a COCO captions file, by id.

    Parameters
    ----------
    path
        The JSON file.
    images
        Folder of the images; the file's own folder where not given.
    split
        Split of a file in Karpathy's format; several joined by "+".

    Raises
    ------
    DataError
        Another content, an unknown split, or an image outside the folder.
    """
    try:
        content = json.loads(path.read_text("utf-8"))
        entries = content["images"]
    except (ValueError, KeyError, TypeError) as error:
        raise DataError(
            f"{str(path)!r} is not a COCO captions file: expected a JSON object with 'images' ({error})."
        ) from error
    root = images or path.parent
    if "annotations" in content and split is not None:
        raise DataError(
            f"split={split!r} was given, but {path.name!r} is COCO's own format, one split per file. Leave split out."
        )
    rows = (
        _official(path, entries, content["annotations"], root)
        if "annotations" in content
        else _karpathy(path, entries, root, split)
    )
    first = next(iter(rows.values()), None)
    if first is not None and not Path(first["image"]).is_file():
        raise DataError(
            f"The first image of {path.name!r} is not at {first['image']!r}; name the folder: load_data({str(path)!r}, images='folder')."
        )
    return rows


def _official(path: Path, entries: list[dict[str, Any]], annotations: list[dict[str, Any]], root: Path) -> Rows:
    rows: Rows = {
        str(e["id"]): {"image": str(inside(root, e["file_name"], str(path))), "captions": []} for e in entries
    }
    for a in annotations:
        if "caption" not in a or str(a["image_id"]) not in rows:
            raise DataError(
                f"{str(path)!r} has an annotation with the keys {sorted(a)}; expected 'caption' and the 'image_id' of a listed image."
            )
        rows[str(a["image_id"])]["captions"].append(a["caption"])
    return rows


def _karpathy(path: Path, entries: list[dict[str, Any]], root: Path, split: str | None) -> Rows:
    splits = sorted({e.get("split", "") for e in entries})
    chosen = set(re.split(r"\s*\+\s*", split)) if split else set(splits)
    if not chosen <= set(splits) or any("sentences" not in e for e in entries):
        raise DataError(
            f"{str(path)!r} has the splits {splits}, and images with the keys {sorted(entries[0])}; expected 'sentences' or "
            f"'annotations', and split= among the splits, got {split!r}."
        )
    rows: Rows = {}
    for k, e in enumerate(entries):
        if e.get("split", "") in chosen:
            file = inside(root, Path(e.get("filepath", "")) / e["filename"], str(path))
            key = str(e.get("cocoid", e.get("imgid", k)))
            rows[key] = {"image": str(file), "captions": [s["raw"] for s in e["sentences"]]}
    return rows
