"""What an exported page may take from its address: simple traits, each with the rule that its values obey."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import traitlets

MAX_TEXT = 200  # characters of a value
UNADDRESSED = ("step",)  # progress of a lesson


def rules(view: Any, special: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """Rules of the state traits whose values fit into an address.

    Parameters
    ----------
    view
        The view.
    special
        Rules of traits whose values depend on the data.

    Returns
    -------
    dict
        Per trait ``kind`` (``"choice"``, ``"bool"``, ``"int"``, ``"float"``, ``"text"``, or ``"id"`` for the id of a
        sample), and where they apply ``values``, ``min``, ``max``, and ``none``: whether the trait may be None.
    """
    out: dict[str, dict[str, Any]] = {}
    for name in view.state_names():
        if name in view.python_only or name in UNADDRESSED:
            continue
        trait = view.traits()[name]
        rule = special.get(name) or _rule(trait)
        if rule:
            out[name] = {**rule, **({"none": True} if trait.allow_none else {})}
    return out


def _rule(trait: Any) -> dict[str, Any] | None:
    """Rule of a trait's type; None for lists and dicts."""
    if isinstance(trait, traitlets.Enum):
        return {"kind": "choice", "values": [v for v in trait.values or () if v is not None]}
    if isinstance(trait, traitlets.Bool):
        return {"kind": "bool"}
    if isinstance(trait, traitlets.Float):  # before Int, which it is not
        return {"kind": "float", **_ends(trait)}
    if isinstance(trait, traitlets.Int):
        return {"kind": "int", "min": 0, **_ends(trait)}
    return {"kind": "text", "max": MAX_TEXT} if isinstance(trait, traitlets.Unicode) else None


def _ends(trait: Any) -> dict[str, float]:
    return {
        name: end for name in ("min", "max") if (end := getattr(trait, name, None)) is not None and math.isfinite(end)
    }
