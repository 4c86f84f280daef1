"""Measurements as messages: arrays on named axes as buffers of at most 2 MB, words as indices into a table."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray

from ..strict_json import as_json
from ..types.measurement import Measurement

MOST_BYTES = 1_900_000  # of the buffers of one message, which has 2 MB
HALF_ABOVE = 400_000  # bytes of an array above which it is sent in 16 bits
LARGEST_HALF = 60_000.0  # above it, 16 bits hold no number
BANDS = (2.5, 97.5)  # per cent of the draws of a null
Array = np.ndarray
Arrays = Mapping[str, xarray.DataArray]


def null_arrays(m: Measurement, **places: Any) -> dict[str, xarray.DataArray]:
    """What a message shows of a null: 2.5 % and 97.5 % of its draws, or the null itself where it is one.

    Parameters
    ----------
    m
        The measurement.
    **places
        Axis to the coordinate that is shown.
    """
    if m.null is None:
        return {}
    null = m.null.sel({k: v for k, v in places.items() if k in m.null.dims}, drop=True)
    if "draw" not in null.dims:
        return {"null": null}
    low, high = np.percentile(null.values, BANDS, axis=null.dims.index("draw"))
    like = null.isel(draw=0, drop=True)
    return {"null_low": like.copy(data=low), "null_high": like.copy(data=high)}


def message(head: Mapping[str, Any], arrays: Arrays, facts: Mapping[str, Any]) -> tuple[dict[str, Any], list[bytes]]:
    """A result as JSON and buffers.

    Parameters
    ----------
    head
        Name, title, unit, check, null, note and seconds.
    arrays
        Name to array; arrays of texts become indices into ``strings``. Arrays of nulls are left out where all would not fit,
        then layers, evenly; the note says so.
    facts
        Single values.

    Examples
    --------
    >>> data, buffers = message({"note": ""}, {"values": xarray.DataArray([1.0, 2.0], {"layer": [1, 2]}, "layer")}, {})
    >>> data["arrays"]["values"]["coords"], decoded(data, buffers)["values"].values.tolist()
    ({'layer': [1, 2]}, [1.0, 2.0])
    """
    fitting, notes = _fitting(dict(arrays))
    strings: dict[str, int] = {}
    rows: dict[str, Any] = {}
    buffers: list[bytes] = []
    for name, array in fitting.items():
        values = _numbers(array.values, strings)
        rows[name] = {
            "dims": list(array.dims),
            "shape": list(array.shape),
            "dtype": str(values.dtype),
            "coords": {str(axis): array[axis].values.tolist() for axis in array.dims},
            "buffer": len(buffers),
        }
        buffers.append(values.tobytes())
    note = " ".join(s for s in (str(head.get("note", "")), *notes) if s)
    return as_json({**head, "note": note, "arrays": rows, "strings": list(strings), "facts": dict(facts)}), buffers


def decoded(data: Mapping[str, Any], buffers: list[bytes]) -> dict[str, xarray.DataArray]:
    """The arrays of a message, texts as texts.

    Parameters
    ----------
    data, buffers
        Of :func:`message`.
    """
    result = {}
    for name, row in data["arrays"].items():
        values: Array = np.frombuffer(buffers[row["buffer"]], row["dtype"]).reshape(row["shape"])
        if row.get("dtype") in ("uint16", "int32"):
            values = np.array(data["strings"], object)[values]
        result[name] = xarray.DataArray(values, row["coords"], row["dims"], name)
    return result


def _numbers(values: Array, strings: dict[str, int]) -> Array:
    """Numbers in at most 32 bits, little-endian; texts as indices into a table that grows."""
    if values.dtype.kind in "OU":
        indices = np.array([strings.setdefault(str(v), len(strings)) for v in values.ravel().tolist()], np.int32)
        return np.ascontiguousarray(indices.astype("<u2" if len(strings) < 2**16 else "<i4").reshape(values.shape))
    half = _in_half(values)
    return np.ascontiguousarray(values.astype("<f2" if half else "<f4"))


def _in_half(values: Array) -> bool:
    """Whether numbers are sent in 16 bits: of large arrays, whose values these can hold."""
    if 4 * values.size <= HALF_ABOVE:
        return False
    finite = values[np.isfinite(values)]
    return not finite.size or float(np.abs(finite).max()) < LARGEST_HALF


def _bytes(arrays: Arrays) -> int:
    return sum(
        a.size * (2 if a.values.dtype.kind in "OU" or _in_half(np.asarray(a.values)) else 4) for a in arrays.values()
    )


def _fitting(arrays: dict[str, xarray.DataArray]) -> tuple[dict[str, xarray.DataArray], list[str]]:
    """Arrays that fit a message, and sentences about what is left out."""
    if _bytes(arrays) <= MOST_BYTES:
        return arrays, []
    notes = []
    nulls = [name for name in arrays if name.startswith("null")]
    if nulls:
        arrays = {name: array for name, array in arrays.items() if name not in nulls}
        notes.append("The null is too large for the view; it is in the Measurement.")
    size = _bytes(arrays)
    if size <= MOST_BYTES:
        return arrays, notes
    step = math.ceil(size / MOST_BYTES)
    longest = max(arrays.values(), key=lambda a: a.size)
    if "layer" in longest.dims and longest.sizes["layer"] > step:
        every = [int(layer) for layer in longest["layer"].values[::-1][::step][::-1]]
        arrays = {
            name: array.sel(layer=[layer for layer in array["layer"].values if layer in every])
            if "layer" in array.dims
            else array
            for name, array in arrays.items()
        }
        notes.append(f"The view shows every {step}th layer up to the last one; the Measurement has all.")
    return arrays, notes
