"""Edits of a model's forward pass as plain data: typed, bounded, and checked against the study and the model."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from ..errors import NbtoolkitError
from ..storage.study import Study
from ..types.rules import suggestion

PARTS = ("block", "attention", "mlp")
MEASURES = ("zero", "mean")
POSITIONS = ("all", "image", "after")
WHAT = ("concept", "word", "direction")  # what an edit steers by: one of them
MAX_EDITS = 32
MAX_HEADS = 1024  # where no model says how many there are
MAX_STRENGTH = 100.0
MAX_NAME = 80  # characters of a word, and of a direction's name
LAYERS_EDIT = '{"op": "ablate", "layers": [2, 3], "part": "mlp", "how": "zero", "heads": None}'
CONCEPT_EDIT = '{"op": "ablate", "layer": 4, "concept": 3}'
STEER_EDIT = '{"op": "steer", "layer": 4, "concept": 3, "strength": 1.5, "positions": "all"}'


def checked(
    edits: Sequence[Mapping[str, Any]],
    study: Study,
    n_heads: int | None = None,
    directions: Collection[str] | None = None,
) -> list[dict[str, Any]]:
    """Validate edits and bring them into one form.

    Parameters
    ----------
    edits
        Ablations of layers, ``{"op": "ablate", "layers": […], "part": "block" | "attention" | "mlp", "how": "zero" |
        "mean", "heads": None | […]}``, and of a concept's direction, ``{"op": "ablate", "layer": …, "concept": …}``; and
        steering, ``{"op": "steer", "layer": …, "concept": k | "word": "snow" | "direction": name, "strength": x, "positions":
        "all" | "image" | "after"}``: the strength is in units of the concept's typical coefficient
        (:func:`nbtoolkit.interventions.concept_unit`), of the word's vector, or of the direction itself; "after" are the
        positions from the one on that predicts the token.
    study
        The study whose layers and concepts they name.
    n_heads
        Attention heads of the model, if known.
    directions
        Names of the directions, if known; see :func:`nbtoolkit.explore`.

    Returns
    -------
    list of dict
        The same, with defaults filled in: part "block", how "zero", heads None, positions "all"; layers and heads ascending.

    Raises
    ------
    NbtoolkitError
        An edit has an unknown operation, name or value.
    """
    if not isinstance(edits, list | tuple) or len(edits) > MAX_EDITS:
        given = f"{len(edits)} entries" if isinstance(edits, list | tuple) else repr(edits)[:200]
        raise NbtoolkitError(f"edits is {given}; expected a list of at most {MAX_EDITS} dicts.")
    return [_one(i, edit, study, n_heads, directions) for i, edit in enumerate(edits)]


def _one(i: int, edit: Any, study: Study, n_heads: int | None, directions: Collection[str] | None) -> dict[str, Any]:
    names = set(edit) if isinstance(edit, Mapping) else set()
    op = edit["op"] if "op" in names else None
    if op == "ablate" and names >= {"op", "layers"} and names <= {"op", "layers", "part", "how", "heads"}:
        return _of_layers(i, edit, study.representations.n_layers, n_heads)
    if op == "ablate" and names == {"op", "layer", "concept"}:
        return {"op": "ablate", **_of_concept(i, edit, study)}
    if op == "steer" and names - {"positions"} in ({"op", "layer", "strength", what} for what in WHAT):
        return _steering(i, edit, study, directions)
    raise NbtoolkitError(
        f"edits[{i}] is {_short(edit)}; expected {LAYERS_EDIT}, {CONCEPT_EDIT} or {STEER_EDIT}, which has a concept, a word or "
        "a direction."
    )


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
    layer, concept = _study_layer(i, edit, study), edit["concept"]
    n = study.dictionary(layer).n_concepts
    _expect(_is_int(concept) and 0 <= concept < n, i, "concept", concept, f"0 … {n - 1}")
    return {"layer": layer, "concept": concept}


def _steering(i: int, edit: Mapping[str, Any], study: Study, directions: Collection[str] | None) -> dict[str, Any]:
    strength, positions = edit["strength"], edit.get("positions", "all")
    fits = isinstance(strength, int | float) and not isinstance(strength, bool)
    fits = fits and abs(strength) <= MAX_STRENGTH  # NaN is not
    _expect(fits, i, "strength", strength, f"a finite number from {-MAX_STRENGTH:g} to {MAX_STRENGTH:g}")
    named = isinstance(positions, str) and positions in POSITIONS
    _expect(named, i, "positions", positions, f"one of {', '.join(map(repr, POSITIONS))}")
    rest = {"strength": float(strength), "positions": positions}
    if "concept" in edit:
        return {"op": "steer", **_of_concept(i, edit, study), **rest}
    if "word" in edit:
        layer, word = _study_layer(i, edit, study), _text(i, "word", edit["word"])
        return {"op": "steer", "layer": layer, "word": word, **rest}
    layer, name = edit["layer"], _text(i, "direction", edit["direction"])
    n = study.representations.n_layers
    _expect(_is_int(layer) and 0 <= layer <= n, i, "layer", layer, f"0 … {n}")
    if directions is not None and name not in directions:
        hint = suggestion(name, directions) or f" The view has {', '.join(map(repr, directions)) or 'none'}."
        raise NbtoolkitError(
            f"direction of edits[{i}] is {_short(name)}; expected one of explore(…, directions={{name: vector}}).{hint}"
        )
    return {"op": "steer", "layer": layer, "direction": name, **rest}


def _study_layer(i: int, edit: Mapping[str, Any], study: Study) -> int:
    layer, layers = edit["layer"], list(study.layers)
    _expect(_is_int(layer) and layer in layers, i, "layer", layer, f"one of {layers}")
    return int(layer)


def _text(i: int, name: str, value: Any) -> str:
    fits = isinstance(value, str) and 0 < len(value.strip()) <= MAX_NAME
    _expect(fits, i, name, value, f"a text of 1 to {MAX_NAME} characters")
    return str(value).strip()


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
