"""A self-contained page of tables and figures: no script, no network; its style is here and nowhere else."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from html import escape
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.figure import Figure

STYLE = """
:root { color-scheme: light dark; --line: #8884; --soft: #8881; }
body { font: 15px/1.5 system-ui, sans-serif; max-width: 78rem; margin: 2rem auto; padding: 0 1rem; }
p, li { max-width: 52rem; } li { margin: .35rem 0; }
h1 { font-size: 1.5rem; line-height: 1.25; } h2 { font-size: 1.15rem; margin: 2.4rem 0 .4rem; } h3 { font-size: 1rem; }
.wide { overflow-x: auto; margin: .6rem 0; }
table { border-collapse: collapse; font-size: 14px; font-variant-numeric: tabular-nums; }
th, td { padding: .3rem .6rem; text-align: right; vertical-align: top; border-bottom: 1px solid var(--line); white-space: nowrap; }
th { vertical-align: bottom; font-weight: 600; }
th:first-child, td:first-child { text-align: left; position: sticky; left: 0; background: Canvas; }
td small { display: block; line-height: 1.35; }
.text td { text-align: left; white-space: normal; } .text th { text-align: left; }
.text td:first-child { min-width: 9rem; max-width: 26rem; }
.best { font-weight: 700; } .best small { font-weight: 400; } .no { opacity: .75; }
.holds { color: light-dark(#136c2e, #7ad694); } .fails { color: light-dark(#b3261e, #f2a19b); } .undecided { opacity: .75; }
small, .paper td { opacity: .8; } summary { cursor: pointer; padding: .2rem 0; }
img { max-width: 100%; height: auto; background: #fff; padding: .4rem; border-radius: .3rem; box-sizing: border-box; }
"""
PAGE = """<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport content='width=device-width'>
<meta http-equiv=Content-Security-Policy content="default-src 'none'; style-src 'unsafe-inline'; img-src data:">
<title>{title}</title><style>{style}</style><h1>{title}</h1>{body}</html>"""


def page(title: str, body: str) -> str:
    """The page as HTML.

    Parameters
    ----------
    title
        Plain text.
    body
        HTML.
    """
    return PAGE.format(title=escape(title), style=STYLE, body=body)


def table(head: Sequence[str], rows: Sequence[Sequence[str]], kind: str = "") -> str:
    """A table that scrolls sideways where it is wider than the page.

    Parameters
    ----------
    head
        Plain texts, one per column.
    rows
        HTML of the cells.
    kind
        Class of the table: ``"text"`` for cells of sentences, ``"paper"`` for published figures.
    """
    cells = "".join("<tr>" + "".join(f"<td>{c}</td>" for c in row) + "</tr>" for row in rows)
    return (
        f"<div class=wide><table class='{kind}'><tr>"
        + "".join(f"<th scope=col>{escape(h)}</th>" for h in head)
        + f"</tr>{cells}</table></div>"
    )


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
