"""Texts, JSON, tensors and tables written whole or not at all."""

from __future__ import annotations

import json
import os
import struct
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from safetensors import SafetensorError
from safetensors.numpy import save_file

from ..durable import new_folder as new_folder  # its place in release 0.1, as for sha256
from ..durable import replacing, sweep
from ..errors import StudyError
from ..files import disk_errors, user_path
from ..files import sha256 as sha256
from ..strict_json import dump_json, encodable
from .reading import map_stacked as map_stacked


def write_text(path: str | os.PathLike[str], text: str) -> Path:
    """Write a text file whole or not at all, creating its folder.

    Parameters
    ----------
    path
        The file; ``~`` is the home folder.
    text
        Its content; written as UTF-8, lone surrogates as the replacement character.

    Raises
    ------
    StudyError
        The disk is full or read-only, or the path is a folder; what was there stays.
    """
    return write_bytes(path, encodable(text).encode("utf-8"))


def write_bytes(path: str | os.PathLike[str], content: bytes) -> Path:
    """Write a file whole or not at all, creating its folder.

    Parameters
    ----------
    path
        The file; ``~`` is the home folder.
    content
        Its content.

    Raises
    ------
    StudyError
        The disk is full or read-only, or the path is a folder; what was there stays.
    """
    target = user_path(path)
    with disk_errors("The file", target, StudyError, "What was there stays. Make room, or choose another path."):
        target.parent.mkdir(parents=True, exist_ok=True)
        sweep(target.parent, [target.name])
        with replacing(target) as temporary:
            temporary.write_bytes(content)
    return target


def write_json(path: Path, value: Any) -> None:
    """Write a value as JSON, whole or not at all, creating its folder; NaN and infinity become ``null``.

    Parameters
    ----------
    path
        The file.
    value
        What JSON can hold; see :func:`plain`.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as temporary:
        temporary.write_text(dump_json(value, indent=1), "utf-8")


def write_tensors(path: Path, tensors: Mapping[str, Any]) -> None:
    """Write arrays as safetensors, whole or not at all.

    Parameters
    ----------
    path
        The file.
    tensors
        Name to array, of any shape.
    """
    with replacing(path) as temporary:
        try:
            save_file({k: np.ascontiguousarray(v) for k, v in tensors.items()}, temporary)
        except SafetensorError as error:  # of the disk; the tensors are arrays
            raise OSError(str(error)) from error


def write_stacked(path: Path, tensors: Mapping[str, Sequence[np.ndarray]]) -> None:
    """Write tensors given as blocks of rows as safetensors, one block in memory at a time (``save_file`` needs all).

    Parameters
    ----------
    path
        The file.
    tensors
        Name to blocks of rows, float32 or float16, all of one width.
    """
    codes = {"float32": "F32", "float16": "F16"}
    header: dict[str, Any] = {}
    offset = 0
    for name, blocks in tensors.items():
        rows, size = sum(len(b) for b in blocks), sum(b.nbytes for b in blocks)
        header[name] = {
            "dtype": codes[blocks[0].dtype.name],
            "shape": [rows, *blocks[0].shape[1:]],
            "data_offsets": [offset, offset + size],
        }
        offset += size
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with replacing(path) as temporary, temporary.open("wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for blocks in tensors.values():
            for block in blocks:
                file.write(np.ascontiguousarray(block).data)


def write_table(path: Path, columns: dict[str, list[Any]]) -> None:
    """Write columns as Parquet, whole or not at all.

    Parameters
    ----------
    path
        The file.
    columns
        Column name to values.
    """
    with replacing(path) as temporary:
        pq.write_table(pa.table({k: encodable(v) for k, v in columns.items()}), temporary, write_page_checksum=True)


def plain(value: Any) -> Any:
    """Convert numpy scalars, tuples and mappings to what JSON holds; anything else to its ``repr``.

    Parameters
    ----------
    value
        Any value.
    """
    if isinstance(value, Mapping):
        return {str(k): plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple | np.ndarray):
        return [plain(v) for v in value]
    if isinstance(value, np.generic):
        return value.item()
    return value if isinstance(value, str | int | float | bool | type(None)) else repr(value)
