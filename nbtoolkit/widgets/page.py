"""Views outside a live notebook: the self-contained page, and script-free HTML for places that run no widgets."""

from __future__ import annotations

import base64
import hashlib
import html
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
<style>{style}</style>
</head>
<body class="nbt-page">
<main id="view"></main>
<noscript>This page needs JavaScript; it contacts no server.</noscript>
<script type="application/json" id="data">{data}</script>
<script>{script}</script>
</body>
</html>
"""


def page(title: str, state: dict[str, Any], data: dict[str, Any], static: Path, lang: str = "en") -> str:
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
    static
        Folder of the built front end.
    lang
        Language tag of the page.
    """
    script, style = (static / "standalone.js").read_text("utf-8"), (static / "nbtoolkit.css").read_text("utf-8")
    payload = dump_json({"state": state, "data": data}).replace("<", "\\u003c")
    policy = f"default-src 'none'; img-src data: blob:; style-src {_hash(style)}; script-src {_hash(script)}; base-uri 'none'; form-action 'none'"
    return _PAGE.format(
        title=html.escape(visible(title)),
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
