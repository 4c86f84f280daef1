"""Interventions computed in advance, for a page without a kernel: each layer ablated, and stops of a slider per concept."""

from __future__ import annotations

import contextlib
import weakref
from collections import OrderedDict
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..errors import MethodError, NbtoolkitError
from ..interventions.vectors import concept_unit
from ..types import ConceptDictionary
from ..widgets import arguments
from .registry import OPERATIONS, operation
from .responses import N_RESPONSES
from .session import Session
from .steering import base_of, random_directions, result_of, run

STOPS = (-2.0, 2.0)  # of the slider, beside 0
N_STEERED = 5  # concepts of an image
N_SWEEPS = 1024  # images of which these stay in memory

_SWEEPS: weakref.WeakKeyDictionary[Session, OrderedDict[str, dict[str, Any]]] = weakref.WeakKeyDictionary()


@operation
def interventions_of(
    session: Session, *, sample: str, at: int, concepts: Sequence[int] | None = None, ahead: Sequence[str] = ()
) -> dict[str, Any]:
    """Interventions on the response to one image: each layer ablated, and concepts steered by -2 and +2 units.

    Parameters
    ----------
    session, sample, at
        The session, the id of the sample, and the layer of the concepts.
    concepts
        Rows of the concepts that are steered, at every position; where None, the five that the response uses most of those
        that a sample of the study uses.
    ahead
        Ids of the samples that are asked for next, at most 31: their layers are ablated in the same passes.

    Returns
    -------
    dict
        ``sweep``, as of :func:`nbtoolkit.live.operations.layer_effects` for this image; ``stops``, and ``steering``: per concept,
        as text, a list with one result per stop, as of :func:`nbtoolkit.live.steering.steer` without the activations. The control
        is the first of that operation.
    """
    cd = session.study.dictionary(at)
    sweep = _sweep(session, sample, ahead)
    with session.exclusive():
        base = base_of(session, sample)
        if concepts is None:
            units = _strongest(cd, base.states[cd.layer])
        else:
            units = {k: concept_unit(cd, k) for k in arguments.rows("concept", concepts, cd.n_concepts)}
        if not units:
            return {"sweep": sweep, "stops": list(STOPS), "steering": {}}
        vectors = []
        for vector in units.values():
            (draws,) = random_directions([STOPS[-1] * vector], 1)
            vectors += [*(x * vector for x in STOPS), draws[0]]
        edit = {"op": "steer", "layer": cd.layer, "positions": "all"}
        rows = run(session, base, [], [edit], [np.stack(vectors)], cd.layer)
    steering, size = {}, len(STOPS) + 1
    for i, k in enumerate(units):
        *steered, control = rows[size * i : size * (i + 1)]
        results = [result_of(base, cd, row, [control]) for row in steered]
        steering[str(k)] = [
            {name: part for name, part in result.items() if name != "activations"} for result in results
        ]
    return {"sweep": sweep, "stops": list(STOPS), "steering": steering}


def _strongest(cd: ConceptDictionary, state: np.ndarray) -> dict[int, np.ndarray]:
    """Concepts that a state uses most, with their units; one that no sample of the study uses has none."""
    if cd.decoder is None:
        return {}
    own = np.abs(cd.encode(state[None])[0])
    units: dict[int, np.ndarray] = {}
    for k in np.argsort(-own, kind="stable").tolist():
        if len(units) == N_STEERED or not own[k] > 0:
            break
        with contextlib.suppress(MethodError):
            units[k] = concept_unit(cd, k)
    return units


def _sweep(session: Session, sample: str, ahead: Sequence[str]) -> dict[str, Any]:
    """Each layer ablated in the response to one image; of those that are asked for next, the result stays in memory."""
    if len(ahead) >= N_RESPONSES:
        raise NbtoolkitError(f"ahead has {len(ahead)} entries; expected at most {N_RESPONSES - 1}.")
    memory = _SWEEPS.setdefault(session, OrderedDict())
    if sample not in memory:
        new = [one for one in dict.fromkeys([sample, *ahead]) if one not in memory]
        result = OPERATIONS["layer_effects"](session, samples=new)
        lists = {name: dict(zip(result["samples"], result[name], strict=True)) for name in ("change", "null")}
        for one in reversed(new):
            own = [one] if one in result["samples"] else []
            memory[one] = result | {name: [of[i] for i in own] for name, of in lists.items()} | {"samples": own}
        while len(memory) > N_SWEEPS:
            memory.popitem(last=False)
    return memory[sample]
