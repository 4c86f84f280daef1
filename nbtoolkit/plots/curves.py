"""Figures of scores: concepts against random words, and scores over layers, numbers of concepts and methods."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from ..errors import NbtoolkitError
from ..types import Scores
from ..types.arguments import checked
from .style import COLOURS, MARKERS, label, legend, new_figure, short

if TYPE_CHECKING:
    import pandas


@checked
def correspondence(scores: Mapping[str, Scores], *, name: str = "clip_score") -> Figure:
    """Correspondence of exemplars and words against random words: a point per concept, better above the line (Figure 3).

    Parameters
    ----------
    scores
        Token to the scores of its dictionary, for example ``{"dog": study.scores[31]}``.
    name
        Name of the score; random words have ``name + "_random"``.

    Returns
    -------
    matplotlib.figure.Figure
        One colour and marker per token.

    Raises
    ------
    NbtoolkitError
        A dictionary without this score.

    References
    ----------
    Parekh et al. 2024, Figure 3.

    Examples
    --------
    >>> s = Scores(per_concept={"clip_score": np.array([1.2, 0.9]), "clip_score_random": np.array([0.8, 1.0])})
    >>> correspondence({"dog": s}).axes[0].get_xlabel()
    'CLIPScore, random words'
    """
    figure, random = new_figure(3.4, 3.2), f"{name}_random"
    axes = figure.subplots()
    low, high = np.inf, -np.inf
    for i, (token, s) in enumerate(scores.items()):
        if name not in s.per_concept or random not in s.per_concept:
            raise NbtoolkitError(
                f"The scores per concept of {token!r} are {sorted(s.per_concept)}; expected {name!r} and {random!r}. Evaluate with a scorer."
            )
        x, y = s.per_concept[random], s.per_concept[name]
        axes.scatter(
            x,
            y,
            s=14,
            color=COLOURS[i % 8],
            marker=MARKERS[i % 8],
            label=short(str(token)),
            alpha=0.85,
            linewidths=0,
        )
        low, high = min(low, np.nanmin([x, y])), max(high, np.nanmax([x, y]))
    axes.axline((low, low), slope=1, color="0.5", linestyle="--", linewidth=0.8)
    axes.set(xlabel=f"{label(name)}, random words", ylabel=f"{label(name)}, concept's words")
    legend(axes, len(scores))
    return figure


@checked
def curves(table: pandas.DataFrame, x: str, y: str, *, by: str = "token", random: str | None = None) -> Figure:
    """Curves of a score over layers, numbers of concepts or methods, one per token (Figures 6, 11 and 12).

    Parameters
    ----------
    table
        Table of :func:`nbtoolkit.sweep`; several random states give a mean with a band of one standard deviation.
    x, y
        Columns of the horizontal and the vertical axis.
    by
        Column with one curve per value.
    random
        Column of the same score for random words; its mean is the dashed grey curve.

    Returns
    -------
    matplotlib.figure.Figure
        One colour and marker per curve.

    Raises
    ------
    NbtoolkitError
        A column that the table does not have.

    References
    ----------
    Parekh et al. 2024, Figures 6, 11 and 12.

    Examples
    --------
    >>> import pandas
    >>> table = pandas.DataFrame({"token": ["dog"] * 3, "layer": [1, 2, 3], "clip_score": [0.5, 0.6, 0.8]})
    >>> curves(table, "layer", "clip_score").axes[0].get_ylabel()
    'CLIPScore'
    """
    for column in (x, y, by, *([random] if random else [])):
        if column not in table:
            raise NbtoolkitError(f"The table has no column {column!r}; expected one of {list(table.columns)}.")
    figure = new_figure(3.8, 2.6)
    axes = figure.subplots()
    for i, (name, part) in enumerate(table.groupby(by, sort=False)):
        scores, color = part.groupby(x)[y], COLOURS[i % 8]
        mean, std = scores.mean(), scores.std().fillna(0.0)
        axes.plot(
            mean.index,
            mean,
            color=color,
            marker=MARKERS[i % 8],
            markersize=3,
            linewidth=1.2,
            label=short(str(name)),
        )
        axes.fill_between(mean.index, mean - std, mean + std, color=color, alpha=0.2, linewidth=0)
    if random:
        null = table.groupby(x)[random].mean()
        axes.plot(null.index, null, color="0.5", linestyle="--", linewidth=1, label="random words")
    axes.set(xlabel=label(x), ylabel=label(y))
    if table[x].dtype.kind in "iu":
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    legend(axes, table[by].nunique() + bool(random))
    return figure
