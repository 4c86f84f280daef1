"""Figures of scores: concepts against chance, and scores over layers, sizes and methods."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from ..errors import NbtoolkitError
from ..types import Scores
from .style import COLOURS, MARKERS, label, legend, new_figure

if TYPE_CHECKING:
    import pandas
    from matplotlib.figure import Figure


def correspondence(scores: Mapping[str, Scores], *, name: str = "clip_score") -> Figure:
    """Do a concept's pictures fit its words better than random words? A point a concept; above the line they do (Figure 3).

    Parameters
    ----------
    scores
        Token to the scores of its dictionary, for example ``{"dog": study.scores[31]}``.
    name
        Which score; random words' is ``name + "_random"``.

    Examples
    --------
    >>> s = Scores(per_concept={"clip_score": np.array([1.2, 0.9]), "clip_score_random": np.array([0.8, 1.0])})
    >>> correspondence({"dog": s}).axes[0].get_xlabel()
    'CLIPScore, random words'
    """
    figure = new_figure(3.4, 3.2)
    axes = figure.subplots()
    low, high = np.inf, -np.inf
    for i, (token, s) in enumerate(scores.items()):
        if name not in s.per_concept or f"{name}_random" not in s.per_concept:
            raise NbtoolkitError(
                f"The scores of {token!r} have {sorted(s.per_concept)}; expected {name!r} and {name + '_random'!r} (evaluate with a judge)."
            )
        x, y = s.per_concept[f"{name}_random"], s.per_concept[name]
        axes.scatter(x, y, s=14, color=COLOURS[i % 8], marker=MARKERS[i % 8], label=token, alpha=0.85, linewidths=0)
        low, high = min(low, np.nanmin([x, y])), max(high, np.nanmax([x, y]))
    axes.axline((low, low), slope=1, color="0.5", linestyle="--", linewidth=0.8)
    axes.set(xlabel=f"{label(name)}, random words", ylabel=f"{label(name)}, concept's words")
    legend(axes, len(scores))
    return figure


def curves(table: pandas.DataFrame, x: str, y: str, *, by: str = "token", random: str | None = None) -> Figure:
    """A score over layers, numbers of concepts or methods, a curve a token (Figures 6, 11 and 12).

    Parameters
    ----------
    table
        What :func:`nbtoolkit.sweep` gives; several random states become a mean and a band of one standard deviation.
    x, y, by
        Columns: along the axis, up, and what has a curve of its own.
    random
        Column of the same score for random words; its mean is drawn grey.

    Examples
    --------
    >>> import pandas
    >>> table = pandas.DataFrame({"token": ["dog"] * 3, "layer": [1, 2, 3], "clip_score": [0.5, 0.6, 0.8]})
    >>> curves(table, "layer", "clip_score").axes[0].get_ylabel()
    'CLIPScore'
    """
    for column in (x, y, by, *([random] if random else [])):
        if column not in table:
            raise NbtoolkitError(f"The table has no column {column!r}; it has {list(table.columns)}.")
    figure = new_figure(3.8, 2.6)
    axes = figure.subplots()
    for i, (name, part) in enumerate(table.groupby(by, sort=False)):
        grouped = part.groupby(x)[y]
        mean, spread = grouped.mean(), grouped.std().fillna(0.0)
        axes.plot(
            mean.index, mean, color=COLOURS[i % 8], marker=MARKERS[i % 8], markersize=3, linewidth=1.2, label=str(name)
        )
        axes.fill_between(mean.index, mean - spread, mean + spread, color=COLOURS[i % 8], alpha=0.2, linewidth=0)
    if random:
        chance = table.groupby(x)[random].mean()
        axes.plot(chance.index, chance, color="0.5", linestyle="--", linewidth=1, label="random words")
    axes.set(xlabel=label(x), ylabel=label(y))
    if table[x].dtype.kind in "iu":
        from matplotlib.ticker import MaxNLocator

        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    legend(axes, table[by].nunique() + bool(random))
    return figure
