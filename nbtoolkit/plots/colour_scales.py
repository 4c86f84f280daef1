"""Values as colours: grids of two axes, and patches over the image; each with its scale, beside which is the null."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import xarray
from matplotlib.cm import ScalarMappable
from matplotlib.colors import ListedColormap, Normalize
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from ..data.images import read_image
from ..errors import NbtoolkitError
from ..types.colours import OPACITY, colours
from ..types.measurement import Measurement
from .measurement_labels import N_TICKS, NULL, entry_names, value_label, wrapped
from .style import label, new_figure, short

# instruments whose values are no changes: zero is not in the middle of the colours
LEVELS = ("logit_lens", "faithfulness")
N_DOTS = 4000  # cells of a grid in which dots are legible
N_TEXTS = 100  # texts of 6 points beside each other in the widest figure


def scale(limit: float, *, signed: bool, opaque: bool = True) -> ScalarMappable:
    """The colours of maps with their range, for a colour bar.

    Parameters
    ----------
    limit
        The largest absolute value.
    signed
        Whether there are values below zero; the scale begins at zero otherwise.
    opaque
        Whether the colours lie on white, as in a grid; over an image they have opacities.
    """
    rgba = colours(np.linspace(-1 if signed else 0, 1, 511))
    if opaque:
        alpha = rgba[:, 3:] / OPACITY
        rgba = np.concatenate([rgba[:, :3] * alpha + 1 - alpha, np.ones_like(alpha)], 1)
    return ScalarMappable(Normalize(-limit if signed else 0, limit), ListedColormap(rgba))


def _shades(m: Measurement, array: np.ndarray, *, opaque: bool = True) -> ScalarMappable:
    """Colours of values: zero in the middle of two hues where there are negative ones, white where there are none."""
    finite = array[np.isfinite(array)]
    shades = scale(float(np.abs(finite).max(initial=0)) or 1.0, signed=bool((finite < 0).any()), opaque=opaque)
    if m.name in LEVELS and finite.size:
        shades = scale(1.0, signed=False, opaque=opaque)
        shades.set_clim(float(finite.min()), float(finite.max()))
    return shades


def _scale(figure: Figure, m: Measurement, shades: ScalarMappable, axes: Any, null: Any) -> None:
    """Scale of colours, with the range of the null beside it."""
    bar = figure.colorbar(shades, ax=axes, shrink=0.9, pad=0.06)
    bar.set_label(wrapped(value_label(m), 0.6 * figure.get_figheight()), fontsize=7)
    bar.ax.tick_params(labelsize=6)
    if null is None:
        return
    low, high = (float(f(null.values)) for f in (np.nanmin, np.nanmax))
    bottom, top = bar.ax.get_ylim()
    ends = [min(max(v, bottom), top) for v in (low, high)]
    place = bar.ax.get_yaxis_transform()
    bar.ax.plot([-0.35, -0.35], ends, color=NULL, linewidth=2, transform=place, clip_on=False, solid_capstyle="butt")
    beyond = " and beyond" if low < bottom or high > top else ""
    bar.ax.text(-0.7, sum(ends) / 2, f"null{beyond}", fontsize=6, rotation=90, ha="right", va="center", transform=place)


# --- grids -----------------------------------------------------------------------------------------------


def grid(m: Measurement, values: xarray.DataArray, null: Any, _n: int) -> Figure:
    """Grid of two axes.

    Parameters
    ----------
    m
        The measurement.
    values
        Its values, of which entries may be selected.
    null
        Its null on the same axes, or None.
    _n
        Not used.
    """
    rows, columns = (str(d) for d in values.dims)
    array = values.values.astype(float)
    shades = _shades(m, array)
    names = [entry_names(values, axis) for axis in (rows, columns)]
    below = 0.05 * max(map(len, names[1]), default=0) if max(map(len, names[1]), default=0) > 3 else 0
    figure = new_figure(
        min(11.0, max(4.6, 2.2 + 0.24 * array.shape[1])), min(8.0, 1.3 + min(below, 2.0) + 0.24 * array.shape[0])
    )
    axes = figure.subplots()
    axes.imshow(shades.to_rgba(array), aspect="auto", interpolation="nearest")
    for which, axis, texts in (("y", rows, names[0]), ("x", columns, names[1])):
        _ticks(axes, which, axis, values, texts)
    _scale(figure, m, shades, axes, null)
    if null is not None and "draw" in null.dims and array.size <= N_DOTS:
        draws = null.transpose("draw", rows, columns).values
        y, x = np.nonzero((array < draws.min(0)) | (array > draws.max(0)))
        axes.scatter(x, y, s=5, color="white", edgecolors="black", linewidths=0.5)
        axes.set_xlabel(f"{label(columns)}   (dots: beyond all draws of the null)", fontsize=8)
    return figure


def _ticks(axes: Any, which: str, axis: str, values: xarray.DataArray, names: Sequence[str]) -> None:
    step = max(1, -(-len(names) // N_TICKS))
    ticks = {i: names[i] for i in range(0, len(names), step)}
    if axis == "position" and "role" in values.coords:
        ticks = _text_ticks(values.coords["role"].values.tolist(), names)
    texts = [short(text) for text in ticks.values()]
    if which == "x":
        long = max(map(len, texts), default=0) > 3
        axes.set_xticks(list(ticks), texts, fontsize=6, rotation=90 if long else 0)
        axes.set_xlabel(label(axis), fontsize=8)
    else:
        axes.set_yticks(list(ticks), texts, fontsize=6)
        axes.set_ylabel(label(axis), fontsize=8)


def _text_ticks(roles: Sequence[str], names: Sequence[str]) -> dict[int, str]:
    """Ticks of positions: the texts, as many as are legible, and one for the image."""
    image = [i for i, role in enumerate(roles) if role == "image"]
    ticks = {image[len(image) // 2]: "image"} if image else {}
    step = max(1, -(-len(names) // N_TEXTS))
    last = -step
    for i, role in enumerate(roles):
        if role != "image" and i - last >= step:
            ticks[i] = names[i]
            last = i
    return ticks


# --- overlays --------------------------------------------------------------------------------------------


def overlay(m: Measurement, values: xarray.DataArray, null: Any, _n: int) -> Figure:
    """The image, and beside it the values of its patches over a grey copy.

    Parameters
    ----------
    m
        The measurement.
    values
        Its values, of which entries may be selected.
    null
        Its null on the same axes, or None.
    _n
        Not used.

    Raises
    ------
    NbtoolkitError
        The measurement has no image, or no places of its patches.
    """
    if not m.image or "x0" not in values.coords:
        raise NbtoolkitError(
            "The measurement has no image or no places of its patches; expected one of nbtoolkit's instruments."
        )
    picture = read_image(m.image)
    width, height = (float(v) for v in m.provenance.get("size", picture.size))
    figure = new_figure(5.6, max(1.9, 0.55 + 2.05 * min(1.6, height / width)))
    axes = figure.subplots(1, 2)
    array = values.values.astype(float)
    boxes = np.stack([values[name].values for name in ("x0", "y0", "x1", "y1")], -1).astype(float)
    drawn = np.isfinite(boxes).all(1) & np.isfinite(array)
    shades = _shades(m, array[drawn], opaque=False)
    for one, backdrop in zip(axes, (picture, picture.convert("L").convert("RGB")), strict=True):
        one.imshow(backdrop, extent=(0, width, height, 0))
        one.axis("off")
    areas = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    for i in np.argsort(-np.nan_to_num(areas), kind="stable"):  # patches of the whole image below those of its tiles
        x0, y0, x1, y1 = boxes[i]
        if drawn[i]:
            patch = Rectangle((x0, y0), x1 - x0, y1 - y0, facecolor=tuple(shades.to_rgba(array[i])), linewidth=0)
            axes[1].add_patch(patch)
    others = np.abs(array[~drawn & np.isfinite(array)])
    if others.max(initial=0) > max(map(abs, shades.get_clim())):
        text = f"up to {others.max():.2g} at positions that are no patches"
        axes[1].text(0, -0.02, text, transform=axes[1].transAxes, va="top", fontsize=6)
    _scale(figure, m, shades, list(axes), null)
    return figure
