"""Edits of an Inspector as plain data: typed, bounded, and checked against the model, the image and the study."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..errors import NbtoolkitError
from .edits import MAX_EDITS, MAX_NAME, MAX_STRENGTH, MEASURES, PARTS, POSITIONS

SOURCES = ("image", "question")
TARGETS = ("last", "word", "response")
PATCHED = ("image", "last")
FROM = ("other", "blank")
MAX_NEURON = 1_000_000
EXAMPLES = (
    '{"op": "knock_out", "layers": None, "heads": None, "sources": "image", "targets": "last"}',
    '{"op": "ablate", "layers": [2, 3], "part": "attention", "how": "zero", "heads": [1]}',
    '{"op": "ablate", "layer": 4, "concept": 3}',
    '{"op": "ablate", "layer": 4, "neurons": [12]}',
    '{"op": "mask", "patches": [0, 1]}',
    '{"op": "patch", "layer": 3, "positions": {"patches": [0]}, "from": "other"}',
    '{"op": "steer", "layer": 4, "concept": 3, "strength": 1.5, "positions": "all"}',
)


@dataclass(frozen=True)
class Facts:
    """What edits are checked against.

    Attributes
    ----------
    n_layers, n_heads
        Of the model.
    n_patches, n_positions
        Patches of the image, and positions of the prompt and the response.
    n_concepts
        Layer of the study to its number of concepts; empty without a study.
    other
        Whether there is a second side of the same model.
    """

    n_layers: int
    n_heads: int
    n_patches: int
    n_positions: int
    n_concepts: Mapping[int, int] = field(default_factory=dict)
    other: bool = False


def checked(edits: Sequence[Mapping[str, Any]], facts: Facts) -> list[dict[str, Any]]:
    """Validate edits and bring them into one form.

    Parameters
    ----------
    edits
        At most 32: knockouts of attention, ablations of layers, heads, neurons and concepts, masks of patches, patches of states
        from the other side or a blank image, and steering.
    facts
        What they are checked against.

    Returns
    -------
    list of dict
        The same, with defaults filled in; lists of numbers ascending.

    Raises
    ------
    NbtoolkitError
        An edit has an unknown operation, name or value.

    Examples
    --------
    >>> checked([{"op": "mask", "patches": [3, 1]}], Facts(5, 4, 64, 80))
    [{'op': 'mask', 'patches': [1, 3]}]
    """
    if not isinstance(edits, list | tuple) or len(edits) > MAX_EDITS:
        short = f"{len(edits)} entries" if isinstance(edits, list | tuple) else _short(edits)
        raise NbtoolkitError(f"edits is {short}; expected a list of at most {MAX_EDITS} dicts.")
    return [_Edit(i, edit, facts).checked() for i, edit in enumerate(edits)]


class _Edit:
    """One edit that is checked."""

    def __init__(self, index: int, edit: Any, facts: Facts) -> None:
        self.index, self.facts = index, facts
        self.edit: dict[str, Any] = dict(edit) if isinstance(edit, Mapping) else {}
        self.names = {*self.edit}
        self.whole = edit

    def checked(self) -> dict[str, Any]:
        op = self.edit.get("op")
        forms: list[tuple[str, set[str], set[str], Callable[[], dict[str, Any]]]] = [
            ("knock_out", set(), {"layers", "heads", "sources", "targets"}, self._knock_out),
            ("ablate", {"layers"}, {"part", "how", "heads"}, self._layers),
            ("ablate", {"layer", "concept"}, set(), self._concept),
            ("ablate", {"layer", "neurons"}, set(), self._neurons),
            ("mask", {"patches"}, set(), lambda: {"patches": self._patches(self.edit["patches"], "patches")}),
            ("patch", {"layer"}, {"positions", "from"}, self._patch),
            ("steer", {"layer", "concept", "strength"}, {"positions"}, self._steer),
            ("steer", {"layer", "word", "strength"}, {"positions"}, self._steer),
        ]
        for name, needed, optional, form in forms:
            if op == name and self.names >= needed and self.names <= needed | optional | {"op"}:
                return {"op": op, **form()}
        raise NbtoolkitError(
            f"edits[{self.index}] is {_short(self.whole)}; expected one of {', '.join(EXAMPLES)}, or steering by a word."
        )

    def _knock_out(self) -> dict[str, Any]:
        layers, heads = self.edit.get("layers"), self.edit.get("heads")
        sources, targets = self.edit.get("sources", "image"), self.edit.get("targets", "last")
        self._expect(isinstance(targets, str) and targets in TARGETS, "targets", targets, _choices(TARGETS))
        return {
            "layers": None if layers is None else self._integers("layers", layers, 1, self.facts.n_layers),
            "heads": None if heads is None else self._heads(heads),
            "sources": self._places("sources", sources, SOURCES),
            "targets": targets,
        }

    def _layers(self) -> dict[str, Any]:
        part, how, heads = self.edit.get("part", "block"), self.edit.get("how", "zero"), self.edit.get("heads")
        self._expect(isinstance(part, str) and part in PARTS, "part", part, _choices(PARTS))
        self._expect(isinstance(how, str) and how in MEASURES, "how", how, _choices(MEASURES))
        if heads is not None:
            fits = part == "attention" and how == "zero"
            self._expect(fits, "heads", heads, "None without part 'attention' and how 'zero'")
            heads = self._heads(heads)
        layers = self._integers("layers", self.edit["layers"], 1, self.facts.n_layers)
        return {"layers": layers, "part": part, "how": how, "heads": heads}

    def _concept(self) -> dict[str, Any]:
        layer, concept, layers = self.edit["layer"], self.edit["concept"], self.facts.n_concepts
        self._expect(
            _is_int(layer) and layer in layers,
            "layer",
            layer,
            f"a layer of the study, {list(layers) or 'which is none'}",
        )
        n = layers[layer]
        self._expect(_is_int(concept) and 0 <= concept < n, "concept", concept, f"0 … {n - 1}")
        return {"layer": layer, "concept": concept}

    def _neurons(self) -> dict[str, Any]:
        layer = self._layer(1)
        return {"layer": layer, "neurons": self._integers("neurons", self.edit["neurons"], 0, MAX_NEURON)}

    def _patch(self) -> dict[str, Any]:
        source = self.edit.get("from", "other" if self.facts.other else "blank")
        self._expect(isinstance(source, str) and source in FROM, "from", source, _choices(FROM))
        fits = source == "blank" or self.facts.other
        self._expect(fits, "from", source, "'blank' where there is no other side of the same model")
        positions = self._places("positions", self.edit.get("positions", "image"), PATCHED)
        return {"layer": self._layer(0), "positions": positions, "from": source}

    def _steer(self) -> dict[str, Any]:
        strength, positions = self.edit["strength"], self.edit.get("positions", "all")
        fits = isinstance(strength, int | float) and not isinstance(strength, bool) and abs(strength) <= MAX_STRENGTH
        self._expect(fits, "strength", strength, f"a finite number from {-MAX_STRENGTH:g} to {MAX_STRENGTH:g}")
        self._expect(isinstance(positions, str) and positions in POSITIONS, "positions", positions, _choices(POSITIONS))
        if "concept" in self.names:
            what = self._concept()
        else:
            word = self.edit["word"]
            fits = isinstance(word, str) and 0 < len(word.strip()) <= MAX_NAME
            self._expect(fits, "word", word, f"a text of 1 to {MAX_NAME} characters")
            what = {"layer": self._layer(0), "word": word.strip()}
        return {**what, "strength": float(strength), "positions": positions}

    def _layer(self, first: int) -> int:
        layer, n = self.edit["layer"], self.facts.n_layers
        self._expect(_is_int(layer) and first <= layer <= n, "layer", layer, f"{first} … {n}")
        return int(layer)

    def _heads(self, values: Any) -> list[int]:
        return self._integers("heads", values, 0, self.facts.n_heads - 1)

    def _patches(self, values: Any, name: str) -> list[int]:
        return self._integers(name, values, 0, self.facts.n_patches - 1)

    def _places(self, name: str, value: Any, roles: Sequence[str]) -> Any:
        """A role, positions, or patches."""
        if isinstance(value, str):
            self._expect(value in roles, name, value, f"{_choices(roles)}, positions, or {{'patches': [0]}}")
            return value
        if isinstance(value, Mapping):
            self._expect({*value} == {"patches"}, name, value, "{'patches': [0]}")
            return {"patches": self._patches(value["patches"], f"patches of {name}")}
        return self._integers(name, value, 0, self.facts.n_positions - 1)

    def _integers(self, name: str, values: Any, low: int, high: int) -> list[int]:
        self._expect(low <= high, name, values, "none, as there are no such parts in this model")
        fits = (
            isinstance(values, list | tuple) and bool(values) and all(_is_int(v) and low <= v <= high for v in values)
        )
        self._expect(fits, name, values, f"one integer or more, of {low} … {high}")
        return sorted(set(values))

    def _expect(self, condition: bool, name: str, value: Any, rule: str) -> None:
        if not condition:
            raise NbtoolkitError(f"{name} of edits[{self.index}] is {_short(value)}; expected {rule}.")


def _choices(values: Sequence[str]) -> str:
    return f"one of {', '.join(map(repr, values))}"


def _is_int(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 200 else text[:200] + "…"
