"""DictionaryComparison: two layers, methods, models or random states, concept by concept."""

from __future__ import annotations

import base64
import os
from pathlib import Path
from typing import Any

import anywidget
import traitlets

from ..atomic import write_text
from ..errors import NbtoolkitError
from ..settings import options
from ..storage.study import Study
from . import encode
from .base import STATIC, asset
from .channel import Answer, Channel
from .export import page

N_SHOWN = 5  # pictures a concept


class DictionaryComparison(anywidget.AnyWidget):
    """Two dictionaries side by side: matched pairs, what only one of them has, and the agreement against a shuffled null.

    Parameters
    ----------
    a, b
        Studies; ``b`` may be left out to compare two layers of ``a``.
    layers
        The layer of each; the last where not given.
    measure
        ``"cosine"``, ``"activation"`` or ``"auto"``; see :func:`nbtoolkit.comparison.compare_dictionaries`.
    names
        What the two are called.
    threshold
        Similarity from which a matched pair counts as shared.

    Examples
    --------
    >>> import nbtoolkit as nbt
    >>> model, data = nbt.load_model("toy"), nbt.load_data("toy", n=200)
    >>> study = nbt.study(model, data, "train", method=nbt.SemiNMF(4, random_state=0), progress=False)
    >>> DictionaryComparison(study, layers=(2, 4)).agreement.measure
    'activation'
    """

    _esm = asset("nbtoolkit.js")
    _css = asset("nbtoolkit.css")

    pair = traitlets.List(
        traitlets.Int(allow_none=True), help="Selected pair: row in A, row in B; None where it has no partner."
    ).tag(sync=True)
    threshold = traitlets.Float(help="Similarity from which a pair counts as shared.").tag(sync=True)
    _kind = traitlets.Unicode("comparison").tag(sync=True)
    _meta = traitlets.Dict().tag(sync=True)

    def __init__(self, a: Study, b: Study | None = None, *, layers: tuple[int, int] | None = None, measure: str = "auto",
                 names: tuple[str, str] | None = None, threshold: float = 0.4) -> None:  # fmt: skip
        from ..comparison import compare_dictionaries

        for study in (a, b):
            if study is not None and not isinstance(study, Study):
                raise NbtoolkitError(
                    f"DictionaryComparison was given a {type(study).__name__}; expected studies, from nbt.study(…) or nbt.open_study(path)."
                )
        self._studies = (a, a if b is None else b)
        layers = layers or (self._studies[0].layers[-1], self._studies[1].layers[-1])
        cds = [s.dictionary(layer) for s, layer in zip(self._studies, layers, strict=True)]
        self.agreement = compare_dictionaries(*cds, measure=measure)
        self._samples = [*a.samples] if b is None else [*a.samples, *b.samples]
        meta = self._describe(a, b, [cd.layer for cd in cds], names)
        self._channel = Channel(lambda *message: self.send(*message), {"thumbs": self._thumbs}, {})
        first = meta["pairs"][0] if meta["pairs"] else [None, None]
        super().__init__(_meta=meta, pair=first[:2], threshold=threshold)
        self.on_msg(self._channel.receive)

    def _describe(self, a: Study, b: Study | None, layers: list[int], names: tuple[str, str] | None) -> dict[str, Any]:
        found = self.agreement
        sides: list[dict[str, Any]] = []
        for side, (study, layer) in enumerate(zip(self._studies, layers, strict=True)):
            cd, g = study.dictionary(layer), study.grounding(layer)
            offset = len(a.samples) if side and b is not None else 0
            concepts = [{"words": list(w[:8]), "exemplars": [offset + study.rows[i] for i in e[:N_SHOWN]], "label": study.labels.get(f"{layer}:{k}", "")}
                        for k, (w, e) in enumerate(zip(g.words, g.exemplars, strict=True))]  # fmt: skip
            title = names[side] if names else f"“{study.token}”, layer {layer}, {cd.method}"
            sides.append({"title": title, "model": encode.short(study.source.model), "concepts": concepts})
        shown = {i for side in sides for c in side["concepts"] for i in c["exemplars"]}
        pairs = [[int(i), int(j), round(float(found.values[i]), 4)] for i, j in enumerate(found.partners) if j >= 0]
        return {"token": a.token, "sides": sides, "measure": found.measure, "pairs": sorted(pairs, key=lambda p: -p[2]), "live": None, "locale": options.locale,
                "agreement": round(found.score.mean, 4), "null": round(found.null.mean, 4), "null_high": round(float(found.null.values.max()), 4),
                "samples": [{"id": s.id, "caption": s.caption if i in shown else ""} for i, s in enumerate(self._samples)]}  # fmt: skip

    def _thumbs(self, rows: list[int]) -> Answer:
        return encode.thumbs(self._samples, rows)

    def to_html(self, path: str | os.PathLike[str]) -> Path:
        """Write one self-contained page, as every view does."""
        shown = sorted({i for side in self._meta["sides"] for c in side["concepts"] for i in c["exemplars"]})
        images = {str(i): base64.b64encode(self._samples[i].image).decode() for i in shown}
        state = {"_kind": self._kind, "_meta": dict(self._meta), "pair": list(self.pair), "threshold": self.threshold}
        title = f"{self._meta['sides'][0]['title']} and {self._meta['sides'][1]['title']} · nbtoolkit"
        return write_text(path, page(title, state, {"activations": {}, "images": images, "facts": []}, STATIC))

    def __repr__(self) -> str:
        a, b = (side["title"] for side in self._meta["sides"])
        found = self.agreement
        return f"DictionaryComparison of {a} and {b}: {found.measure} {found.score.mean:.2f}, {found.null.mean:.2f} when shuffled"
