"""Faithfulness of a map of the image: does the word change first where the map says that it comes from?"""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray

from ..errors import MethodError
from ..types.arguments import checked
from ..types.measurement import Identity, Measurement
from ..types.nulls import RANDOM_PATCHES
from ..types.rules import Count, described

Array = np.ndarray
CURVES = ("deletion", "insertion")
TOLERANCE = 1e-4


@checked
def faithfulness(
    measurement: Measurement,
    target: Any = None,
    *,
    n_steps: Count = 20,
    n_random: Count = 10,
    baseline: Any = None,
    mask: Any = None,
    random_state: Any = 0,
) -> Measurement:
    """Deletion and insertion curves of a map over image patches, beside random orders and the centre of the image.

    Patches are replaced by a baseline before the first block (and where a model adds the image again between its blocks), the most
    important first (deletion), or put back in that order (insertion). A faithful map has a small area under deletion and a large one under insertion.

    Parameters
    ----------
    measurement
        A map: values on the axis ``patch`` alone, with the coordinate ``position``; reduce other axes first, as in
        ``m.mean("layer", "head")`` or ``m.sel(layer=5).sum("head")``. Where an entry is a block of
        patches (``details["unit"]``), its patches are replaced together, and each has its value beside a mask.
    target
        The target (:class:`nbtoolkit.targets.target.Target`) of the map; needed where the measurement is a copy or from a file.
    n_steps
        Steps of a curve.
    n_random
        Random orders, for the band.
    baseline
        Target whose states replace the patches, with another image of the same size: ``target.again(image)`` of a grey or a
        redrawn one. The mean state of the image's patches where None, which may still hold evidence: the curves end there.
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
        the same of the centre's map (``centre_pointing``, ``centre_iou``), and ``null_pointing``, that of a random map: the share of
        the patches that show the thing.

    Raises
    ------
    MethodError
        The measurement has other axes, is of another target, or has none.

    References
    ----------
    Petsiuk et al., "RISE", BMVC 2018 (deletion and insertion); Zhang et al., "Top-down neural attention", IJCV 2018 (the pointing
    game).

    Examples
    --------
    >>> import nbtoolkit as nbt
    >>> t = nbt.target(nbt.load_model("toy"), nbt.load_data("toy", n=1)[0]["image"], "cars", response="two cars")
    >>> faithfulness(nbt.attribution.occlusion(t, null="none"), n_random=2).details["auc"].dims
    ('curve',)
    """
    t = measurement.target if target is None else target
    _check(measurement, t, baseline)
    values = measurement.values
    units = _units(measurement)
    curves = _Curves(t, units, n_steps, baseline)
    rng = np.random.default_rng(random_state)
    own = curves.of(np.argsort(-values.values, kind="stable"))
    draws = np.stack([curves.of(rng.permutation(len(units))) for _ in range(n_random)])
    centre = curves.of(np.argsort(distance_from_centre(_boxes(values), t.image.size), kind="stable"))
    whole, empty = own[0, 0], own[0, -1]
    gap = max(abs(own[0, 0] - t.value), abs(own[1, -1] - t.value), abs(own[0, -1] - own[1, 0]))
    axes = {"curve": [*CURVES], "fraction": curves.fractions}
    dims = ("curve", "fraction")
    details = {
        "auc": xarray.DataArray(_area(own, curves.fractions, whole, empty), {"curve": [*CURVES]}, "curve"),
        "null_auc": xarray.DataArray(
            _area(draws, curves.fractions, whole, empty), {"curve": [*CURVES]}, ("draw", "curve")
        ),
        "centre": xarray.DataArray(centre, axes, dims),
        "centre_auc": xarray.DataArray(_area(centre, curves.fractions, whole, empty), {"curve": [*CURVES]}, "curve"),
    }
    if mask is not None:
        details |= _against_mask(_per_patch(measurement, t), np.asarray(mask), t)
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
        target=t,
    )


def _check(measurement: Measurement, t: Any, baseline: Any) -> None:
    if t is None:
        raise MethodError(
            "target is None, and the measurement is a copy or from a file; expected the target of the map."
        )
    if not hasattr(t, "provenance"):
        raise MethodError(f"target is {described(t)}; expected a Target of nbt.target.")
    values = measurement.values
    if values.dims != ("patch",) or "position" not in values.coords:
        raise MethodError(
            f"The measurement has the axes {values.dims}; expected 'patch' alone, with the coordinate 'position'. Reduce the others first: "
            "m.mean('head'), m.sel(layer=5)."
        )
    if "x0" not in values.coords:
        raise MethodError(
            "The map has no coordinates x0, y0, x1 and y1; expected the patches of an image, as an instrument gives them."
        )
    if measurement.provenance.get("image") != t.provenance["image"] or measurement.provenance.get("word") != t.word:
        raise MethodError("The measurement is of another image or word than the target. Measure this target.")
    if not np.isfinite(values.values).all():
        raise MethodError(
            "The map has NaN or infinity; expected finite values. Leave those patches out: values.dropna('patch')."
        )
    if baseline is not None and getattr(baseline, "n_positions", None) != t.n_positions:
        raise MethodError(
            f"baseline is {described(baseline)}; expected target.again(image) with an image of the same size."
        )


class _Curves:
    """Deletion and insertion of orders of patches, or of blocks of patches."""

    def __init__(self, t: Any, units: list[Array], n_steps: int, baseline: Any) -> None:
        self.t, self.units = t, units
        where, other = np.concatenate(units), t if baseline is None else baseline
        self.base, self.between = other.recording.stream[0][0], {i: b[0] for i, b in other.recording.between.items()}
        if baseline is None:
            self.base = _averaged(self.base, where)
            self.between = {i: _averaged(b, where) for i, b in self.between.items()}
        self.counts = np.unique(np.linspace(0, len(units), n_steps + 1).round().astype(int))
        self.fractions = self.counts / len(units)

    def of(self, order: Array) -> Array:
        """Deletion and insertion, (2, n_fractions)."""
        edits = [order[:k] for k in self.counts] + [order[k:] for k in self.counts]
        positions = [np.concatenate([[], *(self.units[i] for i in edit)]).astype(int).tolist() for edit in edits]
        result = self.t.replay_edits(0, positions, self.base, self.between)
        return np.asarray(result, np.float64).reshape(2, -1)


def _averaged(states: Any, where: Array) -> Any:
    """States with their mean over some positions at these."""
    result = states.clone()
    result[where] = states[where].float().mean(0).to(states.dtype)
    return result


def _per_patch(measurement: Measurement, t: Any) -> xarray.DataArray:
    """Values per patch: those of a map over blocks at every patch of the block, with the boxes of the patches."""
    values, unit = measurement.values, measurement.details.get("unit")
    where = np.array([]) if unit is None else np.flatnonzero(unit.values >= 0)
    if unit is None or values.dims != ("patch",) or len(where) == len(values):
        return values
    positions, geometry = t.patches
    boxes = np.full((t.n_positions, 4), np.nan)
    boxes[list(positions)] = geometry.boxes
    edges = dict(zip(("x0", "y0", "x1", "y1"), boxes[where].T, strict=True))
    coords = {name: ("patch", column) for name, column in {"position": where, **edges}.items()}
    return xarray.DataArray(values.values[unit.values[where]], coords, "patch", values.name)


def _units(measurement: Measurement) -> list[Array]:
    """Positions of each entry of a map: one, or those of its block."""
    where = measurement.values.position.values.astype(int)
    if "unit" not in measurement.details:
        return [np.array([p]) for p in where]
    unit = measurement.details["unit"]
    number = dict(zip(unit.position.values.tolist(), unit.values.tolist(), strict=True))
    return [unit.position.values[unit.values == number[p]].astype(int) for p in where.tolist()]


def _area(curves: Array, fractions: Array, whole: float, empty: float) -> Array:
    """Area under curves over the fraction, scaled so that nothing is 0 and everything 1."""
    scaled = (curves - empty) / (whole - empty) if abs(whole - empty) > 1e-12 else np.full_like(curves, np.nan)
    return np.trapezoid(scaled, fractions, axis=-1)


def _boxes(values: xarray.DataArray) -> Array:
    return np.stack([values[name].values for name in ("x0", "y0", "x1", "y1")], -1).astype(float)


def distance_from_centre(boxes: Array, size: tuple[int, int]) -> Array:
    """Distance of patches from the centre of the image, relative to its sides, (n,); infinite where a position is no patch.

    Parameters
    ----------
    boxes : (n, 4)
        Boxes of the patches, x0, y0, x1 and y1 in pixels.
    size
        Width and height of the image, in pixels.
    """
    centres = (boxes[:, :2] + boxes[:, 2:]) / 2 / np.array(size)
    return np.nan_to_num(np.linalg.norm(centres - 0.5, axis=-1), nan=np.inf)


def shares_of_mask(boxes: Array, mask: Array) -> Array:
    """Share of each patch that a mask covers, 0 to 1, no unit, (n,).

    Parameters
    ----------
    boxes : (n, 4)
        Boxes of the patches, x0, y0, x1 and y1 in pixels.
    mask : (height, width)
        The mask.
    """
    shares = np.zeros(len(boxes))
    for i, box in enumerate(boxes):
        if np.isfinite(box).all():
            x0, y0, x1, y1 = np.round(box).astype(int)
            part = mask[y0:y1, x0:x1]
            shares[i] = part.mean() if part.size else 0.0
    return shares


def _shows(values: xarray.DataArray, mask: Array, t: Any) -> Array:
    """Whether each patch shows the thing."""
    width, height = t.image.size
    if mask.shape != (height, width):
        raise MethodError(f"mask has shape {mask.shape}; expected ({height}, {width}), the image's height and width.")
    shares = shares_of_mask(_boxes(values), mask)
    shows: Array = shares >= 0.5 if (shares >= 0.5).any() else shares > 0
    return shows


def _against_mask(values: xarray.DataArray, mask: Array, t: Any) -> dict[str, xarray.DataArray]:
    """Pointing game and overlap of the map and of the centre's, and the pointing score of a random map."""
    shows = _shows(values, mask, t)
    maps = {"": values.values, "centre_": -distance_from_centre(_boxes(values), t.image.size)}
    hits = {f"{name}{k}": v for name, scores in maps.items() for k, v in _hits(scores, shows).items()}
    return hits | {"null_pointing": xarray.DataArray(shows.mean())}


def _hits(scores: Array, shows: Array) -> dict[str, xarray.DataArray]:
    chosen = np.zeros(len(scores), bool)
    chosen[np.argsort(-scores, kind="stable")[: int(shows.sum())]] = True
    union = (chosen | shows).sum()
    return {
        "pointing": xarray.DataArray(float(shows[int(np.argmax(scores))])),
        "iou": xarray.DataArray(float((chosen & shows).sum() / union) if union else np.nan),
    }
