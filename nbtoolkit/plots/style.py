"""What all figures share: colours, size, type."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ..errors import NbtoolkitError

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#999933")  # Okabe and Ito
MARKERS = "osD^vPX*"
_LABELS = {"clip_score": "CLIPScore", "test_clip_score": "CLIPScore on test pictures", "n_concepts": "number of concepts", "layer": "layer",
           "reconstruction_error": "‖Z − Ẑ‖² / ‖Z‖²", "test_error": "error on test samples", "overlap": "overlap of words"}  # fmt: skip


def label(name: str) -> str:
    """Write the name of a score or setting for an axis."""
    return _LABELS.get(name, name.replace("_", " "))


def new_figure(width: float, height: float) -> Figure:
    """Make a figure of at least this size, in inches, that belongs to no window."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    width, height = max(width, 2.0), max(height, 1.2)
    layout = ConstrainedLayoutEngine(
        h_pad=0.1, w_pad=0.02, rect=(0, 0, 1, 1 - 0.2 / height)
    )  # room for the first row's text
    figure = Figure(figsize=(width, height), dpi=150, layout=layout)
    FigureCanvasAgg(figure)
    return figure


def legend(axes: Axes, n: int) -> None:
    """Finish an axes: no frame, and a legend where there is more than one thing."""
    axes.spines[["top", "right"]].set_visible(False)
    if n > 1:
        axes.legend(frameon=False, fontsize=7, loc="upper left", bbox_to_anchor=(1.0, 1.0))


def title(axes: Axes, text: str, color: str = "black") -> None:
    """Write above an axes, to the right as far as it goes: the layout makes no room for it in width."""
    above = axes.text(
        0, 1.06, plain(text), transform=axes.transAxes, fontsize=7, color=color, va="bottom", clip_on=False
    )
    above.set_in_layout(False)


def check_concepts(concepts: Sequence[int] | range, n: int) -> None:
    """Refuse concepts that the dictionary does not have."""
    wrong = [k for k in concepts if not 0 <= k < n]
    if wrong or not len(concepts):
        raise NbtoolkitError(f"concepts is {list(concepts)}; expected at least one, between 0 and {n - 1}.")


def plain(text: str) -> str:
    """Keep matplotlib from reading formulas in captions and words."""
    return text.replace("$", r"\$")
