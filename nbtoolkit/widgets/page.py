"""Views outside a live notebook: the self-contained page, and script-free HTML for places that run no widgets."""

from __future__ import annotations

import base64
import functools
import hashlib
import html
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from ..storage.study import Sample
from ..strict_json import dump_json, visible
from .thumbnails import strip

_PAGE = """<!doctype html>
<html lang="{lang}">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<meta name="description" content="{about}">
<meta property="og:type" content="website">
<meta property="og:title" content="{title}">
<meta property="og:description" content="{about}">
<style>{style}</style>
</head>
<body class="nbt-page">
<header class="nbt-page-head"><h1>{title}</h1><p>{about}</p></header>
<main id="view"></main>
<noscript>This page needs JavaScript; it contacts no server.</noscript>
<script type="application/json" id="data">{data}</script>
<script>{script}</script>
</body>
</html>
"""


@functools.cache
def texts(static: Path) -> dict[str, str]:
    """Texts of the views in Chinese, by the short keys of ``js/src/words.js``.

    Parameters
    ----------
    static
        Folder of the built front end.
    """
    table: dict[str, str] = json.loads((static / "chinese.json").read_text("utf-8"))
    return table


@functools.cache
def panes(static: Path, name: str = "panes.js") -> dict[str, str]:
    """Script of the panes that are not there at the first paint, as ``code``.

    Parameters
    ----------
    static
        Folder of the built front end.
    name
        Its file.
    """
    return {"code": (static / name).read_text("utf-8")}


@functools.cache
def frame_size(static: Path, script: str = "standalone.js") -> int:
    """Bytes of what every page has: script, style, and texts in Chinese.

    Parameters
    ----------
    static
        Folder of the built front end.
    script
        File of the page's script.
    """
    return sum((static / name).stat().st_size for name in (script, "nbtoolkit.css", "chinese.json"))


def page(
    title: str, state: dict[str, Any], data: dict[str, Any], source: Path, lang: str = "en", about: str = ""
) -> str:
    """Put a view's state and data into one HTML page under a policy that allows no network at all.

    NaN and infinity are written as ``null``, lone surrogates as replacement characters. Every ``<`` of the data is
    written as ``\\u003c``, so that no caption can end the script element; the page shows text through ``textContent`` only.

    Parameters
    ----------
    title
        Title of the page, as text.
    state
        Names and values of the view's traits.
    data
        Bulk data, as JSON.
    source
        The page's script, in the folder of the built front end.
    lang
        Language tag of the page.
    about
        One sentence on how to read the page, which links to it show too. There is no ``og:image``: those who read it fetch
        an image from a server, and a page in one file has none.
    """
    script, style = source.read_text("utf-8"), (source.parent / "nbtoolkit.css").read_text("utf-8")
    data = data | {
        "key": hashlib.sha256(dump_json([title, state["_meta"], state.get("labels")]).encode()).hexdigest()[:16]
    }
    payload = dump_json({"state": state, "data": data}).replace("<", "\\u003c")
    policy = f"default-src 'none'; img-src data: blob:; style-src {_hash(style)}; script-src {_hash(script)}; base-uri 'none'; form-action 'none'"
    return _PAGE.format(
        title=html.escape(visible(title)),
        about=html.escape(visible(about), quote=True),
        lang=html.escape(lang, quote=True),
        style=style,
        script=script,
        data=payload,
        policy=html.escape(policy, quote=True),
    )


def _escaped(text: str) -> str:
    return html.escape(visible(text))


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def still(head: str, rows: Iterable[tuple[str, str, Sequence[Sample]]], size: int, quality: int) -> str:
    """Script-free HTML of concepts: a line of text and a strip of images per row.

    Parameters
    ----------
    head
        Text above the rows.
    rows
        Per row its number or name, its text, and its samples.
    size
        Side of an image, in pixels.
    quality
        JPEG quality, 1 to 95.
    """
    parts = []
    for name, text, samples in rows:
        jpeg = base64.b64encode(strip(samples, size, quality)).decode()
        image = f'<br><img alt="" src="data:image/jpeg;base64,{jpeg}">' if samples else ""
        parts.append(f"<p><b>{_escaped(name)}</b> {_escaped(text)}{image}</p>")
    return f"<div><p>{_escaped(head)}</p>{''.join(parts)}</div>"
