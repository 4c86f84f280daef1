"""One safetensors file with its description: numbers as tensors, texts and settings as JSON in its header."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import safe_open
from safetensors.numpy import save as to_bytes

from ..durable import replacing, sweep
from ..errors import StudyError
from ..files import disk_errors, regular_file, user_path
from ..strict_json import dump_json, parse_json
from .files import plain
from .reading import read_tensors

_KEY, _DIGEST = "nbtoolkit", "sha256"


def save_described(path: str | os.PathLike[str], tensors: Mapping[str, np.ndarray], content: Mapping[str, Any]) -> Path:
    """Write tensors and their description, whole or not at all.

    Parameters
    ----------
    path
        The file; it may exist.
    tensors
        Name to array.
    content
        What JSON holds.

    Raises
    ------
    StudyError
        The disk is full or read-only, or the path is a folder; what was there stays.
    """
    target = user_path(path)
    arrays = {name: np.ascontiguousarray(array) for name, array in tensors.items()}
    body = dump_json(plain({"content": content, "tensors": _digest(arrays)}))
    header = {_KEY: body, _DIGEST: hashlib.sha256(body.encode()).hexdigest()}
    with disk_errors("The file", target, StudyError, "What was there stays. Make room, or choose another path."):
        target.parent.mkdir(parents=True, exist_ok=True)
        sweep(target.parent, [target.name])
        with replacing(target) as temporary:
            temporary.write_bytes(to_bytes(arrays, header))
    return target


def read_described(
    path: str | os.PathLike[str], what: str, rule: Callable[[Any, str], Any]
) -> tuple[dict[str, Any], dict[str, np.ndarray], str]:
    """Description, tensors, and the name of the place for messages.

    Parameters
    ----------
    path
        A file of :func:`save_described`.
    what
        What it is to hold, with its article, as in ``"a tuned lens"``.
    rule
        Rule of the description, from :mod:`nbtoolkit.storage.schema`.

    Raises
    ------
    StudyError
        The file is missing, damaged, altered, or holds something else.
    """
    file = user_path(path)
    regular_file(file, StudyError)
    tensors = read_tensors(file)
    with safe_open(file, "np") as opened:
        header = opened.metadata() or {}
    body = header.get(_KEY)
    if body is None:
        raise StudyError(f"{str(file)!r} is not {what}; expected a file that its save() wrote.")
    if hashlib.sha256(body.encode()).hexdigest() != header.get(_DIGEST):
        raise StudyError(f"{str(file)!r} was altered: the SHA-256 of its description is another one. Copy it again.")
    place = f"The file {str(file)!r}"
    whole = parse_json(body, place, StudyError)
    if not isinstance(whole, dict) or "content" not in whole:
        raise StudyError(f"{str(file)!r} is not {what}; expected a file that its save() wrote.")
    content: dict[str, Any] = rule(whole["content"], place)
    if whole.get("tensors") != _digest(tensors):
        raise StudyError(f"{str(file)!r} was altered: the SHA-256 of its numbers is another one. Copy it again.")
    return content, tensors, place


def check_tensors(tensors: Mapping[str, np.ndarray], shapes: Mapping[str, tuple[int, ...]], place: str) -> None:
    """Refuse tensors of other names, shapes or types than expected, and numbers that are not finite.

    Parameters
    ----------
    tensors
        Name to array.
    shapes
        Name to the expected shape; whole numbers where the name ends with ``_index``, float32 else.
    place
        For messages.

    Raises
    ------
    StudyError
        The first that differs.
    """
    for name, shape in shapes.items():
        array = tensors.get(name)
        kind = np.int64 if name.endswith("_index") else np.float32
        own = None if array is None else (array.dtype, array.shape)
        if own != (np.dtype(kind), shape) or not np.isfinite(tensors[name]).all():
            raise StudyError(
                f"{place} has {name} {own}; expected finite {np.dtype(kind)} of shape {shape}. Copy it again."
            )


def _digest(tensors: Mapping[str, np.ndarray]) -> str:
    digest = hashlib.sha256()
    for name in sorted(tensors):
        digest.update(dump_json([name, str(tensors[name].dtype), list(tensors[name].shape)]).encode())
        digest.update(tensors[name].tobytes())
    return digest.hexdigest()
