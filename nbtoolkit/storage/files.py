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
from safetensors.numpy import save_file

from ..files import new_folder as new_folder  # its place in release 0.1, as for sha256
from ..files import replacing
from ..files import sha256 as sha256


def write_text(path: str | os.PathLike[str], text: str) -> Path:
    """Write a text file whole or not at all, creating its folder.

    Parameters
    ----------
    path
        The file.
    text
        Its content; written as UTF-8.
    """
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    with replacing(target) as temporary:
        temporary.write_text(text, "utf-8")
    return target


def write_json(path: Path, value: Any) -> None:
    """Write a value as JSON, whole or not at all.

    Parameters
    ----------
    path
        The file.
    value
        What JSON can hold; see :func:`plain`.
    """
    write_text(path, json.dumps(value, indent=1, ensure_ascii=False))


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
        save_file({k: np.ascontiguousarray(v) for k, v in tensors.items()}, temporary)


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


def map_stacked(path: Path) -> tuple[tuple[int, ...], np.ndarray]:
    """Memory-map a file of tensors ``layer.000`` … of one shape.

    Parameters
    ----------
    path
        A file of :func:`write_stacked`.

    Returns
    -------
    layers, states : (n_layers,), (n, n_layers, d)
        ``states[:, k]`` is one contiguous piece of the file.
    """
    with path.open("rb") as file:
        length = struct.unpack("<Q", file.read(8))[0]
        header = json.loads(file.read(length))
    header.pop("__metadata__", None)
    names = sorted(header, key=lambda name: header[name]["data_offsets"])
    kinds = {(header[n]["dtype"], tuple(header[n]["shape"])) for n in names}
    if len(kinds) != 1 or names != sorted(names):
        raise ValueError(f"{path.name} does not hold one tensor per layer, all of one shape")
    ((kind, (n, d)),) = kinds
    dtype = {"F32": np.float32, "F16": np.float16}[kind]
    layers = tuple(int(name.removeprefix("layer.")) for name in names)
    if n * d == 0:
        return layers, np.zeros((n, len(names), d), dtype)
    return layers, np.memmap(path, dtype, "r", 8 + length, (len(names), n, d)).transpose(1, 0, 2)


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
        pq.write_table(pa.table(columns), temporary)


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
