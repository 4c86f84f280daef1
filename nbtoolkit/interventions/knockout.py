"""Attention knockout: the word without the attention from some positions to others, in a window of layers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import xarray

from ..errors import MethodError
from ..models.taps import Cut, require_layers, tap
from ..targets.axes import resolve_positions
from ..targets.target import Target
from ..types import resolve_layers
from ..types.arguments import checked
from ..types.measurement import Identity, Measurement
from ..types.nulls import OTHER_SOURCES
from ..types.rules import Count, Number, described

TOLERANCE = 1e-6  # an empty cut changes nothing


@checked
def attention_knockout(
    target: Target,
    sources: Any = "image",
    targets: Any = "last",
    *,
    window: Count = 1,
    layers: str | int | Sequence[int] = "all",
    heads: Sequence[int] | None = None,
    n_null: Number = 5,
    random_state: Any = 0,
) -> Measurement:
    """Change of the word when target positions cannot read source positions, layer by layer.

    Parameters
    ----------
    target
        The target.
    sources, targets
        A role (``"image"``, ``"question"``, ``"response"``, ``"system"``, ``"last"``: the position that predicts the word), or
        positions of ``t.tokens``. A target reads earlier positions and itself.
    window
        Number of neighbouring layers that are cut together; the values stand at the middle one.
    layers
        Middle layers, 1 … n_layers; all by default.
    heads
        Heads that are cut, from 0; all where None.
    n_null
        Number of random draws for the null: as many other sources as there are. Where there are no more, all are one draw.
    random_state
        Seed of the draws.

    Returns
    -------
    Measurement
        ``layer`` -> the quantity with the cut minus that without, in its unit; negative where the word needs the attention.
        ``details["probability"]`` is the change of the word's probability, no unit.

    Raises
    ------
    ModelError
        The model has no image positions, or no self-attention there.
    MethodError
        No source, or no target.

    References
    ----------
    Geva et al., "Dissecting recall of factual associations", EMNLP 2023; Zhang et al. 2024, arXiv 2411.18620, whose window
    is nine layers.

    Examples
    --------
    >>> import nbtoolkit as nbt
    >>> t = nbt.target(nbt.load_model("toy"), nbt.load_data("toy", n=1)[0]["image"], "a", foil="the")
    >>> attention_knockout(t, n_null=0).values.dims
    ('layer',)
    """
    model = target.model
    read, write = resolve_positions(target, sources, "sources"), resolve_positions(target, targets, "targets")
    middles = resolve_layers(layers, model.n_layers, first=1, needed=True)
    chosen = None if heads is None else tuple(heads)
    if chosen is not None and not (chosen and all(0 <= head < model.n_heads for head in chosen)):
        raise MethodError(f"heads is {described(heads)}; expected heads from 0 to {model.n_heads - 1}.")

    start = min(write)  # what no target position computes is as in the pass
    whole, own = target.replay_both(0, target.recording.stream[0], start)

    def effect(source: Sequence[int], middle: int) -> tuple[float, float]:
        first = max(1, middle - (window - 1) // 2)
        last = min(model.n_layers, first + window - 1)
        cuts = [Cut(layer, write, tuple(source), chosen) for layer in range(first, last + 1)]
        with tap(model, cuts=cuts) as attention:
            value, probability = target.replay_both(first - 1, target.recording.stream[first - 1], start)
        require_layers(attention, model, [c.layer for c in cuts] if not attention.cut else [])
        return float(value[0] - whole[0]), float(probability[0] - own[0])

    empty = abs(effect((), middles[0])[0])
    changes = np.array([effect(read, middle) for middle in middles])
    pool = [p for p in range(max(write)) if p not in read and p not in write]
    rng = np.random.default_rng(random_state)
    size = min(len(read), len(pool))
    draws = [
        [effect(rng.choice(pool, size, replace=False).tolist(), m)[0] for m in middles]
        for _ in range((n_null if size < len(pool) else min(n_null, 1)) if size else 0)  # all of them are one draw
    ]
    axis = {"layer": list(middles)}
    return Measurement(
        xarray.DataArray(changes[:, 0], axis, "layer", "attention_knockout"),
        target.quantity.unit,
        Identity("an empty cut changes nothing", empty, TOLERANCE * max(1.0, abs(target.value))),
        xarray.DataArray(np.array(draws), axis, ("draw", "layer"), "null") if draws else None,
        OTHER_SOURCES if draws else None,
        {"probability": xarray.DataArray(changes[:, 1], axis, "layer")},
        target.provenance
        | {"sources": str(sources), "targets": str(targets), "window": window, "heads": str(chosen or "all")},
        target.thumbnail,
        _note(len(read), size, n_null),
        target,
    )


def _note(n: int, size: int, n_null: int) -> str:
    return (
        f"The null cuts {size} other sources, as there are no more; the effect is of {n}."
        if n_null and size < n
        else ""
    )
