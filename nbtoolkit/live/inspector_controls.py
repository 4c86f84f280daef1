"""Controls of edits: the same edits of other parts, as many of them, or along random directions of the same length."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import MethodError
from ..models.anatomy import neuron_matrix
from .inspector_edits import Edit, direction
from .inspector_places import places, readers

if TYPE_CHECKING:
    from .inspector_case import Case

Array = np.ndarray
Control = tuple[dict[str, Any], str]


def control_of(case: Case, edits: Sequence[Edit], seed: int) -> tuple[list[dict[str, Any]], str]:
    """Edits of equal size as others, and what is random in them, as a sentence.

    Parameters
    ----------
    case
        The case.
    edits
        Checked edits.
    seed
        Of the draw.

    Raises
    ------
    MethodError
        There are no other parts of an edit's kind.
    """
    rng = np.random.default_rng(seed)
    drawn = [_one(case, edit, rng) for edit in edits]
    kinds = dict.fromkeys(what for _, what in drawn)
    return [edit for edit, _ in drawn], f"Random: {'; '.join(kinds)}."


def _one(case: Case, edit: Edit, rng: np.random.Generator) -> Control:
    make: Mapping[str, Callable[[Case, Edit, np.random.Generator], Control]] = {
        "knock_out": _knock_out,
        "ablate": _ablate,
        "mask": _mask,
        "patch": _patch,
        "steer": _steer,
    }
    return make[edit["op"]](case, edit, rng)


def _others(rng: np.random.Generator, own: Sequence[int], pool: Sequence[int], what: str) -> list[int]:
    """As many entries of a pool that are not among some; of a pool with fewer others, these and some of the same."""
    free = sorted({*pool} - {*own})
    if not free:
        raise MethodError(f"The edit is of all {len(own)} {what}; expected some others for a control of equal size.")
    n = min(len(own), len(free))
    chosen = rng.choice(free, n, replace=False).tolist()
    same = rng.choice(list(own), len(own) - n, replace=False).tolist() if n < len(own) else []
    return sorted(int(i) for i in (*chosen, *same))


def _knock_out(case: Case, edit: Edit, rng: np.random.Generator) -> Control:
    model, heads = case.side.model, edit.get("heads")
    if heads is not None and len(heads) < model.n_heads:
        other = _others(rng, heads, range(model.n_heads), "heads")
        return {**edit, "heads": other}, "other heads of the same layers, as many of them"
    if edit["layers"] is not None and len(edit["layers"]) < model.n_layers:
        layers = _others(rng, edit["layers"], range(1, model.n_layers + 1), "layers")
        return {**edit, "layers": layers}, "other layers, as many of them"
    sources, rows, n = places(case, edit["sources"]), readers(case, edit["targets"]), case.side.whole.n_positions
    own = {*(range(*rows.indices(n)) if isinstance(rows, slice) else rows)}
    pool = [p for p in range(n) if p not in own and p < max(own)]
    if isinstance(edit["sources"], Mapping):  # patches: others of them
        pool = [p for p in case.side.patches[0] if p in pool]
    return {**edit, "sources": _others(rng, sources, pool, "sources")}, "other sources, as many of them where there are"


def _ablate(case: Case, edit: Edit, rng: np.random.Generator) -> Control:
    model = case.side.model
    if "concept" in edit:
        vector = rng.normal(size=model.d_model)
        return {"op": "ablate", "layer": edit["layer"], "vector": vector}, "random directions instead of concepts"
    if "neurons" in edit:
        matrix: Any = neuron_matrix(model, edit["layer"])
        other = _others(rng, edit["neurons"], range(matrix.weight.shape[1]), "neurons")
        return {**edit, "neurons": other}, "other neurons of the same layer, as many of them"
    if edit["heads"] is not None and len(edit["heads"]) < model.n_heads:
        other = _others(rng, edit["heads"], range(model.n_heads), "heads")
        return {**edit, "heads": other}, "other heads of the same layers, as many of them"
    layers = _others(rng, edit["layers"], range(1, model.n_layers + 1), "layers")
    return {**edit, "layers": layers}, "other layers, as many of them"


def _mask(case: Case, edit: Edit, rng: np.random.Generator) -> Control:
    patches = _others(rng, edit["patches"], range(len(case.side.patches[0])), "patches")
    return {"op": "mask", "patches": patches}, "other patches, as many of them"


def _patch(case: Case, edit: Edit, rng: np.random.Generator) -> Control:
    if isinstance(edit["positions"], Mapping) and len(edit["positions"]["patches"]) < len(case.side.patches[0]):
        pool = range(len(case.side.patches[0]))
        patches = _others(rng, edit["positions"]["patches"], pool, "patches")
        return {**edit, "positions": {"patches": patches}}, "states of other patches, as many of them"
    at = places(case, edit["positions"])
    if len(at) > 1:
        return {**edit, "order": rng.permutation(at).tolist()}, "the same states, each at another position"
    prompt = [token.position for token in case.side.tokens if token.position < at[0]]
    return {**edit, "positions": _others(rng, at, prompt, "positions")}, "states of other positions, as many of them"


def _steer(case: Case, edit: Edit, rng: np.random.Generator) -> Control:
    noise, length = rng.normal(size=case.side.model.d_model), float(np.linalg.norm(direction(case, edit)))
    vector = noise * (length / np.linalg.norm(noise))
    return {**edit, "vector": vector}, "random directions of the same length"
