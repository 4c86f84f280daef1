"""Edits of a model's forward pass as plain data: typed, bounded, and checked against the study and the model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..errors import NbtoolkitError
from ..storage.study import Study

PARTS = ("block", "attention", "mlp")
MEASURES = ("zero", "mean")
MAX_EDITS = 32
MAX_HEADS = 1024  # where no model says how many there are
LAYERS_EDIT = '{"op": "ablate", "layers": [2, 3], "part": "mlp", "how": "zero", "heads": None}'
CONCEPT_EDIT = '{"op": "ablate", "layer": 4, "concept": 3}'


def checked(edits: Sequence[Mapping[str, Any]], study: Study, n_heads: int | None = None) -> list[dict[str, Any]]:
    """Validate edits and bring them into one form.

    Parameters
    ----------
    edits
        Ablations of layers, ``{"op": "ablate", "layers": […], "part": "block" | "attention" | "mlp", "how": "zero" |
        "mean", "heads": None | […]}``, and of a concept's direction, ``{"op": "ablate", "layer": …, "concept": …}``.
    study
        The study whose layers and concepts they name.
    n_heads
        Attention heads of the model, if known.

    Returns
    -------
    list of dict
        The same, with defaults filled in: part "block", how "zero", heads None; layers and heads ascending.

    Raises
    ------
    NbtoolkitError
        An edit has an unknown operation, name or value.
    """
    if not isinstance(edits, list | tuple) or len(edits) > MAX_EDITS:
        given = f"{len(edits)} entries" if isinstance(edits, list | tuple) else repr(edits)[:200]
        raise NbtoolkitError(f"edits is {given}; expected a list of at most {MAX_EDITS} dicts.")
    return [_one(i, edit, study, n_heads) for i, edit in enumerate(edits)]


def _one(i: int, edit: Any, study: Study, n_heads: int | None) -> dict[str, Any]:
    names = set(edit) if isinstance(edit, Mapping) else set()
    if names >= {"op", "layers"} and names <= {"op", "layers", "part", "how", "heads"} and edit["op"] == "ablate":
        return _of_layers(i, edit, study.representations.n_layers, n_heads)
    if names == {"op", "layer", "concept"} and edit["op"] == "ablate":
        return _of_concept(i, edit, study)
    raise NbtoolkitError(f"edits[{i}] is {_short(edit)}; expected {LAYERS_EDIT} or {CONCEPT_EDIT}.")


def _of_layers(i: int, edit: Mapping[str, Any], n_layers: int, n_heads: int | None) -> dict[str, Any]:
    part, how, heads = edit.get("part", "block"), edit.get("how", "zero"), edit.get("heads")
    _expect(part in PARTS, i, "part", part, f"one of {', '.join(map(repr, PARTS))}")
    _expect(how in MEASURES, i, "how", how, f"one of {', '.join(map(repr, MEASURES))}")
    layers = _integers(i, "layers", edit["layers"], 1, n_layers)
    if heads is not None:
        _expect(
            part == "attention" and how == "zero", i, "heads", heads, "None without part 'attention' and how 'zero'"
        )
        heads = _integers(i, "heads", heads, 0, (n_heads or MAX_HEADS) - 1) or None
    return {"op": "ablate", "layers": layers, "part": part, "how": how, "heads": heads}


def _of_concept(i: int, edit: Mapping[str, Any], study: Study) -> dict[str, Any]:
    layer, concept = edit["layer"], edit["concept"]
    layers = list(study.layers)
    _expect(_is_int(layer) and layer in layers, i, "layer", layer, f"one of {layers}")
    n = study.dictionary(layer).n_concepts
    _expect(_is_int(concept) and 0 <= concept < n, i, "concept", concept, f"0 … {n - 1}")
    return {"op": "ablate", "layer": layer, "concept": concept}


def _integers(i: int, name: str, values: Any, low: int, high: int) -> list[int]:
    fits = isinstance(values, list | tuple) and all(_is_int(v) and low <= v <= high for v in values)
    _expect(fits, i, name, values, f"integers of {low} … {high}")
    return sorted(set(values))


def _is_int(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _expect(condition: bool, i: int, name: str, value: Any, expected: str) -> None:
    if not condition:
        raise NbtoolkitError(f"{name} of edits[{i}] is {_short(value)}; expected {expected}.")


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 200 else text[:200] + "…"
