"""Figures of measurements, by their axes: curve, grid, image overlay, ranked bars; each with its null and its check."""

from __future__ import annotations

import textwrap
from collections.abc import Callable
from typing import Any

import numpy as np
import xarray
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from ..data.images import read_image
from ..errors import NbtoolkitError
from ..types.arguments import checked
from ..types.measurement import Measurement
from ..types.rules import Count
from .style import COLOURS, label, legend, new_figure, plain, short, title

NUMERIC = ("layer", "fraction", "position")  # axes along which a curve is drawn
N_BARS = 20
N_TICKS = 24
GREY = "#777777"


@checked
def measurement(m: Measurement, *, n_bars: Count = N_BARS, select: Any = None) -> Figure:
    """Figure of a measurement, chosen by its axes.

    ``patch`` is an overlay of the image; two axes are a grid; ``layer``, ``fraction`` or ``position`` alone are a curve; anything
    else is ranked bars. Two axes of which one has at most four entries and the other is numeric are curves. The null is
    a grey band or line, or a mark on every bar.

    Parameters
    ----------
    m
        The measurement.
    n_bars
        Largest number of bars; the others are one sum.
    select
        Axis to the entry that is drawn, where there are more axes than two: ``{"layer": 3}``.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    NbtoolkitError
        An axis or entry that the measurement does not have, or more than two axes.

    Examples
    --------
    >>> from nbtoolkit.types.measurement import Identity
    >>> values = xarray.DataArray([0.5, 1.0], {"layer": [1, 2]}, "layer", "example")
    >>> len(measurement(Measurement(values, "nats", Identity("parts sum to the whole", 0, 1))).axes)
    1
    """
    values, null = _selected(m.values, select), None if m.null is None else _selected(m.null, select)
    figure = _drawer(values)(m, values, null, n_bars)
    chosen = [f"{label(str(axis))} {short(str(entry))}" for axis, entry in (select or {}).items()]
    title(figure.axes[0], ", ".join([_heading(m), *chosen]))
    if m.note:
        figure.supxlabel("\n".join(textwrap.wrap(plain(m.note), 100)), fontsize=6)
    return figure


def _drawer(values: xarray.DataArray) -> Callable[..., Figure]:
    dims = values.dims
    if dims == ("patch",):
        return _overlay
    if len(dims) == 1:
        return _curve if dims[0] in NUMERIC and values.sizes[dims[0]] > 1 else _bars
    if len(dims) == 2:
        few = min(dims, key=lambda d: values.sizes[d])
        other = dims[1 - dims.index(few)]
        return _curve if values.sizes[few] <= 4 and other in NUMERIC and values.sizes[other] > 4 else _grid
    raise NbtoolkitError(
        f"The measurement has the axes {dims}; expected at most two. Choose an entry of the others: select={{{dims[0]!r}: …}}."
    )


def _selected(values: xarray.DataArray, select: Any) -> xarray.DataArray:
    for axis, entry in (select or {}).items():
        if axis not in values.dims:
            raise NbtoolkitError(
                f"select has the axis {axis!r}; the measurement has {', '.join(map(str, values.dims))}."
            )
        if entry not in values[axis].values:
            raise NbtoolkitError(f"select has {axis}={entry!r}; the axis has {values[axis].values.tolist()[:20]}.")
        values = values.sel({axis: entry})
    return values.reset_coords(drop=True) if not values.coords else values


def _heading(m: Measurement) -> str:
    about = m.provenance
    word = about.get("word", "")
    foil = f" against “{about['foil']}”" if about.get("foil") else ""
    target = f" of “{word}”{foil}" if word else ""
    return f"{m.name.replace('_', ' ')}{target}, {about.get('model', '')}".rstrip(", ")


# --- curves ----------------------------------------------------------------------------------------------


def _curve(m: Measurement, values: xarray.DataArray, null: Any, _n: int) -> Figure:
    axis = next(str(d) for d in values.dims if d in NUMERIC and values.sizes[d] > 1)
    others = [d for d in values.dims if d != axis]
    names = [""] if not others else [_entry(str(others[0]), v) for v in values[others[0]].values]
    figure = new_figure(5.0, 2.8)
    axes = figure.subplots()
    x = _numbers(values, axis)
    for k, name in enumerate(names):
        line = values if not others else values.isel({others[0]: k})
        below = (
            None if null is None else (null if not others or others[0] not in null.dims else null.isel({others[0]: k}))
        )
        colour = COLOURS[k % len(COLOURS)]
        axes.plot(
            x, line.transpose(axis).values, marker="o", markersize=3, color=colour, label=plain(name or "measured")
        )
        if below is not None:
            _band(axes, x, below.transpose(..., axis), axis, colour if others else GREY)
    axes.axhline(0, color="black", linewidth=0.5)
    axes.set_xlabel(label(axis), fontsize=8)
    axes.set_ylabel(_unit(m), fontsize=8)
    axes.tick_params(labelsize=7)
    if axis == "layer" and len(x) <= N_TICKS:
        axes.set_xticks(x)
    if null is not None:  # the last entry, in no line's colour
        nothing = np.full((null.sizes.get("draw", 1), 1), np.nan)
        _band(axes, x[:1], xarray.DataArray(nothing, dims=("draw", axis)), axis, GREY, "null")
    legend(axes, len(names) + (null is not None))
    return figure


def _entry(axis: str, value: Any) -> str:
    """Name of a line: the entry of its axis, with the axis where that is a number."""
    return f"{label(axis)} {value}" if isinstance(value, int | float | np.number) else str(value)


def _band(axes: Any, x: Any, null: xarray.DataArray, axis: str, colour: str, text: str | None = None) -> None:
    """The null: range of its draws, or a line."""
    flat = null.values.reshape(-1, null.sizes[axis])
    if len(flat) > 1:
        axes.fill_between(x, flat.min(0), flat.max(0), color=colour, alpha=0.2, linewidth=0, label=text)
    else:
        axes.plot(x, flat[0], color=colour, linewidth=1, linestyle="--", label=text)


def _unit(m: Measurement) -> str:
    """The unit; of numbers without one, what they are."""
    return short(m.name.replace("_", " ") if m.unit == "no unit" else m.unit)


def _numbers(values: xarray.DataArray, axis: str) -> np.ndarray:
    coordinate = values[axis].values if axis in values.coords else np.arange(values.sizes[axis])
    return np.asarray(coordinate, float)


# --- grids -----------------------------------------------------------------------------------------------


def _grid(m: Measurement, values: xarray.DataArray, _null: Any, _n: int) -> Figure:
    rows, columns = values.dims
    array = values.values.astype(float)
    limit = float(np.nanmax(np.abs(array), initial=0)) or 1.0
    signed = bool(np.nanmin(array, initial=0) < 0)
    figure = new_figure(min(11.0, max(4.2, 2.2 + 0.24 * array.shape[1])), min(8.0, 1.3 + 0.24 * array.shape[0]))
    axes = figure.subplots()
    below = signed and float(np.nanmax(array, initial=-limit)) <= 0  # all of one sign: one colour
    colours = "Blues_r" if below else "RdBu_r" if signed else "Blues"
    low, high = -limit if signed else 0.0, 0.0 if below else limit
    image = axes.imshow(array, cmap=colours, vmin=low, vmax=high, aspect="auto", interpolation="nearest")
    for which, axis in (("y", rows), ("x", columns)):
        _ticks(axes, which, str(axis), values)
    bar = figure.colorbar(image, ax=axes, shrink=0.9)
    bar.set_label(_unit(m), fontsize=7)
    bar.ax.tick_params(labelsize=6)
    return figure


def _ticks(axes: Any, which: str, axis: str, values: xarray.DataArray) -> None:
    names = values[axis].values if axis in values.coords else np.arange(values.sizes[axis])
    texts = values.coords["text"].values if axis == "position" and "text" in values.coords else names
    step = max(1, -(-len(names) // N_TICKS))
    places = range(0, len(names), step)
    shown = [short(str(texts[i])) or str(names[i]) for i in places]
    if which == "x":
        long = max(map(len, shown), default=0) > 3
        axes.set_xticks(list(places), shown, fontsize=6, rotation=90 if long else 0)
        axes.set_xlabel(label(axis), fontsize=8)
    else:
        axes.set_yticks(list(places), shown, fontsize=6)
        axes.set_ylabel(label(axis), fontsize=8)


# --- overlays --------------------------------------------------------------------------------------------


def _overlay(m: Measurement, values: xarray.DataArray, null: Any, _n: int) -> Figure:
    if not m.image or "x0" not in values.coords:
        raise NbtoolkitError(
            "The measurement has no image or no places of its patches; expected one of nbtoolkit's instruments."
        )
    picture = read_image(m.image)
    width, height = (float(v) for v in m.provenance.get("size", picture.size))
    figure = new_figure(5.6, 0.6 + 2.5 * min(1.6, height / width))
    axes = figure.subplots(1, 2)
    array = values.values.astype(float)
    limit = float(np.nanmax(np.abs(array), initial=0)) or 1.0
    signed = bool(np.nanmin(array, initial=0) < 0)
    scale = Normalize(-limit if signed else 0, limit)
    shades = ScalarMappable(scale, "RdBu_r" if signed else "Reds")
    for one in axes:
        one.imshow(picture, extent=(0, width, height, 0))
        one.axis("off")
    boxes = np.stack([values[name].values for name in ("x0", "y0", "x1", "y1")], -1).astype(float)
    areas = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    for i in np.argsort(-np.nan_to_num(areas), kind="stable"):  # patches of the whole image below those of its tiles
        x0, y0, x1, y1 = boxes[i]
        if np.isfinite(boxes[i]).all():
            colour = shades.to_rgba(array[i])[:3]
            strength = 0.85 * min(1.0, abs(array[i]) / limit)
            axes[1].add_patch(Rectangle((x0, y0), x1 - x0, y1 - y0, facecolor=colour, alpha=strength, linewidth=0))
    bar = figure.colorbar(shades, ax=list(axes), shrink=0.85)
    bar.set_label(_unit(m), fontsize=7)
    bar.ax.tick_params(labelsize=6)
    if null is not None:
        most = float(np.nanmax(np.abs(null.values)))
        bar.ax.axhline(min(most, limit), color="black", linewidth=1)
        bar.ax.text(
            -0.2,
            min(most, limit),
            "null",
            fontsize=6,
            va="center",
            ha="right",
            transform=bar.ax.get_yaxis_transform(),
            clip_on=False,
        )
    return figure


# --- bars ------------------------------------------------------------------------------------------------


def _bars(m: Measurement, values: xarray.DataArray, null: Any, n_bars: int) -> Figure:
    axis = str(values.dims[0])
    array = values.values.astype(float)
    names = [str(v) for v in (values[axis].values if axis in values.coords else range(len(array)))]
    order = np.argsort(-np.abs(np.nan_to_num(array)), kind="stable")
    top, rest = order[:n_bars], order[n_bars:]
    lengths = [*array[top], *([np.nansum(array[rest])] if len(rest) else [])]
    texts = [short(names[i]) for i in top] + ([f"{len(rest)} others"] if len(rest) else [])
    figure = new_figure(5.0, 0.9 + 0.24 * len(lengths))
    axes = figure.subplots()
    axes.barh(
        range(len(lengths)),
        lengths,
        0.7,
        color=[COLOURS[0] if v >= 0 else COLOURS[1] for v in lengths],
        label="measured",
    )
    if null is not None:
        draws = null.values.reshape(-1, len(array))[:, top]
        low, high = np.nanmin(draws, 0), np.nanmax(draws, 0)
        middle = (low + high) / 2
        axes.errorbar(middle, range(len(top)), xerr=[middle - low, high - middle], fmt="|", color="#555555", markersize=9, capsize=2,
                      label="null")  # fmt: skip
    axes.set_yticks(range(len(lengths)), texts, fontsize=7)
    axes.set_ylabel(label(axis), fontsize=8)
    axes.invert_yaxis()
    axes.axvline(0, color="black", linewidth=0.6)
    axes.tick_params(axis="x", labelsize=7)
    axes.set_xlabel(_unit(m), fontsize=8)
    legend(axes, 1 + (null is not None))
    return figure
