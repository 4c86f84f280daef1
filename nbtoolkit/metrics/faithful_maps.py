"""Faithfulness of a map of the image: does the word change first where the map says that it comes from?"""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray

from ..errors import MethodError
from ..types.arguments import checked
from ..types.measurement import Identity, Measurement
from ..types.nulls import RANDOM_PATCHES
from ..types.rules import Count

Array = np.ndarray
CURVES = ("deletion", "insertion")
TOLERANCE = 1e-4


@checked
def faithfulness(
    measurement: Measurement,
    t: Any,
    *,
    n_steps: Count = 20,
    n_random: Count = 10,
    mask: Any = None,
    random_state: Any = 0,
) -> Measurement:
    """Deletion and insertion curves of a map over image patches, beside random orders and the centre of the image.

    Patches are replaced by the image's mean patch state before the first block, the most important first (deletion), or put
    back in that order (insertion). A faithful map has a small area under deletion and a large one under insertion.

    Parameters
    ----------
    measurement
        A map: values on the axis ``patch`` alone, with the coordinate ``position``; reduce other axes first
        (``m.values.sum("head")`` in ``dataclasses.replace(m, values=…)``). Where an entry is a block of patches
        (``details["unit"]``), its patches are replaced together.
    t
        The target (:class:`nbtoolkit.targets.target.Target`) of the map.
    n_steps
        Steps of a curve.
    n_random
        Random orders, for the band.
    mask : (height, width)
        Pixels of the original image that show the thing; adds ``pointing`` and ``iou``.
    random_state
        Seed of the orders.

    Returns
    -------
    Measurement
        ``curve, fraction`` -> the quantity, in its unit. ``details``: ``auc`` and ``null_auc`` (0 where nothing is left of the image,
        1 where all of it is, no unit), ``centre`` and ``centre_auc`` (patches nearest to the centre first). With a mask also ``pointing``
        (whether the patch of the largest value shows the thing, 0 or 1) and ``iou`` (of as many top patches as show it, no unit),
        the same of the centre's map (``centre_pointing``, ``centre_iou``), and ``shown``, the share of the patches that show the
        thing, which is the pointing score of a random map.

    Raises
    ------
    MethodError
        The measurement has other axes, or is of another target.

    References
    ----------
    Petsiuk et al., "RISE", BMVC 2018 (deletion and insertion); Zhang et al., "Top-down neural attention", IJCV 2018 (the pointing
    game).
    """
    values = measurement.values
    if values.dims != ("patch",) or "position" not in values.coords:
        raise MethodError(
            f"The measurement has the axes {values.dims}; expected 'patch' alone, with the coordinate 'position'. Sum or select the "
            "others first."
        )
    if measurement.provenance.get("image") != t.provenance["image"] or measurement.provenance.get("word") != t.word:
        raise MethodError("The measurement is of another image or word than the target. Measure this target.")
    if not np.isfinite(values.values).all():
        raise MethodError(
            "The map has NaN or infinity; expected finite values. Leave those patches out: values.dropna('patch')."
        )
    units = _units(measurement)
    curves = _Curves(t, units, n_steps)
    rng = np.random.default_rng(random_state)
    own = curves.of(np.argsort(-values.values, kind="stable"))
    draws = np.stack([curves.of(rng.permutation(len(units))) for _ in range(n_random)])
    middle = _distance_from_the_centre(values, t)
    centre = curves.of(np.argsort(middle, kind="stable"))
    whole, empty = own[0, 0], own[0, -1]
    gap = max(abs(own[0, 0] - t.value), abs(own[1, -1] - t.value), abs(own[0, -1] - own[1, 0]))
    axes = {"curve": [*CURVES], "fraction": curves.fractions}
    dims = ("curve", "fraction")
    details = {
        "auc": xarray.DataArray(_area(own, whole, empty), {"curve": [*CURVES]}, "curve"),
        "null_auc": xarray.DataArray(_area(draws, whole, empty), {"curve": [*CURVES]}, ("draw", "curve")),
        "centre": xarray.DataArray(centre, axes, dims),
        "centre_auc": xarray.DataArray(_area(centre, whole, empty), {"curve": [*CURVES]}, "curve"),
    }
    if mask is not None:
        shows = _shows(values, np.asarray(mask), t)
        names, maps = ("", "centre_"), (values.values, -middle)
        details |= {f"{n}{k}": v for n, m in zip(names, maps, strict=True) for k, v in _hits(m, shows).items()}
        details["shown"] = xarray.DataArray(shows.mean())
    return Measurement(
        xarray.DataArray(own, axes, dims, "faithfulness"),
        t.quantity.unit,
        Identity(
            "with all patches the curves are at the target, and both meet with none",
            gap,
            TOLERANCE * max(1.0, abs(t.value)),
        ),
        xarray.DataArray(draws, axes, ("draw", *dims), "null"),
        RANDOM_PATCHES,
        details,
        t.provenance | {"map": measurement.name},
        measurement.image,
    )


class _Curves:
    """Deletion and insertion of orders of patches, or of blocks of patches."""

    def __init__(self, t: Any, units: list[Array], n_steps: int) -> None:
        self.t, self.units = t, units
        self.own = t.residual(0)
        self.mean = self.own[np.concatenate(units)].mean(0)
        counts = np.unique(np.linspace(0, len(units), n_steps + 1).round().astype(int))
        self.counts, self.fractions = counts, counts / len(units)

    def of(self, order: Array) -> Array:
        """Deletion and insertion, (2, n_fractions)."""
        deleted = [self._without(order[:k]) for k in self.counts]
        inserted = [self._without(order[k:]) for k in self.counts]
        result = self.t.replay(0, np.stack([*deleted, *inserted]))
        return np.asarray(result, np.float64).reshape(2, -1)

    def _without(self, which: Array) -> Array:
        states = self.own.copy()
        for i in which:
            states[self.units[i]] = self.mean
        return states


def _units(measurement: Measurement) -> list[Array]:
    """Positions of each entry of a map: one, or those of its block."""
    where = measurement.values.position.values.astype(int)
    if "unit" not in measurement.details:
        return [np.array([p]) for p in where]
    unit = measurement.details["unit"]
    number = dict(zip(unit.position.values.tolist(), unit.values.tolist(), strict=True))
    return [unit.position.values[unit.values == number[p]].astype(int) for p in where.tolist()]


def _area(curves: Array, whole: float, empty: float) -> Array:
    """Area under curves over the fraction, scaled so that nothing is 0 and everything 1."""
    scaled = (curves - empty) / (whole - empty) if abs(whole - empty) > 1e-12 else np.full_like(curves, np.nan)
    steps = np.linspace(0, 1, curves.shape[-1])
    return np.trapezoid(scaled, steps, axis=-1)


def _boxes(values: xarray.DataArray) -> Array:
    return np.stack([values[name].values for name in ("x0", "y0", "x1", "y1")], -1).astype(float)


def _distance_from_the_centre(values: xarray.DataArray, t: Any) -> Array:
    boxes = _boxes(values)
    centres = (boxes[:, :2] + boxes[:, 2:]) / 2 / np.array(t.image.size)
    return np.nan_to_num(np.linalg.norm(centres - 0.5, axis=-1), nan=np.inf)


def _shows(values: xarray.DataArray, mask: Array, t: Any) -> Array:
    """Whether each patch shows the thing."""
    width, height = t.image.size
    if mask.shape != (height, width):
        raise MethodError(f"mask has shape {mask.shape}; expected ({height}, {width}), the image's height and width.")
    shares = np.zeros(len(values))
    for i, box in enumerate(_boxes(values)):
        if np.isfinite(box).all():
            x0, y0, x1, y1 = np.round(box).astype(int)
            part = mask[y0:y1, x0:x1]
            shares[i] = part.mean() if part.size else 0.0
    shows: Array = shares >= 0.5 if (shares >= 0.5).any() else shares > 0
    return shows


def _hits(scores: Array, shows: Array) -> dict[str, xarray.DataArray]:
    chosen = np.zeros(len(scores), bool)
    chosen[np.argsort(-scores, kind="stable")[: int(shows.sum())]] = True
    union = (chosen | shows).sum()
    return {
        "pointing": xarray.DataArray(float(shows[int(np.argmax(scores))])),
        "iou": xarray.DataArray(float((chosen & shows).sum() / union) if union else np.nan),
    }
