"""One self-contained page of tables: no script, no network, light and dark; what reports have in common."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

_STYLE = """
:root { color-scheme: light dark; --line: #8884; --soft: #8881; --bar: #4a90d955; }
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
_PAGE = """<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport content='width=device-width'>
<meta http-equiv=Content-Security-Policy content="default-src 'none'; style-src 'unsafe-inline'; img-src data:">
<title>{title}</title><style>{style}</style><main><h1>{title}</h1>{body}</main></html>"""


def page(title: str, body: str, style: str = "") -> str:
    """A whole page.

    Parameters
    ----------
    title
        Title; it is escaped.
    body
        HTML, whose texts are escaped already.
    style
        Further rules of the style sheet.

    Examples
    --------
    >>> "<title>a &lt; b</title>" in page("a < b", "")
    True
    """
    return _PAGE.format(title=escape(title), style=_STYLE + style, body=body)


def table(head: Sequence[str], rows: Sequence[Sequence[str]], kind: str = "") -> str:
    """A table that scrolls where it is wider than the page.

    Parameters
    ----------
    head
        Heads of the columns; they are escaped.
    rows
        Cells as HTML: text, or a whole ``<td>`` or ``<th>``.
    kind
        Class of the table: ``"text"`` for cells of sentences, ``"paper"`` for published figures, or one of the page's own.

    Examples
    --------
    >>> table(["n"], [["3"]])
    "<div class=wide tabindex=0><table class=''><tr><th scope=col><span>n</span></th></tr><tr><td>3</td></tr></table></div>"
    """
    cells = "".join(
        "<tr>" + "".join(c if c.startswith(("<td", "<th")) else f"<td>{c}</td>" for c in row) + "</tr>" for row in rows
    )
    return (
        f"<div class=wide tabindex=0><table class='{kind}'><tr>"
        + "".join(f"<th scope=col><span>{escape(h)}</span></th>" for h in head)
        + f"</tr>{cells}</table></div>"
    )
