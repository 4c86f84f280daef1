"""A study as small messages: text as JSON, arrays as bytes, pictures as JPEG. No widget and no torch in here."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from ..storage.study import Sample, Study
from ..types import ConceptDictionary, Grounding

TILE = 112  # pixels a side of a thumbnail in a strip
NOTHING = (160, 160, 160)  # grey, where a sample has no picture
N_BINS = 14
N_TOP = 6  # concepts by which a layer is told before it is shown
COSINE, SHARED = 0.9, 0.5  # from which two concepts count as near-duplicates
METRICS = {
    "clip_score": {"label": "CLIPScore", "better": "higher", "baseline": "random words"},
    "reconstruction_error": {"label": "Reconstruction error", "better": "lower", "baseline": ""},
    "overlap": {"label": "Word overlap", "better": "lower", "baseline": ""},
    "active": {"label": "Pictures a concept", "better": "", "baseline": ""},
    "naming": {"label": "Naming of known factors", "better": "higher", "baseline": ""},
}


def outline(study: Study) -> dict[str, Any]:
    """What a view opens with, as JSON: curves, and by what each layer is told. Hosts keep this message for good, so it is small."""
    first = study.dictionary(study.layers[-1])
    slots = sorted({*study.layers, *(i for i in study.representations.layers if i > 0)})
    return {
        "token": study.token, "model": short(study.source.model), "method": first.method, "n_layers": study.representations.n_layers,
        "layers": list(study.layers), "slots": slots, "metrics": _curves(study), "tops": {str(layer): _top(study, layer) for layer in study.layers},
        "pictured": any(s.image for s in study.samples), "concepts": {},
    }  # fmt: skip


def content(study: Study) -> dict[str, Any]:
    """What a page without a kernel needs of the samples and concepts at once: ``ids``, ``concepts`` by layer, ``captions`` by row."""
    return {
        "ids": list(study.rows),
        "concepts": {str(layer): _concepts(study, layer) for layer in study.layers},
        "captions": {str(i): s.caption for i, s in enumerate(study.samples)},
    }


def one_layer(study: Study, layer: int) -> dict[str, Any]:
    """The ``concepts`` of a layer, and the ``captions`` of their exemplars by sample row."""
    return {
        "concepts": _concepts(study, layer),
        "captions": {str(i): study.samples[i].caption for i in exemplar_rows(study, layer)},
    }


def exemplar_rows(study: Study, layer: int) -> list[int]:
    """Rows of the samples that stand for any concept of a layer, ascending."""
    return sorted({study.rows[i] for group in study.grounding(layer).exemplars for i in group})


def energy(cd: ConceptDictionary) -> np.ndarray:
    """Total activation of each concept times its norm: by this they are ordered."""
    return (np.abs(cd.activations) * np.linalg.norm(cd.concepts, axis=1)).sum(0)


def _top(study: Study, layer: int) -> list[tuple[int, list[str]]]:
    """The strongest concepts of a layer, each with what it may be called by."""
    order = np.argsort(-energy(study.dictionary(layer)), kind="stable")[:N_TOP]
    return [(int(k), list(study.grounding(layer).words[k][:2])) for k in order]


def _concepts(study: Study, layer: int) -> list[dict[str, Any]]:
    cd, g, scores = study.dictionary(layer), study.grounding(layer), study.scores.get(layer)
    strength = np.abs(cd.activations)
    total = energy(cd)
    share = total / max(total.sum(), 1e-30)
    clip = None if scores is None else scores.per_concept.get("clip_score")
    twin, counts = _twins(cd, g), _histograms(strength)
    active = (strength > 0).mean(0)
    out = []
    for k in range(cd.n_concepts):
        out.append({"words": g.words[k], "exemplars": [study.rows[i] for i in g.exemplars[k]], "share": round(float(share[k]), 4),
                    "histogram": counts[k].tolist(), "active": round(float(active[k]), 4),
                    "clip_score": None if clip is None or not np.isfinite(clip[k]) else round(float(clip[k]), 3), "twin": twin[k]})  # fmt: skip
    return out


def _histograms(strength: np.ndarray) -> np.ndarray:
    """Counts (n_concepts, N_BINS) of the activations that are not 0, in equal bins from 0 to the strongest of all."""
    rows, ks = np.nonzero(strength)
    bins = (strength[rows, ks] * (N_BINS / max(float(strength.max()), 1e-30))).astype(int).clip(max=N_BINS - 1)
    return np.bincount(ks * N_BINS + bins, minlength=strength.shape[1] * N_BINS).reshape(-1, N_BINS)


def _twins(cd: ConceptDictionary, g: Grounding) -> list[int | None]:
    """Of each concept the one that it nearly repeats: a cosine of at least 0.9, or more than half of its exemplars in common."""
    unit = cd.concepts / np.maximum(np.linalg.norm(cd.concepts, axis=1, keepdims=True), 1e-30)
    column = {i: j for j, i in enumerate({i for exemplars in g.exemplars for i in exemplars})}
    shown = np.zeros((cd.n_concepts, len(column)), np.float32)
    for k, exemplars in enumerate(g.exemplars):
        shown[k, [column[i] for i in exemplars]] = 1
    shared = (shown @ shown.T) / np.maximum(1, shown.sum(1, keepdims=True))
    alike = np.maximum((unit @ unit.T) / COSINE, shared / SHARED)
    np.fill_diagonal(alike, 0)
    best = alike.argmax(1)
    return [int(j) if alike[k, j] > 1 else None for k, j in enumerate(best)]


def _curves(study: Study) -> list[dict[str, Any]]:
    """One curve a metric: value, spread and baseline by layer; None where a layer has no such score."""
    curves = []
    for name, about in METRICS.items():
        rows = [
            study.scores[layer] if layer in study.scores and name in study.scores[layer].values else None
            for layer in study.layers
        ]
        if any(rows):
            curves.append({"name": name, **about, "values": [None if r is None else _round(r.values[name]) for r in rows],
                           "spread": [None if r is None else _round(r.spread.get(name, 0.0)) for r in rows],
                           "baselines": [None if r is None or name not in r.baseline else _round(r.baseline[name]) for r in rows]})  # fmt: skip
    return curves


def short(model: str) -> str:
    """Give the name of a model folder without the way to it; hub ids stay whole."""
    return Path(model).name if Path(model).is_absolute() else model


def _round(value: float) -> float:
    return round(float(value), 4)


def activations(cd: ConceptDictionary, start: int = 0, n: int | None = None) -> tuple[dict[str, Any], list[bytes]]:
    """Activations (n_samples, n_concepts) and unexplained shares (n_samples,) of ``n`` rows of one layer, as float32 bytes.

    ``shape`` is that of the whole.
    """
    rest = np.zeros(len(cd.sample_ids)) if cd.unexplained is None else cd.unexplained
    rows = slice(start, None if n is None else start + n)
    parts = [np.ascontiguousarray(a[rows], "<f4").tobytes() for a in (cd.activations, rest)]
    return {"shape": list(cd.activations.shape), "dtype": "float32"}, parts


def thumbs(samples: Sequence[Sample], rows: list[int]) -> tuple[dict[str, Any], list[bytes]]:
    """Thumbnails of some rows of the samples as one strip, with their captions and aspects."""
    some = [samples[i] for i in rows]
    return {"rows": rows, "captions": [s.caption for s in some], "aspects": [aspect(s) for s in some]}, [strip(some)]


def strip(samples: Sequence[Sample], size: int = TILE, quality: int = 82) -> bytes:
    """One JPEG with the square middles of the pictures side by side."""
    sheet = Image.new("RGB", (size * max(1, len(samples)), size), "white")
    for i, sample in enumerate(samples):
        sheet.paste(square(sample.image, size) if sample.image else NOTHING, (i * size, 0, (i + 1) * size, size))
    buffer = io.BytesIO()
    sheet.save(buffer, "JPEG", quality=quality)
    return buffer.getvalue()


def aspect(sample: Sample) -> float:
    """Width of a picture over its height, 1 where there is none; nothing is decoded."""
    if not sample.image:
        return 1.0
    width, height = Image.open(io.BytesIO(sample.image)).size
    return round(width / height, 4)


def square(jpeg: bytes, size: int | None = None) -> Image.Image:
    """Cut the middle square out of a picture, and bring it to a size where one is given."""
    image = Image.open(io.BytesIO(jpeg)).convert("RGB")
    side = min(image.size)
    left, top = (image.width - side) // 2, (image.height - side) // 2
    box = (left, top, left + side, top + side)
    return image.crop(box) if size is None else image.resize((size, size), Image.Resampling.LANCZOS, box=box)


def sample_facts(sample: Sample) -> dict[str, Any]:
    """Text of one sample for its pane."""
    return {
        "id": sample.id,
        "caption": sample.caption,
        "captions": list(sample.captions),
        "pieces": list(sample.pieces),
        "position": sample.position,
        "aspect": aspect(sample),
        "pictured": bool(sample.image),
    }


def embedded(study: Study, max_mb: float) -> dict[str, Any]:
    """What a page without a kernel needs: all activations, and as many pictures as fit, exemplars first.

    Returns
    -------
    dict
        ``activations`` by layer, ``facts`` and ``images`` by sample row (bytes as base64), and how many were ``left_out``.
    """
    shown = dict.fromkeys(i for layer in study.layers for i in exemplar_rows(study, layer))
    order = [*shown, *(i for i in range(len(study.samples)) if i not in shown)]
    budget, images = max_mb * 1e6, {}
    for i in order:
        if not study.samples[i].image:
            continue
        budget -= len(study.samples[i].image) * 4 / 3
        if budget < 0 and i not in shown:
            break
        images[str(i)] = base64.b64encode(study.samples[i].image).decode()
    values = {}
    for layer in study.layers:
        about, buffers = activations(study.dictionary(layer))
        values[str(layer)] = {**about, "buffers": [base64.b64encode(b).decode() for b in buffers]}
    return {
        "activations": values,
        "images": images,
        "facts": [sample_facts(s) for s in study.samples],
        "left_out": sum(bool(s.image) for s in study.samples) - len(images),
    }
