"""Measurements as files: one safetensors file with numbers as tensors, and texts, axes and provenance as JSON in its header."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import xarray
from safetensors import safe_open
from safetensors.numpy import save as to_bytes

from ..errors import StudyError
from ..files import disk_errors, regular_file, replacing, sweep, user_path
from ..strict_json import dump_json, parse_json
from ..types.measurement import Identity, Measurement
from ..types.nulls import Null
from .files import plain
from .reading import read_tensors
from .schema import anything, fields, list_of, map_of, number, one_of, optional, text
from .study_json import tagged, untagged

FORMAT = 1
SUFFIX = ".measurement"
_ARRAY = fields({"dims": list_of(text), "coords": map_of(fields({"dims": list_of(text), "texts": optional(list_of(text))})),
                 "texts": optional(list_of(text)), "shape": list_of(number)})  # fmt: skip
_CONTENT = fields(
    {
        "format": one_of((FORMAT,)),
        "name": text,
        "unit": text,
        "check": fields({"name": text, "residual": number, "tolerance": number}),
        "null_kind": optional(fields({"name": text, "preserves": text})),
        "arrays": map_of(_ARRAY),
        "provenance": map_of(anything),
        "note": text,
        "tensors": text,
    }
)


def save(measurement: Measurement, path: str | os.PathLike[str]) -> Path:
    """Write a measurement, whole or not at all.

    Parameters
    ----------
    measurement
        The measurement.
    path
        The file; ``.measurement`` is appended to a name without a suffix. It may exist.

    Raises
    ------
    StudyError
        The disk is full or read-only, or the path is a folder; what was there stays.
    """
    target = user_path(path)
    target = target if target.suffix else target.with_suffix(SUFFIX)
    tensors: dict[str, np.ndarray] = {"image": np.frombuffer(measurement.image, np.uint8)}
    given = {"values": measurement.values, "null": measurement.null} | {
        f"details.{k}": v for k, v in measurement.details.items()
    }
    arrays = {name: _dump(name, array, tensors) for name, array in given.items() if array is not None}
    content = {
        "format": FORMAT,
        "name": measurement.name,
        "unit": measurement.unit,
        "check": asdict(measurement.check),
        "null_kind": None if measurement.null_kind is None else asdict(measurement.null_kind),
        "arrays": arrays,
        "provenance": plain(measurement.provenance),
        "note": measurement.note,
        "tensors": _digest(tensors),
    }
    body = dump_json(tagged(content))
    header = {"nbtoolkit": body, "sha256": hashlib.sha256(body.encode()).hexdigest()}
    with disk_errors("The measurement", target, StudyError, "What was there stays. Make room, or choose another path."):
        target.parent.mkdir(parents=True, exist_ok=True)
        sweep(target.parent, [target.name])
        with replacing(target) as temporary:
            temporary.write_bytes(to_bytes(tensors, header))
    return target


def read(path: str | os.PathLike[str], *, model: Any = None) -> Measurement:
    """Read a measurement.

    Parameters
    ----------
    path
        A file of :func:`save`.
    model
        The model beside which it is opened; any where None.

    Raises
    ------
    StudyError
        The file is missing, damaged, or no measurement; or it is of another model.
    """
    file = user_path(path)
    regular_file(file, StudyError)
    tensors = read_tensors(file)
    with safe_open(file, "np") as opened:
        header = opened.metadata() or {}
    body = header.get("nbtoolkit")
    if body is None:
        raise StudyError(f"{str(file)!r} is no measurement; expected a file of Measurement.save.")
    if hashlib.sha256(body.encode()).hexdigest() != header.get("sha256"):
        raise StudyError(f"{str(file)!r} was altered: the SHA-256 of its description is another one. Copy it again.")
    place = f"The measurement {str(file)!r}"
    content = _CONTENT(untagged(parse_json(body, place, StudyError)), place)
    if content["tensors"] != _digest(tensors):
        raise StudyError(f"{str(file)!r} was altered: the SHA-256 of its numbers is another one. Copy it again.")
    named = content["provenance"].get("model")
    if model is not None and named != model.name:
        raise StudyError(f"{place} is of the model {named!r}; expected {model.name!r}. Measure again with this model.")
    try:
        arrays = {name: _load(name, about, tensors, content["name"]) for name, about in content["arrays"].items()}
        null = content["null_kind"]
        return Measurement(
            arrays.pop("values"),
            content["unit"],
            Identity(**content["check"]),
            arrays.pop("null", None),
            None if null is None else Null(**null),
            {name.removeprefix("details."): array for name, array in arrays.items()},
            content["provenance"],
            tensors["image"].tobytes(),
            content["note"],
        )
    except (KeyError, ValueError, TypeError) as error:  # of xarray: sizes that do not fit
        if isinstance(error, StudyError):
            raise
        raise StudyError(f"{place} is damaged ({type(error).__name__}: {error}). Copy it again.") from error


def _dump(name: str, array: xarray.DataArray, tensors: dict[str, np.ndarray]) -> dict[str, Any]:
    """Description of an array; its numbers, and those of its coordinates, go to the tensors."""
    coords = {}
    for key, coord in array.coords.items():
        label = f"{name}:{key}"
        coords[str(key)] = {"dims": list(coord.dims), "texts": _texts(label, coord.values, tensors)}
    return {
        "dims": list(array.dims),
        "coords": coords,
        "texts": _texts(name, array.values, tensors),
        "shape": list(array.shape),
    }


def _texts(label: str, values: np.ndarray, tensors: dict[str, np.ndarray]) -> list[str] | None:
    if values.dtype.kind in "OUS":
        return [str(v) for v in values.ravel().tolist()]
    tensors[label] = np.ascontiguousarray(values)
    return None


def _load(name: str, about: Mapping[str, Any], tensors: Mapping[str, np.ndarray], title: str) -> xarray.DataArray:
    values = _values(name, about["texts"], tensors, [int(n) for n in about["shape"]])
    sizes = dict(zip(about["dims"], values.shape, strict=True))
    coords = {
        key: (tuple(one["dims"]), _values(f"{name}:{key}", one["texts"], tensors, [sizes[d] for d in one["dims"]]))
        for key, one in about["coords"].items()
    }
    return xarray.DataArray(values, coords, about["dims"], title if name == "values" else name.removeprefix("details."))


def _values(label: str, texts: list[str] | None, tensors: Mapping[str, np.ndarray], shape: list[int]) -> np.ndarray:
    values = tensors[label] if texts is None else np.array(texts, object)
    return values.reshape(shape)


def _digest(tensors: Mapping[str, np.ndarray]) -> str:
    digest = hashlib.sha256()
    for name in sorted(tensors):
        digest.update(json.dumps([name, str(tensors[name].dtype), list(tensors[name].shape)]).encode())
        digest.update(tensors[name].tobytes())
    return digest.hexdigest()
