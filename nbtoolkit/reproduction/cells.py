"""Parts of the report's page: figures as images, and cells with small lines below their value."""

from __future__ import annotations

import base64
import io
from html import escape
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def image(figure: Figure) -> str:
    """A figure as an image inside the page.

    Parameters
    ----------
    figure
        The figure.
    """
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png")
    label: Any = "; ".join(f"{a.get_ylabel()} against {a.get_xlabel()}" for a in figure.axes if a.get_xlabel())
    return f"<img alt=\"{escape(label)}\" src='data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode()}'>"


def cell(value: str, *notes: str) -> str:
    """A cell: a value, and small lines below it.

    Parameters
    ----------
    value
        HTML.
    *notes
        HTML; empty ones are left out.
    """
    return value + "".join(f"<small>{note}</small>" for note in notes if note)
