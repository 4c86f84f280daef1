"""What ``study.json`` and ``manifest.json`` may hold."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import fields as fields_of
from typing import Any

from ..types import Source
from ..types.decoder import CODINGS
from ..types.naming import RULES
from .schema import Rule, anything, fields, list_of, map_of, matching, number, numbers, one_of, optional, text, whole

FORMAT = 2  # 1 named an estimator by the module it lived in; it stays readable
_TAG = "not finite"

_layer = matching(r"0|[1-9]\d{0,3}", "a layer, such as '5'")
_numbers = map_of(number)
_RULES: Mapping[str, Rule] = {
    "str": text,
    "int": whole(),
    "int | None": optional(whole()),
    "tuple[str, ...]": list_of(text),
    "tuple[tuple[int, ...], ...]": list_of(list_of(whole())),
    "Mapping[str, str]": map_of(text),
    "Mapping[str, Any]": map_of(anything),
}
_source = fields({}, {f.name: _RULES[str(f.type)] for f in fields_of(Source)})
_encoder = fields(
    {"attributes": map_of(anything)}, {"estimator": text, "class": text, "components": one_of(("concepts",))}
)
_dictionary = fields(
    {"method": text, "parameters": map_of(anything), "encoder": optional(_encoder), "reconstruction_error": number},
    {"coding": one_of(CODINGS), "missing_decoder": text},
)
_scores = fields({"values": _numbers, "spread": _numbers, "baseline": _numbers, "per_concept": map_of(numbers)})
STUDY = fields(
    {
        "format": one_of((1, FORMAT)),
        "token": text,
        "source": _source,
        "n_layers": whole(),
        "filters": map_of(text, _layer),
        "skipped": map_of(text),
        "dictionaries": map_of(_dictionary, _layer),
        "scores": map_of(_scores, _layer),
    },
    {
        "naming": map_of(fields({}, {"rule": one_of(RULES), "evidence": text}), _layer),
        "occurrences": list_of(whole()),
        "labels": map_of(text),
    },
)
MANIFEST = map_of(fields({"sha256": matching(r"[0-9a-f]{64}", "64 hexadecimal digits"), "bytes": whole(0, 2**62)}))


def tagged(value: Any) -> Any:
    """Value in which NaN and infinity are objects, which JSON can hold: ``{"not finite": "inf"}``.

    Parameters
    ----------
    value
        Mappings, lists and plain values.

    Examples
    --------
    >>> tagged({"tol": float("-inf")})
    {'tol': {'not finite': '-inf'}}
    """
    if isinstance(value, float) and not math.isfinite(value):
        return {_TAG: str(value)}
    if isinstance(value, Mapping):
        return {k: tagged(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return list(value) if _plain(value) else [tagged(v) for v in value]
    return value


def untagged(value: Any) -> Any:
    """Value in which such objects are numbers again.

    Parameters
    ----------
    value
        What JSON holds.

    Examples
    --------
    >>> untagged(tagged([1.5, float("inf")]))
    [1.5, inf]
    """
    if isinstance(value, dict):
        if list(value) == [_TAG] and value[_TAG] in ("nan", "inf", "-inf"):
            return float(value[_TAG])
        return {k: untagged(v) for k, v in value.items()}
    return [untagged(v) for v in value] if isinstance(value, list) and not _plain(value) else value


def _plain(values: Any) -> bool:
    """Whether a list holds only what JSON can hold: a fast path for thousands of numbers."""
    kinds = set(map(type, values))
    return kinds <= {str, int, bool} or (kinds == {float} and math.isfinite(sum(map(abs, values))))
