"""Data sets in their one form: ``id`` (text, unique), ``image``, ``captions`` (list of texts), and the other columns."""

from __future__ import annotations

import contextlib
import hashlib
import itertools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import datasets
import pyarrow as pa

from ..errors import DataError, first_line
from .sources.captions import caption_texts, identifier
from .sources.columns import dataset_of, find_column, lossless

LISTS = (datasets.List, datasets.LargeList)
_ROWS = 1000  # that are read at once
_STORED = ("string", "large_string", "binary", "large_binary", "null")  # types of image columns: paths, encoded images
_TEXTS = datasets.List(datasets.Value("string"))


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


@no_dataset_bars()
def normal_form(data: Any, names: Mapping[str, str | None]) -> Any:
    """Rename, type and order the columns; rows of one id become one, with the captions of all.

    Parameters
    ----------
    data
        The data set.
    names
        Column of each role, where the caller named it.

    Raises
    ------
    DataError
        A column is missing or of another type, a caption is no text, an id is missing or stands for two images.
    """
    data = _stored(data)
    columns = find_columns(data, names)
    image = columns["image"]
    _check_types(data, columns)
    texts: Any = _texts(data, columns["captions"])
    ids = _ids(data, columns["id"])
    first: dict[str, int] = {}
    for k, i in enumerate(ids):
        first.setdefault(i, k)
    if len(first) < len(ids):
        _check_images(data, columns, ids, first)
        merged: dict[str, list[str]] = {}
        for i, captions in zip(ids, texts, strict=True):
            merged.setdefault(i, []).extend(captions.as_py())
        data, ids, texts = data.select(list(first.values())), list(first), list(merged.values())
    result = data.select_columns([image])
    if image != "image":
        result = result.rename_column(image, "image")
    result = _with_images(result, image)
    own = dataset_of({"id": ids, "captions": texts}, {"id": datasets.Value("string"), "captions": _TEXTS})
    rest = [c for c in data.column_names if c not in columns.values() and c not in ("id", "image", "captions")]
    parts = [result, own, *([data.select_columns(rest)] if rest else [])]
    result = datasets.concatenate_datasets(parts, axis=1)
    return result.select_columns(["id", "image", "captions", *rest])


def find_columns(data: Any, names: Mapping[str, str | None]) -> dict[str, Any]:
    """Column of each role: the named one, the first of a type that fits, or the first usual name.

    Parameters
    ----------
    data
        The data set.
    names
        Column of each role, where the caller named it.

    Raises
    ------
    DataError
        There is none for the image or the captions, or the named one does not exist.
    """
    typed = [c for c, kind in data.features.items() if is_images(kind)]
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


def is_images(kind: Any) -> bool:
    """Whether a column's type is an image, or a list of images.

    Parameters
    ----------
    kind
        The type, of ``datasets``.
    """
    return isinstance(kind.feature if isinstance(kind, LISTS) else kind, datasets.Image)


# --- formats and transforms ------------------------------------------------------------------------------


def _stored(data: Any) -> Any:
    """Rows as they are stored, whatever the data set shows; a transform is applied once, and its rows are stored."""
    style = data.format
    plain = data.with_format(None)
    if style["type"] != "custom":
        return plain
    transform, columns = style["format_kwargs"]["transform"], list(style["columns"])
    others = [] if style["output_all_columns"] else list(data.column_names)

    def apply(batch: Mapping[str, Any]) -> Mapping[str, Any]:
        result = transform({name: batch[name] for name in columns})
        return {name: lossless(list(cells)) for name, cells in result.items()}

    try:
        return plain.map(apply, batched=True, batch_size=16, remove_columns=others)
    except DataError:
        raise
    except Exception as error:  # whatever the user's function raises, and of Arrow what it cannot store
        raise DataError(
            f"The transform of the data set cannot be applied to its rows ({type(error).__name__}: {first_line(error)}); expected "
            "columns of images and captions. Give the data set without it: data.with_format(None)."
        ) from error


# --- the three columns -----------------------------------------------------------------------------------


def _cells(data: Any, column: str) -> Iterator[Any]:
    try:
        for part in data.select_columns([column]).with_format("arrow").iter(_ROWS):
            yield from part[column].to_pylist()
    except (
        UnicodeDecodeError,
        pa.ArrowException,
        OverflowError,
    ) as error:  # values that Parquet holds and Python does not
        raise DataError(f"The column {column!r} cannot be read ({first_line(error)}). Write it again.") from error


def _check_types(data: Any, columns: Mapping[str, Any]) -> None:
    kind = data.features[columns["captions"]]
    inner = kind.feature if isinstance(kind, LISTS) else kind
    if isinstance(inner, datasets.ClassLabel) or (isinstance(inner, datasets.Value) and "string" not in inner.dtype):
        if getattr(inner, "dtype", "") == "null":
            return
        what = f"labels such as {inner.names[:3]}" if isinstance(inner, datasets.ClassLabel) else inner.dtype
        raise DataError(
            f"The column {columns['captions']!r} of the captions holds {what}; expected texts. Name another one (captions='…'), or "
            "write labels and numbers as words."
        )


def _texts(data: Any, column: str) -> pa.ChunkedArray:
    """Captions of every row as lists of texts; as Python's objects only some rows at a time."""
    cells = enumerate(_cells(data, column))
    kind = pa.list_(pa.string())
    chunks = []
    while rows := list(itertools.islice(cells, _ROWS)):
        chunks.append(pa.array([caption_texts(cell, f"Row {k} of column {column!r}") for k, cell in rows], kind))
    return pa.chunked_array(chunks, kind)


def _ids(data: Any, column: str | None) -> list[str]:
    if column is None:
        return [str(k) for k in range(len(data))]
    ids = []
    for k, value in enumerate(_cells(data, column)):
        place = f"Row {k} of column {column!r}"
        whole = (
            int(value) if isinstance(value, float) and value.is_integer() else value
        )  # pandas, where one was missing
        text = identifier(whole, place)
        if text is None:
            raise DataError(f"{place} has no id; expected one per image. Name another column (id='…'), or fill it.")
        ids.append(text)
    return ids


def _check_images(data: Any, columns: Mapping[str, Any], ids: Sequence[str], first: Mapping[str, int]) -> None:
    """Refuse an id that stands for several images."""
    contents = [hashlib.sha256(repr(_content(cell)).encode()).digest() for cell in _cells(data, columns["image"])]
    for k, i in enumerate(ids):
        if contents[k] != contents[first[i]]:
            raise DataError(
                f"The id {i!r} occurs more than once in column {columns['id']!r}, with different images (rows {first[i]} and {k}); "
                "expected one image per id."
            )


def _content(cell: Any) -> Any:
    """What tells an image from another: its bytes, or its path where it has none."""
    if isinstance(cell, list):
        return [_content(one) for one in cell]
    if isinstance(cell, dict) and "bytes" in cell:
        return hashlib.sha256(cell["bytes"]).digest() if cell["bytes"] else cell.get("path")
    return hashlib.sha256(cell).digest() if isinstance(cell, bytes) else cell


def _with_images(data: Any, name: str) -> Any:
    kind = data.features["image"]
    if is_images(kind):
        return data
    inner, listed = (kind.feature, True) if isinstance(kind, LISTS) else (kind, False)
    stored = isinstance(inner, datasets.Value) and inner.dtype in _STORED
    fields = isinstance(inner, dict) and {"bytes", "path"} >= set(inner)
    if not stored and not fields:
        raise DataError(
            f"The column {name!r} of the images holds {inner}; expected encoded images, their paths, or lists of these. Name "
            "another one (image='…')."
        )
    image = datasets.Image()
    try:
        return data.cast_column("image", datasets.List(image) if listed else image)
    except (pa.ArrowException, TypeError, ValueError, KeyError) as error:
        raise DataError(
            f"The column {name!r} cannot be read as images ({first_line(error)}). Name another one (image='…')."
        ) from error
