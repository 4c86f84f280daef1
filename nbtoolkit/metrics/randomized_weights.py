"""Sanity check of maps by randomised weights: a map that shows what the model does changes with the model."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import xarray
from scipy.stats import rankdata

from ..errors import MethodError, ModelError
from ..types.arguments import checked
from ..types.measurement import Identity, Measurement
from ..types.nulls import SHUFFLED_MAP
from ..types.rules import Count

Array = np.ndarray
WEIGHTS = ("cascading", "independent", "all")
_OF_THE_PASS = ("image_span", "replayed_from")  # of the ids and the architecture, not of the weights
_TAIL = 0.95


@checked
def randomization_check(
    instrument: Callable[[Any], Measurement],
    target: Any,
    *,
    weights: str = "cascading",
    n_draws: Count = 3,
    n_null: Count = 100,
    random_state: int = 0,
) -> Measurement:
    """Rank correlation of a map with the same map of the model with randomised weights: near 0 where the map depends on them.

    Weights are randomised in place: the entries of every tensor are shuffled, which keeps their distribution. They are put
    back bit by bit, also after an exception. A map that correlates as highly as before shows the image, not the model.

    Parameters
    ----------
    instrument
        Function of a target that gives a measurement, such as :func:`nbtoolkit.attribution.occlusion`, with settings by
        ``functools.partial``.
    target
        The target (:class:`nbtoolkit.targets.target.Target`).
    weights
        ``"cascading"``: decoder blocks from the last to the first, those before stay randomised. ``"independent"``: one block at
        a time. ``"all"``: every weight of the model at once, with vision tower, embedding and head.
    n_draws
        Random weights per step; the values are means over them.
    n_null
        Shuffled maps, for the null.
    random_state
        Seed of the weights and of the null.

    Returns
    -------
    Measurement
        ``layer`` -> Spearman's rank correlation, -1 to 1, no unit; at layer l of ``"cascading"``, blocks l … n_layers are
        randomised. Of ``"all"``, one value at layer 0. A constant map correlates 0. ``details``: ``draws`` (draw, layer), and
        ``magnitude``, the mean rank correlation of the maps' absolute values.

    Raises
    ------
    MethodError
        The map is constant, or an unknown kind of weights.
    ModelError
        Weights that cannot be shuffled: quantised ones, or weights outside of the memory.

    References
    ----------
    Adebayo et al., "Sanity checks for saliency maps", NeurIPS 2018 (arXiv 1810.03292), section 3.1.

    Examples
    --------
    >>> import nbtoolkit as nbt
    >>> t = nbt.target(nbt.load_model("toy"), nbt.load_data("toy", n=1)[0]["image"], "a", foil="the")
    >>> randomization_check(nbt.attribution.gradient_x_input, t, weights="all", n_draws=1).check.residual
    0.0
    """
    if weights not in WEIGHTS:
        raise MethodError(f"weights is {weights!r}; expected one of {', '.join(map(repr, WEIGHTS))}.")
    own = instrument(target)
    if not isinstance(own, Measurement):
        raise MethodError(
            f"instrument gives {type(own).__name__}; expected a Measurement, as nbtoolkit.attribution.occlusion gives."
        )
    if np.ptp(own.values.values) == 0:
        raise MethodError(f"The map of {own.name} is constant; expected one that differs among {own.values.dims}.")
    steps = _steps(target.model, weights)
    seeds = np.random.SeedSequence(random_state).spawn(n_draws + 1)
    stay = weights == "cascading"
    draws = [_one_draw(instrument, target, own, steps, np.random.default_rng(seed), stay) for seed in seeds[:-1]]
    signed, magnitude = (np.array([[c[i] for c in draw.correlations] for draw in draws]) for i in (0, 1))
    again = _again(target)
    gap = float(sum(draw.n_changed for draw in draws)) + abs(float(again.value) - float(target.value))
    rng = np.random.default_rng(seeds[-1])
    axis = {"layer": [step.layer for step in steps]}
    chance = [_correlation(own.values.values, rng.permutation(own.values.values.ravel())) for _ in range(n_null)]
    null = np.repeat(np.array(chance)[:, None], len(steps), 1)
    values = xarray.DataArray(signed.mean(0), axis, "layer", "randomization_check")
    return Measurement(
        values,
        "no unit",
        Identity("weights and the target's value are as before, bit by bit", gap, 0.0),
        xarray.DataArray(null, axis, ("draw", "layer"), "null"),
        SHUFFLED_MAP,
        {
            "draws": xarray.DataArray(signed, axis, ("draw", "layer")),
            "magnitude": xarray.DataArray(magnitude.mean(0), axis, "layer"),
        },
        target.provenance | {"map": own.name, "randomised": weights, "n_draws": n_draws, "random_state": random_state},
        own.image,
        "" if weights == "independent" else _note(own.name, values, null),
        target,
    )


class _Step(NamedTuple):
    layer: int
    module: Any  # whose weights are shuffled


class _Draw(NamedTuple):
    correlations: list[tuple[float, float]]  # of the values and of their magnitudes, per step
    n_changed: int  # tensors that are not as before


def _steps(model: Any, weights: str) -> list[_Step]:
    if weights == "all":
        return [_Step(0, model.hf)]
    return [_Step(layer, model.blocks[layer - 1]) for layer in range(model.n_layers, 0, -1)]


def _one_draw(instrument: Any, t: Any, own: Measurement, steps: Sequence[_Step], rng: Any, stay: bool) -> _Draw:
    """Correlations after each step; randomised weights of a step stay for the following ones, or not."""
    correlations: list[tuple[float, float]] = []
    originals: list[tuple[Any, Any]] = []
    try:
        for step in steps:
            _shuffle(step.module, rng, originals)
            correlations.append(_compare(own, instrument(_again(t))))
            if not stay:
                _put_back(originals)
    finally:
        _put_back(originals)
    return _Draw(correlations, sum(not p.equal(original) for p, original in originals))


def _shuffle(module: Any, rng: np.random.Generator, originals: list[tuple[Any, Any]]) -> None:
    """Shuffle the entries of every weight in place, tied ones once; before, the weight and a copy of it are listed."""
    weights = [p.data for p in module.parameters()]
    odd = next((p for p in weights if not p.is_floating_point() or p.is_meta), None)
    if odd is not None:
        raise ModelError(
            f"A weight is {odd.dtype} on {odd.device}; expected floating-point weights in memory. Load the model without quantisation "
            "and without offloading."
        )
    for p in weights:
        original = p.clone()
        originals.append((p, original))
        p.copy_(original.flatten()[rng.permutation(p.numel())].view_as(p))


def _put_back(originals: Sequence[tuple[Any, Any]]) -> None:
    for p, original in originals:
        p.copy_(original)


def _again(t: Any) -> Any:
    """The target with the weights as they are now: a pass of its own."""
    fresh = replace(t)
    for name in _OF_THE_PASS:
        if hasattr(type(t), name):
            fresh.__dict__[name] = getattr(t, name)
    return fresh


def _compare(own: Measurement, other: Measurement) -> tuple[float, float]:
    a, b = own.values.values, other.values.values
    if a.shape != b.shape:
        raise MethodError(f"The map has shape {a.shape}, and with randomised weights {b.shape}; expected one shape.")
    return _correlation(a, b), _correlation(np.abs(a), np.abs(b))


def _correlation(a: Array, b: Array) -> float:
    """Spearman's rank correlation of two maps; 0 where one is constant."""
    x, y = (rankdata(v) - (v.size + 1) / 2 for v in (a, b))
    length = float(np.sqrt((x * x).sum() * (y * y).sum()))
    return float((x * y).sum()) / length if length else 0.0


def _note(name: str, values: xarray.DataArray, null: Array) -> str:
    last, chance = float(values[-1]), float(np.quantile(null[:, -1], _TAIL))
    if last <= chance:
        return ""
    return (
        f"With randomised weights, {name} still correlates {last:.2f} with its own map (shuffled maps: at most {chance:.2f} in "
        f"{_TAIL:.0%} of the draws): what both share is of the image, and not of these weights."
    )
