"""Shared style of all figures: colours, size, text."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

from ..errors import NbtoolkitError
from ..strict_json import visible

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#999933")  # Okabe and Ito
MAX_TITLE = 400  # characters: matplotlib takes minutes for the captions of some models
MAX_LABEL = 40  # characters of a tick or an entry of a legend: longer ones leave no room for the axes
MARKERS = "osD^vPX*"
_LABELS = {
    "clip_score": "CLIPScore",
    "test_clip_score": "CLIPScore on test images",
    "n_concepts": "number of concepts",
    "layer": "layer",
    "reconstruction_error": "‖Z − Ẑ‖² / ‖Z‖²",
    "test_error": "error on test samples",
    "overlap": "word overlap",
}


def label(name: str) -> str:
    """Axis label of a score or setting.

    Parameters
    ----------
    name
        Column or score, such as ``"clip_score"``.

    Returns
    -------
    str
        The label; the name without underscores where there is none.

    Examples
    --------
    >>> label("clip_score"), label("explained_variance")
    ('CLIPScore', 'explained variance')
    """
    return _LABELS.get(name, short(name.replace("_", " ")))


def new_figure(width: float, height: float) -> Figure:
    """Empty figure that belongs to no window.

    Parameters
    ----------
    width, height
        Size in inches; at least 2.0 × 1.2.

    Returns
    -------
    matplotlib.figure.Figure
        With constrained layout, at 150 dots per inch.
    """
    width, height = max(width, 2.0), max(height, 1.2)
    rect = (0, 0, 1, 1 - 0.2 / height)  # room for the title of the first row
    layout = ConstrainedLayoutEngine(h_pad=0.1, w_pad=0.02, rect=rect)
    figure = Figure(figsize=(width, height), dpi=150, layout=layout)
    FigureCanvasAgg(figure)
    return figure


def legend(axes: Axes, n: int) -> None:
    """Remove the frame of axes, and add a legend if there is more than one entry.

    Parameters
    ----------
    axes
        Axes whose artists have labels.
    n
        Number of entries.
    """
    axes.spines[["top", "right"]].set_visible(False)
    if n > 1:
        axes.legend(frameon=False, fontsize=7, loc="upper left", bbox_to_anchor=(1.0, 1.0))


def title(axes: Axes, text: str, color: str = "black") -> None:
    """Write a title above axes, left-aligned; the layout reserves no width for it.

    Parameters
    ----------
    axes
        Axes to write above.
    text
        The title, read literally; the first 400 characters.
    color
        A matplotlib colour.
    """
    figure: Any = axes.get_figure()  # the layout overlooks its texts, and what crops the figure in notebooks does not
    place = {"transform": axes.transAxes, "va": "bottom"}
    figure.text(0, 1.06, plain(text), fontsize=7, color=color, **place)


def check_concepts(concepts: Sequence[int] | range, n: int) -> None:
    """Refuse concepts that the dictionary does not have.

    Parameters
    ----------
    concepts
        Concepts to draw, counted from 0.
    n
        Number of concepts of the dictionary.

    Raises
    ------
    NbtoolkitError
        No concept, or one out of range.
    """
    wrong = [k for k in concepts if not 0 <= k < n]
    if wrong or not len(concepts):
        raise NbtoolkitError(f"concepts is {list(concepts)}; expected at least one, between 0 and {n - 1}.")


def plain(text: str, most: int = MAX_TITLE) -> str:
    r"""Text that matplotlib reads literally, not as a formula, and lays out in no time.

    Parameters
    ----------
    text
        A caption or words.
    most
        Number of characters after which it is cut.

    Returns
    -------
    str
        The text with every dollar sign escaped, and replacement characters for lone surrogates and control characters.

    Examples
    --------
    >>> print(plain("costs $5"), plain("a dog on a bench", 5))
    costs \$5 a dog…
    """
    cut = text if len(text) <= most else f"{text[:most]}…"
    return visible(cut).replace("$", r"\$")


def short(text: str) -> str:
    """Text of a tick, of an axis or of an entry of a legend: one line of at most 40 characters.

    Parameters
    ----------
    text
        A name.

    Examples
    --------
    >>> print(short("a dog\\non  a bench"))
    a dog on a bench
    """
    return plain(" ".join(text[: 10 * MAX_LABEL].split()), MAX_LABEL)
