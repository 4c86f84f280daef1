"""Measurements of a word under edits: the logit lens and the attention of the edited pass."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import torch
import xarray

from ..errors import MethodError
from ..models.replay import replay
from ..models.taps import Cut, require_layers, tap
from ..targets.axes import patch_coordinates, rounding
from ..targets.target import Target
from ..types.measurement import Identity, Measurement
from .inspector_edits import cut, edited
from .inspector_instruments import INSTRUMENTS

if TYPE_CHECKING:
    from .inspector_case import Case

UNDER_EDITS = ("lens", "attention")


def measure_edited(name: str, case: Case) -> Measurement:
    """Measure a word under the edits of a case.

    Parameters
    ----------
    name
        ``"lens"`` or ``"attention"``.
    case
        The case.

    Raises
    ------
    MethodError
        Another instrument, whose parts of the pass an edit would change twice.
    """
    if name not in UNDER_EDITS:
        raise MethodError(
            f"{INSTRUMENTS[name].title} is not measured under edits; expected one of {', '.join(map(repr, UNDER_EDITS))}."
        )
    m = _attention(case) if name == "attention" else _lens(case)
    return replace(m, provenance={**m.provenance, "edits": [dict(edit) for edit in case.edits]})


def _lens(case: Case) -> Measurement:
    target = replace(case.target)  # whose pass is not recorded yet
    for name in ("image_span", "tokens"):  # the same in every pass of this prompt
        target.__dict__[name] = getattr(case.target, name)
    with edited(case, case.edits):
        return INSTRUMENTS["lens"].measure(replace(case, target=target))


def _attention(case: Case) -> Measurement:
    """Attention where the word is predicted in the edited pass; a head that is cut reads nothing of its sources."""
    target, model = case.target, case.side.model
    cuts = [one for edit in case.edits if edit["op"] == "knock_out" for one in cut(case, edit)]
    others = [edit for edit in case.edits if edit["op"] != "knock_out"]
    positions, recording = target.at("image"), target.recording
    _ = case.side.whole.recording  # before an edit is in force
    with edited(case, others), tap(model, target.positions, cuts=cuts) as heard:
        replay(model, recording, 0, recording.stream[0])
    require_layers(heard, model)
    layers = sorted(heard.rows)
    rows = (
        torch.stack([_with_cuts(heard.rows[layer][0], layer, target, cuts).mean(1) for layer in layers]).cpu().numpy()
    )
    coords = {"layer": layers, "head": range(rows.shape[1])} | patch_coordinates(target, positions)
    sums = rows.sum(-1)
    missed = max(max(heard.residual.values()), float(np.minimum(np.abs(sums - 1), np.abs(sums)).max()))
    return Measurement(
        xarray.DataArray(rows[..., list(positions)], coords, ("layer", "head", "patch"), "attention_to_image"),
        "no unit",
        Identity(
            "rows sum to 1 (0 of a head that reads nothing), and rows · values equal the heads' outputs",
            missed,
            rounding(target),
        ),
        provenance=target.provenance,
        image=target.thumbnail,
        target=target,
        note="Under edits.",
    )


def _with_cuts(rows: torch.Tensor, layer: int, target: Target, cuts: list[Cut]) -> torch.Tensor:
    """Probabilities (n_heads, n_rows, n_positions) of a layer after its cuts: what is left is read instead."""
    own = rows.clone()
    for one in cuts:
        here = [i for i, position in enumerate(target.positions) if position in one.targets]
        if one.layer != layer or not here:
            continue
        heads = list(range(len(own))) if one.heads is None else list(one.heads)
        sources = [s for s in one.sources if s < own.shape[-1]]
        own[torch.tensor(heads)[:, None, None], torch.tensor(here)[:, None], torch.tensor(sources)] = 0
    left = own.sum(-1, keepdim=True)
    return torch.where(left > 0, own / left.clamp_min(1e-30), own)
