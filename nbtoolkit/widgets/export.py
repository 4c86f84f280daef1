"""The self-contained page: bundle, style and data in one file, under a policy that allows no network at all."""

from __future__ import annotations

import base64
import hashlib
import html
import json
from pathlib import Path
from typing import Any

_PAGE = """<!doctype html>
<html lang="en">
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


def page(title: str, state: dict[str, Any], data: dict[str, Any], static: Path) -> str:
    """Put a view's state and data into one HTML page.

    Every ``<`` of the data is written as ``\\u003c``, so that no caption can end the script element; the page shows
    text through ``textContent`` only.
    """
    script, style = (static / "standalone.js").read_text("utf-8"), (static / "nbtoolkit.css").read_text("utf-8")
    payload = json.dumps({"state": state, "data": data}, ensure_ascii=False).replace("<", "\\u003c")
    policy = f"default-src 'none'; img-src data: blob:; style-src {_hash(style)}; script-src {_hash(script)}; base-uri 'none'; form-action 'none'"
    return _PAGE.format(
        title=html.escape(title), style=style, script=script, data=payload, policy=html.escape(policy, quote=True)
    )


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
