"""Figures of measurements, by their axes: curve, grid, image overlay, ranked bars; each with its null and its check."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import xarray
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

from ..errors import NbtoolkitError
from ..types.arguments import checked
from ..types.measurement import Measurement
from ..types.rules import Count
from .colour_scales import grid, overlay
from .measurement_labels import N_TICKS, NULL, entry_names, value_label, wrapped
from .style import COLOURS, MAX_LABEL, label, legend, new_figure, plain, short, title

NUMERIC = ("layer", "fraction", "position")  # axes along which a curve is drawn
N_BARS = 20
TITLE, NOTE = 15, 20  # characters per inch of the title and of the note


@checked
def measurement(m: Measurement, *, n_bars: Count = N_BARS, select: Mapping[str, Any] | None = None) -> Figure:
    """Figure of a measurement, chosen by its axes.

    ``patch`` is an overlay of the image; two axes are a grid; ``layer``, ``fraction`` or ``position`` alone are a curve; anything
    else, and positions with their texts, is ranked bars. Two axes of which one has at most four entries and the other is
    numeric are curves, except for heads. The null is a band or a line beside a curve, and a mark on every bar; in a grid, dots are
    where the values are beyond all draws of the null, and beside a scale of colours is the range of the null.

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
    m = m.sel(**select) if select else m
    values = m.values.reset_coords(drop=True) if not m.values.coords else m.values
    figure = _drawer(values)(m, values, m.null, n_bars)
    width = figure.get_figwidth()
    entries = [f"{label(str(axis))} {short(str(entry))}" for axis, entry in (select or {}).items()]
    lines = textwrap.wrap(", ".join([_heading(m), *entries]), int(width * TITLE)) or [""]
    title(figure.axes[0], "\n".join(lines))
    height = figure.get_figheight() + 0.12 * (len(lines) - 1)
    figure.set_figheight(height)
    rect = (0, 0, 1, 1 - (0.08 + 0.12 * len(lines)) / height)
    figure.set_layout_engine(ConstrainedLayoutEngine(h_pad=0.1, w_pad=0.05, rect=rect))
    if m.note:
        figure.supxlabel("\n".join(textwrap.wrap(plain(m.note), int(width * NOTE))), fontsize=6)
    return figure


def _drawer(values: xarray.DataArray) -> Callable[..., Figure]:
    dims = values.dims
    if dims == ("patch",):
        return overlay
    if len(dims) == 1:
        if dims == ("position",) and "text" in values.coords:
            return _bars
        return _curve if dims[0] in NUMERIC and values.sizes[dims[0]] > 1 else _bars
    if len(dims) == 2:
        few = min(dims, key=lambda d: values.sizes[d])
        other = dims[1 - dims.index(few)]
        lines = values.sizes[few] <= 4 and few != "head" and other in NUMERIC and values.sizes[other] > 4
        return _curve if lines else grid
    raise NbtoolkitError(
        f"The measurement has the axes {dims}; expected at most two. Choose an entry of the others: select={{{dims[0]!r}: …}}, "
        f"or reduce one: m.mean({dims[0]!r})."
    )


def _heading(m: Measurement) -> str:
    about = m.provenance
    word, foil = (_cut(str(about.get(name) or "")) for name in ("word", "foil"))
    foil = f" against “{foil}”" if foil else ""
    target = f" of “{word}”{foil}" if word else ""
    return f"{m.name.replace('_', ' ')}{target}, {_cut(str(about.get('model', '')))}".rstrip(", ")


def _cut(text: str) -> str:
    return text if len(text) <= 2 * MAX_LABEL else f"{text[: 2 * MAX_LABEL]}…"


# --- curves ----------------------------------------------------------------------------------------------


def _curve(m: Measurement, values: xarray.DataArray, null: Any, _n: int) -> Figure:
    axis = next(str(d) for d in values.dims if d in NUMERIC and values.sizes[d] > 1)
    others = [str(d) for d in values.dims if d != axis]
    names = entry_names(values, others[0]) if others else ["measured"]
    figure = new_figure(5.0, 2.8)
    axes = figure.subplots()
    x = _numbers(values, axis)
    for k, name in enumerate(names):
        line = values if not others else values.isel({others[0]: k})
        colour = COLOURS[k % len(COLOURS)]
        if null is not None:
            below = null.isel({others[0]: k}) if others and others[0] in null.dims else null
            _band(axes, x, below.transpose(..., axis), axis, colour if others else NULL)
        axes.plot(x, line.transpose(axis).values, marker="o", markersize=3, color=colour, label=short(name))
    if null is not None:
        is_line = null.sizes.get("draw", 1) == 1
        axes.plot([], [], color=NULL, linestyle="--" if is_line else "-", label="null", linewidth=1 if is_line else 5,
                  alpha=1 if is_line else 0.4)  # fmt: skip
    low, high = axes.get_ylim()
    if low - (high - low) <= 0 <= high + (high - low):  # near enough to leave the curves their room
        axes.axhline(0, color="black", linewidth=0.5)
    axes.set_xlabel(label(axis), fontsize=8)
    axes.set_ylabel(wrapped(value_label(m), 2.0), fontsize=8)
    axes.tick_params(labelsize=7)
    if axis == "layer" and len(x) <= N_TICKS:
        axes.set_xticks(x)
    legend(axes, len(names) + (null is not None), label(others[0]) if others else "")
    return figure


def _band(axes: Any, x: Any, null: xarray.DataArray, axis: str, colour: str) -> None:
    """The null: range of its draws, or a line."""
    flat = null.values.reshape(-1, null.sizes[axis])
    if len(flat) > 1:
        axes.fill_between(x, flat.min(0), flat.max(0), facecolor=(colour, 0.2), edgecolor=(colour, 0.7), linewidth=0.8)
    else:
        axes.plot(x, flat[0], color=colour, linewidth=1, linestyle="--")


def _numbers(values: xarray.DataArray, axis: str) -> np.ndarray:
    coordinate = values[axis].values if axis in values.coords else np.arange(values.sizes[axis])
    return np.asarray(coordinate, float)


# --- bars ------------------------------------------------------------------------------------------------


def _bars(m: Measurement, values: xarray.DataArray, null: Any, n_bars: int) -> Figure:
    axis = str(values.dims[0])
    array = values.values.astype(float)
    names = entry_names(values, axis)
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
    axes.set_xlabel(value_label(m), fontsize=8)
    legend(axes, 1 + (null is not None))
    return figure
