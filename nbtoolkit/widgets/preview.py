"""A small picture of a view without scripts, for places that run no widgets."""

from __future__ import annotations

import base64
import html
from typing import Any

import numpy as np

from . import encode


class Snapshot:
    """HTML without scripts that a notebook keeps as output."""

    def __init__(self, text: str) -> None:
        self.html = text

    def _repr_html_(self) -> str:
        return self.html


def preview(
    view: Any,
    n_concepts: int = 4,
    size: int = 56,
    quality: int = 60,
    then: str = "Run the cell for the interactive view.",
) -> str:
    """HTML of the strongest concepts of the layer that a view shows, for GitHub and nbconvert; IPython keeps it, so it is small."""
    study, layer = view.study, view.layer
    cd, g, parts = study.dictionary(layer), study.grounding(layer), []
    order = np.argsort(-encode.energy(cd), kind="stable")
    for k in [int(k) for k in order if g.exemplars[k]][:n_concepts]:
        jpeg = base64.b64encode(encode.strip([study.sample(i) for i in g.exemplars[k][:6]], size, quality)).decode()
        label = study.labels.get(f"{layer}:{k}", "")
        words = html.escape(" · ".join([*([label] if label else []), *g.words[k][:5]]))
        parts.append(f'<p><b>{k}</b> {words}<br><img alt="" src="data:image/jpeg;base64,{jpeg}"></p>')
    head = html.escape(f"“{study.token}” at layer {layer}: the strongest concepts. {then}")
    return f"<div><p>{head}</p>{''.join(parts)}</div>"
