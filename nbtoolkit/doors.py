"""Where captioned pictures come from: listings (JSONL, CSV), COCO captions, Parquet, folders, Hugging Face ids."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from .errors import DataError, first_line

Rows = dict[str, dict[str, Any]]  # id to {"image": path, "captions": texts}
COLUMNS = {
    "image": ("image", "images", "img", "picture", "photo", "jpg", "image_path", "image_name", "file_name", "filename", "filepath", "path"),
    "captions": ("captions", "caption", "sentences", "text", "texts", "description", "comment"),
    "id": ("id", "image_id", "cocoid", "sample_id", "key"),
}  # fmt: skip
LISTINGS = ("captions.jsonl", "captions.csv", "metadata.jsonl", "metadata.csv")


def find_column(role: str, columns: Iterable[str], given: str | None) -> str | None:
    """Give the column of a role: the given one, which must exist, or the first usual name.

    Raises
    ------
    DataError
        The given column is not there.
    """
    columns = list(columns)
    if given is not None and given not in columns:
        raise DataError(f"There is no column {given!r} for the {role}; the columns are {columns}.")
    return given or next((c for c in COLUMNS[role] if c in columns), None)


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
        Part of a COCO file in Karpathy's format; several joined by "+".

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
            raise DataError(f'The folder {str(path)!r} has no captions.jsonl; expected one line a picture: {{"file_name": "a.jpg", "captions": ["…"]}} '
                            f"(or {', '.join(LISTINGS[1:])}, or Parquet files).")  # fmt: skip
        path = listing
    if path.suffix == ".json":
        return _dataset(_coco(path, images, split))
    if split is not None:
        raise DataError(
            f"split={split!r} was given, but {path.name!r} has no splits. Select the rows first, or leave split out."
        )
    if path.suffix in (".jsonl", ".csv", ".tsv"):
        return _dataset(_listed(path, images or path.parent, names))
    return _parquet(path)


def is_repository(path: Path) -> bool:
    """Tell whether ``datasets`` can open a folder: it has Parquet files or was saved by it, and no listing of ours."""
    if not path.is_dir() or any((path / name).is_file() for name in LISTINGS):
        return False
    return _saved(path) or any(path.rglob("*.parquet"))


def _saved(path: Path) -> bool:
    """Tell whether ``save_to_disk`` of ``datasets`` wrote a folder."""
    return any((path / f"dataset_{what}.json").exists() for what in ("info", "dict"))


def _parquet(path: Path) -> Any:
    import datasets

    if path.suffix != ".parquet":
        raise DataError(
            f"{path.name!r} is not a Parquet file; expected a name that ends in .parquet, .jsonl, .csv or .json (COCO captions)."
        )
    try:
        return datasets.Dataset.from_parquet(str(path))
    except Exception as error:  # a Parquet reader has many ways to say "this is no Parquet file"
        raise DataError(f"{str(path)!r} cannot be read as Parquet ({type(error).__name__}: {error}).") from error


def from_hub(name: str, config: str | None, split: str | None, streaming: bool, n: int | None) -> Any:
    """Load a data set by its Hugging Face id (or a folder of its files); streaming takes the first ``n`` rows only.

    Raises
    ------
    DataError
        It cannot be reached, or has several splits and none was named.
    """
    import datasets

    try:
        saved = _saved(Path(name))
        found = (
            datasets.load_from_disk(name)
            if saved
            else datasets.load_dataset(name, config, split=split, streaming=streaming)
        )
    except Exception as error:  # network, hub, formats: all of them mean that there is nothing to read
        raise DataError(
            f"There is no file or folder {name!r}, and no data set of that name could be opened with split={split!r} ({first_line(error)})."
        ) from error
    return one_split(found, split, n)


def one_split(found: Any, split: str | None, n: int | None) -> Any:
    """Give one split of what ``datasets`` loaded, as rows that can be reached by number."""
    import datasets

    if isinstance(found, dict):
        if split is None and len(found) == 1:
            split = next(iter(found))
        if split not in found:
            raise DataError(
                f"The data set has the splits {sorted(found)}; expected split= to name one of them, got {split!r}."
            )
        found = found[split]
    if isinstance(found, datasets.IterableDataset):
        if n is None:
            raise DataError("The data set is a stream; expected n=, how many rows to take from it.")
        found = _taken(found, n)
    return found


def _taken(stream: Any, n: int) -> Any:
    """Copy the first rows of a stream to disk (the cache of ``datasets``), pictures as they are stored."""
    import datasets

    features = stream.features or stream._resolve_features().features
    for column, kind in features.items():
        if isinstance(kind, datasets.Image):
            stream = stream.cast_column(column, datasets.Image(decode=False))
    rows = stream.take(n)

    def each() -> Iterator[dict[str, Any]]:
        yield from rows

    return datasets.Dataset.from_generator(each, features=features)


def _dataset(rows: Rows) -> Any:
    import datasets

    text = datasets.Value("string")
    features = datasets.Features({"id": text, "image": text, "captions": datasets.List(text)})
    return datasets.Dataset.from_list([{"id": i, **row} for i, row in rows.items()], features=features)


# --- listings ---------------------------------------------------------------------------------------------


def _listed(path: Path, root: Path, names: dict[str, str | None]) -> Rows:
    """Rows of a listing, id to picture and captions; a picture on several lines gets all their captions."""
    rows: Rows = {}
    for number, line in _lines(path):
        image, captions = (find_column(role, line, names[role]) for role in ("image", "captions"))
        if image is None or captions is None:
            role, usual = ("image", "file_name") if image is None else ("captions", "caption")
            raise DataError(
                f"{path}, line {number} has the columns {sorted(line)}; expected one for the {role}, such as {usual!r}."
            )
        file = _inside(root, line[image], f"{path}, line {number}")
        key = str(line.get(find_column("id", line, names["id"]) or "", file.relative_to(root.resolve())))
        texts = line[captions]
        row = rows.setdefault(key, {"image": str(file), "captions": []})
        if row["image"] != str(file):
            raise DataError(
                f"{path}, line {number}: the id {key!r} was another picture's before; expected one id a picture."
            )
        row["captions"] += [texts] if isinstance(texts, str) else list(texts or [])
    if not rows:
        raise DataError(f"{path} is empty; expected one line a picture.")
    return rows


def _lines(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
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
        reader: Any = csv.DictReader(file, delimiter=_delimiter(first), skipinitialspace=True)
        for line in reader:
            if None in line or None in line.values():
                wanted, got = len(reader.fieldnames or []), sum(v is not None for v in line.values())
                count = f"more than {got - 1}" if None in line else str(got)
                raise DataError(
                    f"{path}, line {reader.line_num} has {count} fields; expected {wanted}, as in the header. Put texts with commas in quotes."
                )
            yield reader.line_num, dict(line)


def _delimiter(header: str) -> str:
    return max(",;\t|", key=header.count)


def _inside(root: Path, name: Any, where: str) -> Path:
    """Resolve a file name that must lie in the folder."""
    try:
        file = (root / str(name)).resolve()
        file.relative_to(root.resolve())
    except (ValueError, OSError) as error:
        raise DataError(f"{where}: the picture {name!r} does not lie in the folder {str(root)!r}.") from error
    return file


# --- COCO -------------------------------------------------------------------------------------------------


def _coco(path: Path, images: Path | None, split: str | None) -> Rows:
    """Rows of COCO captions: the official format, or Karpathy's with its splits."""
    try:
        content = json.loads(path.read_text("utf-8"))
        entries = content["images"]
    except (ValueError, KeyError, TypeError) as error:
        raise DataError(
            f"{str(path)!r} is not a COCO captions file: expected a JSON object with 'images' ({error})."
        ) from error
    root = images or path.parent
    rows: Rows
    if "annotations" in content:
        if split is not None:
            raise DataError(
                f"split={split!r} was given, but {path.name!r} is COCO's own format, one split a file. Leave split out."
            )
        rows = {str(e["id"]): {"image": str(_inside(root, e["file_name"], str(path))), "captions": []} for e in entries}
        for a in content["annotations"]:
            if "caption" not in a or str(a["image_id"]) not in rows:
                raise DataError(
                    f"{str(path)!r} has an annotation with the keys {sorted(a)}; expected 'caption' and the 'image_id' of a listed picture."
                )
            rows[str(a["image_id"])]["captions"].append(a["caption"])
    else:
        known = sorted({e.get("split", "") for e in entries})
        wanted = set(re.split(r"\s*\+\s*", split)) if split else set(known)
        if not wanted <= set(known) or any("sentences" not in e for e in entries):
            raise DataError(f"{str(path)!r} has the splits {known}, and pictures with the keys {sorted(entries[0])}; expected 'sentences' or "
                            f"'annotations', and split= among the splits, got {split!r}.")  # fmt: skip
        rows = {str(e.get("cocoid", e.get("imgid", k))): {"image": str(_inside(root, Path(e.get("filepath", "")) / e["filename"], str(path))),
                                                          "captions": [s["raw"] for s in e["sentences"]]}
                for k, e in enumerate(entries) if e.get("split", "") in wanted}  # fmt: skip
    first = next(iter(rows.values()), None)
    if first is not None and not Path(first["image"]).is_file():
        raise DataError(
            f"The first picture of {path.name!r} is not at {first['image']!r}; say where they are: load_data({str(path)!r}, images='folder')."
        )
    return rows
