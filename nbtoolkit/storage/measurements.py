"""Measurements as files: one safetensors file with numbers as tensors, and texts, axes and provenance as JSON in its header."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import xarray

from ..errors import StudyError
from ..types.measurement import Identity, Measurement
from ..types.nulls import Null
from .described import read_described, save_described
from .files import plain
from .provenance import weights
from .schema import anything, fields, list_of, map_of, number, one_of, optional, text
from .study_json import tagged, untagged

FORMAT = 1
SUFFIX = ".measurement"  # of the files that nbtoolkit names
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
    }
)


def save(measurement: Measurement, path: str | os.PathLike[str]) -> Path:
    """Write a measurement, whole or not at all.

    Parameters
    ----------
    measurement
        The measurement.
    path
        The file, such as ``dog.measurement``; it may exist.

    Raises
    ------
    StudyError
        The disk is full or read-only, or the path is a folder; what was there stays.
    """
    tensors: dict[str, np.ndarray] = {"image": np.frombuffer(measurement.image, np.uint8)}
    given = {"values": measurement.values, "null": measurement.null} | {
        f"details.{k}": v for k, v in measurement.details.items()
    }
    content = {
        "format": FORMAT,
        "name": measurement.name,
        "unit": measurement.unit,
        "check": asdict(measurement.check),
        "null_kind": None if measurement.null_kind is None else asdict(measurement.null_kind),
        "arrays": {name: _dump(name, array, tensors) for name, array in given.items() if array is not None},
        "provenance": measurement.provenance,
        "note": measurement.note,
    }
    return save_described(path, tensors, tagged(plain(content)))


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
        The file is missing, damaged, or no measurement; or it is of another model, revision, weights or number format.
    """
    content, tensors, place = read_described(path, "a measurement", lambda raw, where: _CONTENT(untagged(raw), where))
    if model is not None:
        _check_model(place, content["provenance"], model)
    _check_axes(place, content["arrays"])
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


def _check_axes(place: Any, arrays: Mapping[str, Any]) -> None:
    """Refuse arrays with an axis twice, and a null on other axes than the values."""
    dims = {name: about["dims"] for name, about in arrays.items()}
    twice = [name for name, own in dims.items() if len({*own}) < len(own)]
    others = {*dims.get("null", ())} ^ {*dims.get("values", ())} if "null" in dims else set()
    if twice or others - {"draw"}:
        raise StudyError(
            f"{place} has the axes {[*dims[twice[0] if twice else 'null']]}; expected each once, and the null on "
            "those of the values. Copy it again."
        )


def _check_model(place: Any, provenance: Mapping[str, Any], model: Any) -> None:
    """Refuse a measurement of another model, or of other weights under its name."""
    named, revision, own = (provenance.get(name) for name in ("model", "revision", "weights"))
    if named != model.name:
        raise StudyError(f"{place} is of the model {named!r}; expected {model.name!r}. Measure again with this model.")
    if revision and model.revision and revision != model.revision:
        raise StudyError(
            f"{place} is of revision {revision!r} of {named!r}; expected {model.revision!r}. Measure again with this model, or load "
            "that revision."
        )
    if own and own != weights(model.hf):
        raise StudyError(
            f"{place} is of other weights of {named!r}, or of the same in another number format; expected those of the model. Measure "
            "again with this model, or leave out model=…."
        )


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
