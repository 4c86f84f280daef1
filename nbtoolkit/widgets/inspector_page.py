"""What an Inspector's page without a kernel has: what was measured, and the edits that were answered."""

from __future__ import annotations

import base64
import json
import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np

MAX_BYTES = 8_000_000  # of a page, beyond which results shrink
NULLS = ("null", "null_low", "null_high")


def edit_key(target: str, foil: str, edits: Any) -> str:
    """By which a page finds the answer to edits: as JavaScript's ``JSON.stringify`` writes them.

    Parameters
    ----------
    target, foil
        The word, and the one that it is compared with.
    edits
        The edits.
    """
    return "|".join([target, foil, json.dumps(_whole(edits), separators=(",", ":"), ensure_ascii=False)])


def _whole(value: Any) -> Any:
    """A value with whole floats as integers, which JSON of JavaScript has."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, Mapping):
        return {k: _whole(v) for k, v in value.items()}
    return [_whole(v) for v in value] if isinstance(value, list | tuple) else value


def results(session: Any) -> dict[str, dict[str, Any]]:
    """Every result of the session's sides, by ``"side|target|foil|name|of"``, with its arrays as base64.

    Parameters
    ----------
    session
        The session of the view.
    """
    out = {}
    for place in session.measurements:
        side, target, foil, name, of = place.split("|", 4)
        if side == "edited":
            continue
        question = {"side": side, "target": target, "foil": foil, "name": name, "of": of}
        data, buffers = session.run("measure", question)
        out[place] = {**data, "buffers": [base64.b64encode(b).decode() for b in buffers]}
    return out


def fitting(measured: dict[str, dict[str, Any]], room: int) -> dict[str, dict[str, Any]]:
    """The results as far as they fit: without nulls where they do not, then without the largest ones. A warning says which.

    Parameters
    ----------
    measured
        Of :func:`results`.
    room
        Bytes that they may have.
    """
    if _size(measured) <= room:
        return measured
    measured = {place: without_nulls(result) for place, result in measured.items()}
    dropped: list[str] = []
    while _size(measured) > room and measured:
        largest = max(measured, key=lambda place: _size({place: measured[place]}))
        dropped.append(largest.split("|")[3])
        measured = {place: result for place, result in measured.items() if place != largest}
    without = f" and without {', '.join(dropped)}" if dropped else ""
    warnings.warn(
        f"The page would exceed {MAX_BYTES / 1e6:.0f} MB: it is written without nulls{without}.", stacklevel=4
    )
    return measured


def without_nulls(result: dict[str, Any]) -> dict[str, Any]:
    """A result without the arrays of its null, which its note then says.

    Parameters
    ----------
    result
        The result.
    """
    arrays: dict[str, Any] = {}
    buffers: list[str] = []
    for name, array in result["arrays"].items():
        if name not in NULLS:
            arrays[name] = {**array, "buffer": len(buffers)}
            buffers.append(result["buffers"][array["buffer"]])
    if len(buffers) == len(result["buffers"]):
        return result
    note = f"{result['note']} The page has not its null.".strip()
    return {**result, "arrays": arrays, "buffers": buffers, "null": "", "note": note}


def _size(measured: Mapping[str, Mapping[str, Any]]) -> int:
    return int(np.sum([len(buffer) for result in measured.values() for buffer in result["buffers"]], dtype=int))
