"""Occlusion: what the word loses when patches of the image or tokens of the text are replaced by a baseline."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import xarray
from torch import Tensor

from ..errors import MethodError, ModelError
from ..targets.axes import (
    boxes_of,
    on_fitting_threads,
    patch_coordinates,
    placebo,
    position_coordinates,
    require_image,
    rounding,
    text_positions,
)
from ..targets.target import Target
from ..types import resolve_layer
from ..types.arguments import checked
from ..types.measurement import Identity, Measurement
from ..types.nulls import OTHER_IMAGE
from ..types.rules import Count
from .baselines import baseline_between, baseline_states, check_baseline, check_null

Array = np.ndarray
UNITS = ("patch", "block", "token")


@checked
@on_fitting_threads
def occlusion(
    target: Target,
    *,
    unit: str = "patch",
    size: Count = 2,
    baseline: str = "mean",
    keep_only: bool = False,
    data: Sequence[Any] | None = None,
    layer: int = 0,
    null: str = "image",
) -> Measurement:
    """Change of the word's log p, or logit difference, when a patch, a block of patches or a token is occluded.

    The states of the unit's positions after a layer are replaced, and the pass goes on from there; the vision tower is not
    run again. Where a model adds the image again between its blocks (deepstack), that is replaced too. A positive value
    supports the word.

    Parameters
    ----------
    target
        The target.
    unit
        ``"patch"``: every image position. ``"block"``: squares of patches, and the marks between patches as one unit.
        ``"token"``: every text position.
    size
        Side of a block, in patches; only for ``unit="block"``.
    baseline
        What replaces the states of the image: ``"mean"``, the mean state of its patches; ``"blur"``, the states of the blurred
        image; ``"dataset"``, the mean over the patches of all images of ``data``. Tokens have the mean of the text's states.
    keep_only
        Measure each unit alone: all others are occluded, and the value is what it adds to the occlusion of all units. Where
        several units carry the same evidence, occlusion of one shows nothing, and this does.
    data
        Images, or a data set with a column ``image``; for ``baseline="dataset"``.
    layer
        The layer after which states are replaced; 0 is the input of the first block.
    null
        ``"image"``: the same occlusion in an image of the same size without its content, which doubles the time.
        ``"none"``: no null.

    Returns
    -------
    Measurement
        Over the axis ``patch`` or ``position``, in the unit of the target's quantity. ``details["unit"]`` has the number of the
        unit of each position, -1 for positions that are never occluded.

    Raises
    ------
    ModelError
        The model has no image positions, or for blocks, they are no grid of patches.
    MethodError
        An unknown unit, baseline or null.

    References
    ----------
    Zeiler and Fergus 2014 (arXiv 1311.2901), section 4.2. The mean state as baseline keeps the norm that a model expects.

    Examples
    --------
    >>> import nbtoolkit as nbt
    >>> from nbtoolkit.targets import target
    >>> t = target(nbt.load_model("toy"), nbt.load_data("toy", n=1)[0]["image"], "cars", response="two cars")
    >>> occlusion(t, unit="block", size=4).values.sizes["patch"]
    4
    """
    _check(unit, baseline, null, data)
    layer = resolve_layer(layer, target.model.n_layers)
    units, coords = _units(target, unit, int(size))
    axis = "position" if unit == "token" else "patch"
    scores, missed = _scores(target, layer, units, _ends(target, layer, baseline, data), keep_only)
    values = xarray.DataArray(scores, dims=axis, coords=coords, name="occlusion")
    floor = None
    if null == "image":
        other = placebo(target)
        floor = values.copy(data=_scores(other, layer, units, _ends(other, layer, baseline, data), keep_only)[0])
    settings = {
        "unit": unit,
        "size": int(size),
        "baseline": baseline,
        "keep_only": keep_only,
        "layer": layer,
        "null": null,
    }
    return Measurement(
        values,
        target.quantity.unit,
        Identity(
            "the occlusion of no position changes nothing", missed, rounding(target) * max(1.0, abs(target.value))
        ),
        null=floor,
        null_kind=None if floor is None else OTHER_IMAGE,
        details={"unit": _numbers(target, units)},
        provenance=target.provenance | {"settings": settings, "value": target.value},
        image=target.thumbnail,
        target=target,
        note=" ".join(
            s
            for s in ("Each unit alone, added to the occlusion of all." if keep_only else "", target.quantity.note)
            if s
        ),
    )


def _check(unit: str, baseline: str, null: str, data: Any) -> None:
    if unit not in UNITS:
        raise MethodError(f"unit is {unit!r}; expected {', '.join(map(repr, UNITS))}.")
    check_null(null)
    check_baseline(baseline, data)
    if unit == "token" and baseline != "mean":
        raise MethodError(
            f"baseline is {baseline!r} with unit='token'; expected 'mean', as the text has no image to take it from."
        )


def _units(target: Target, unit: str, size: int) -> tuple[list[tuple[int, ...]], dict[str, Any]]:
    """Positions of each unit, and the coordinates of their axis."""
    if unit == "token":
        positions = text_positions(target)
        return [(p,) for p in positions], position_coordinates(target, positions)
    image = require_image(target, "Occlusion of the image")
    if unit == "patch":
        return [(p,) for p in image], patch_coordinates(target, image)
    places, geometry = boxes_of(target)
    if geometry is None:
        raise ModelError(
            f"unit is 'block', and the image positions of {target.model.name} are no grid of patches; expected one. Use unit='patch'."
        )
    blocks: dict[Any, list[int]] = {}
    for p in image:
        row, column = geometry.cells[places[p]].tolist() if p in places else (-1, -1)
        cell = (int(geometry.tiles[places[p]]), row // size, column // size) if row >= 0 else None
        blocks.setdefault(cell, []).append(p)
    marks = blocks.pop(None, None)
    units = [tuple(b) for b in blocks.values()] + ([tuple(marks)] if marks else [])
    cells = np.array(list(blocks) + ([(-1, -1, -1)] if marks else []))
    columns = patch_coordinates(target, [u[0] for u in units])
    boxes = [geometry.boxes[[places[p] for p in u]] for u in blocks.values()]
    ends = np.array(
        [[*np.nanmin(b[:, :2], 0), *np.nanmax(b[:, 2:], 0)] for b in map(_shown, boxes)] + [[np.nan] * 4] * bool(marks)
    )
    edges = dict(zip(("x0", "y0", "x1", "y1", "tile", "row", "column"), [*ends.T, *cells.T], strict=True))
    return units, columns | {name: ("patch", values) for name, values in edges.items()}


def _shown(boxes: Array) -> Array:
    """Boxes that show part of the image; NaN where none does."""
    inside = boxes[np.isfinite(boxes[:, 0])]
    return inside if len(inside) else np.full((1, 4), np.nan)


class _Ends(NamedTuple):
    """What replaces the states of occluded positions, and what a model adds there between its blocks."""

    states: Tensor
    between: dict[int, Tensor]


def _ends(target: Target, layer: int, baseline: str, data: Any) -> _Ends:
    return _Ends(
        baseline_states(target, layer, baseline, data),
        baseline_between(target, layer, baseline, data),
    )


def _scores(
    target: Target, layer: int, units: Sequence[tuple[int, ...]], ends: _Ends, keep_only: bool
) -> tuple[Array, float]:
    """Score of each unit, and by how much a pass without an edit differs from the target's value."""
    every = tuple(p for u in units for p in u)
    edits = [(), every, *(tuple(set(every) - set(u)) for u in units)] if keep_only else [(), *units]
    results = target.replay_edits(layer, edits, ends.states, ends.between)
    missed = abs(float(results[0]) - target.value)
    return (results[2:] - results[1] if keep_only else results[0] - results[1:]), missed


def _numbers(target: Target, units: Sequence[tuple[int, ...]]) -> xarray.DataArray:
    numbers = np.full(target.n_positions, -1)
    for i, positions in enumerate(units):
        numbers[list(positions)] = i
    coords = position_coordinates(target, range(target.n_positions))
    return xarray.DataArray(numbers, dims="position", coords=coords, name="unit")
