"""Messages to the page: text as JSON, arrays as bytes, images as JPEG. No widget and no torch in here."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..storage.study import Sample, Study
from ..types import ConceptDictionary, Grounding
from ..types.nulls import CONSTANT_WORD, RANDOM_WORDS, SHUFFLED_WORDS
from .thumbnails import aspect, strip

N_BINS = 14
N_TOP = 6  # concepts that summarize a layer before it is selected
COSINE, SHARED = 0.9, 0.5  # from which two concepts count as near-duplicates
METRICS = {
    "clip_score": {"label": "CLIPScore", "better": "higher", "baseline": "random words"},
    "reconstruction_error": {"label": "Reconstruction error", "better": "lower", "baseline": ""},
    "overlap": {"label": "Word overlap", "better": "lower", "baseline": ""},
    "active": {"label": "Images per concept", "better": "", "baseline": ""},
    "naming": {"label": "Naming of known factors", "better": "higher", "baseline": ""},
}


def outline(study: Study) -> dict[str, Any]:
    """Initial message of a view: score curves, and the top concepts per layer. Hosts store it for good, so it is small.

    Parameters
    ----------
    study
        The study.
    """
    first = study.dictionary(study.layers[-1])
    slots = sorted({*study.layers, *(i for i in study.representations.layers if i > 0)})
    return {
        "token": study.token,
        "model": short(study.source.model),
        "method": first.method,
        "n_layers": study.representations.n_layers,
        "given": study.source.decoding == "given captions",
        "layers": list(study.layers),
        "slots": slots,
        "metrics": _curves(study),
        "tops": {str(layer): _top(study, layer) for layer in study.layers},
        "naming": {str(layer): {"rule": g.naming.rule, "text": str(g.naming)} for layer, g in study.groundings.items()},
        "pictured": any(s.image for s in study.samples),
        "concepts": {},
    }


def content(study: Study) -> dict[str, Any]:
    """Samples and concepts of all layers, for a page without a kernel.

    Parameters
    ----------
    study
        The study.

    Returns
    -------
    dict
        ``ids`` of the samples, ``concepts`` per layer, ``captions`` per sample row.
    """
    return {
        "ids": list(study.rows),
        "concepts": {str(layer): _concepts(study, layer) for layer in study.layers},
        "captions": {str(i): s.caption for i, s in enumerate(study.samples)},
    }


def one_layer(study: Study, layer: int) -> dict[str, Any]:
    """The ``concepts`` of a layer, and the ``captions`` of their exemplars per sample row.

    Parameters
    ----------
    study
        The study.
    layer
        One of its layers.
    """
    return {
        "concepts": _concepts(study, layer),
        "captions": {str(i): study.samples[i].caption for i in exemplar_rows(study, layer)},
    }


def exemplar_rows(study: Study, layer: int) -> list[int]:
    """Rows of the samples that are exemplars of any concept of a layer, ascending.

    Parameters
    ----------
    study
        The study.
    layer
        One of its layers.
    """
    return sorted({study.rows[i] for group in study.grounding(layer).exemplars for i in group})


def energy(cd: ConceptDictionary) -> np.ndarray:
    """Importance of each concept: its total absolute activation times its norm.

    Parameters
    ----------
    cd
        The dictionary.

    Returns
    -------
    numpy.ndarray
        (n_concepts,)
    """
    return (np.abs(cd.activations) * np.linalg.norm(cd.concepts, axis=1)).sum(0)


def _top(study: Study, layer: int) -> list[tuple[int, list[str]]]:
    """The strongest concepts of a layer, each with its first two words."""
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
    return [
        {
            "words": g.words[k],
            "exemplars": [study.rows[i] for i in g.exemplars[k]],
            "share": round(float(share[k]), 4),
            "histogram": counts[k].tolist(),
            "active": round(float(active[k]), 4),
            "clip_score": None if clip is None or not np.isfinite(clip[k]) else round(float(clip[k]), 3),
            "twin": twin[k],
        }
        for k in range(cd.n_concepts)
    ]


def _histograms(strength: np.ndarray) -> np.ndarray:
    """Counts (n_concepts, N_BINS) of the nonzero absolute activations, in equal bins from 0 to the largest of the layer."""
    rows, ks = np.nonzero(strength)
    bins = (strength[rows, ks] * (N_BINS / max(float(strength.max()), 1e-30))).astype(int).clip(max=N_BINS - 1)
    return np.bincount(ks * N_BINS + bins, minlength=strength.shape[1] * N_BINS).reshape(-1, N_BINS)


def _twins(cd: ConceptDictionary, g: Grounding) -> list[int | None]:
    """Near-duplicate of each concept: the one with a cosine above 0.9 or more than half of the exemplars in common, or None."""
    unit = cd.concepts / np.maximum(np.linalg.norm(cd.concepts, axis=1, keepdims=True), 1e-30)
    column = {i: j for j, i in enumerate({i for exemplars in g.exemplars for i in exemplars})}
    member = np.zeros((cd.n_concepts, len(column)), np.float32)
    for k, exemplars in enumerate(g.exemplars):
        member[k, [column[i] for i in exemplars]] = 1
    shared = (member @ member.T) / np.maximum(1, member.sum(1, keepdims=True))
    alike = np.maximum((unit @ unit.T) / COSINE, shared / SHARED)
    np.fill_diagonal(alike, 0)
    best = alike.argmax(1)
    return [int(j) if alike[k, j] > 1 else None for k, j in enumerate(best)]


def _curves(study: Study) -> list[dict[str, Any]]:
    """One curve per metric: value, spread, random words and the token alone per layer; None where a layer lacks the score."""
    curves = []
    for name, about in METRICS.items():
        rows = [study.scores.get(layer) for layer in study.layers]
        values = [_round(None if r is None else r.values.get(name)) for r in rows]
        if all(v is None for v in values):
            continue
        constants = [_round(None if r is None else r.values.get(f"{name}_token")) for r in rows]
        null = RANDOM_WORDS if any(v is not None for v in constants) else SHUFFLED_WORDS  # as release 0.1 drew them
        curves.append(
            {
                "name": name,
                **about,
                "values": values,
                "spread": [_round(None if r is None else r.spread.get(name, 0.0)) for r in rows],
                "baselines": [_round(None if r is None else r.baseline.get(name)) for r in rows],
                "constants": constants,
                "preserves": f"{null}; {CONSTANT_WORD}" if about["baseline"] else "",
            }
        )
    return curves


def short(model: str) -> str:
    """Name of a model for a heading: of a local folder its last part; hub ids stay whole.

    Parameters
    ----------
    model
        Path or hub id.
    """
    return Path(model).name if Path(model).is_absolute() else model


def _round(value: float | None) -> float | None:
    """Rounded; None where there is no value, or an undefined one."""
    return None if value is None or not np.isfinite(value) else round(float(value), 4)


def activations(cd: ConceptDictionary, start: int = 0, n: int | None = None) -> tuple[dict[str, Any], list[bytes]]:
    """Activations (n_samples, n_concepts) and unexplained shares (n_samples,) of some rows, as float32 bytes.

    Parameters
    ----------
    cd
        The dictionary of a layer.
    start, n
        First row, and number of rows; all that follow if None.

    Returns
    -------
    dict, list of bytes
        ``shape`` of the whole and ``dtype``; the two arrays.
    """
    rest = np.zeros(len(cd.sample_ids)) if cd.unexplained is None else cd.unexplained
    rows = slice(start, None if n is None else start + n)
    parts = [np.ascontiguousarray(a[rows], "<f4").tobytes() for a in (cd.activations, rest)]
    return {"shape": list(cd.activations.shape), "dtype": "float32"}, parts


def thumbs(samples: Sequence[Sample], rows: list[int]) -> tuple[dict[str, Any], list[bytes]]:
    """Thumbnails of some rows as one strip, with captions and aspects.

    Parameters
    ----------
    samples
        All samples.
    rows
        Rows of them.
    """
    some = [samples[i] for i in rows]
    return {"rows": rows, "captions": [s.caption for s in some], "aspects": [aspect(s) for s in some]}, [strip(some)]


def sample_facts(sample: Sample) -> dict[str, Any]:
    """Text of one sample for its view.

    Parameters
    ----------
    sample
        The sample.
    """
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
    """Bulk data of a page without a kernel: all activations, and as many images as fit, exemplars first.

    Parameters
    ----------
    study
        The study.
    max_mb
        Budget for images, in MB; exemplars are always included.

    Returns
    -------
    dict
        ``activations`` per layer, ``facts`` and ``images`` per sample row (bytes as base64), and the number of images
        that were ``left_out``.
    """
    exemplars = dict.fromkeys(i for layer in study.layers for i in exemplar_rows(study, layer))
    order = [*exemplars, *(i for i in range(len(study.samples)) if i not in exemplars)]
    budget, images = max_mb * 1e6, {}
    for i in order:
        if not study.samples[i].image:
            continue
        budget -= len(study.samples[i].image) * 4 / 3
        if budget < 0 and i not in exemplars:
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
