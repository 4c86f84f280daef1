"""Messages to the page: text as JSON, arrays as bytes, images as JPEG. No widget and no torch in here."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..storage.study import Sample, Study
from ..types import ConceptDictionary
from ..types.nulls import CONSTANT_WORD, RANDOM_WORDS, SHUFFLED_WORDS
from .concept_lists import N_LISTED, concepts_of, energy, strongest, strongest_per_sample
from .thumbnails import aspect, pictured, strip

N_TOP = 6  # concepts that summarize a layer before it is selected
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
        "pictured": any(pictured(s) for s in study.samples),
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
        ``ids`` of the samples, ``concepts`` per layer (of a large dictionary those that a page without a kernel can need),
        ``captions`` per sample row.
    """
    concepts = {}
    for layer in study.layers:
        cd = study.dictionary(layer)
        concepts[str(layer)] = concepts_of(study, layer, strongest_per_sample(cd, strongest(cd)))
    return {
        "ids": list(study.rows),
        "concepts": concepts,
        "captions": {str(i): s.caption for i, s in enumerate(study.samples)},
    }


def one_layer(study: Study, layer: int) -> dict[str, Any]:
    """The ``concepts`` of a layer, and the ``captions`` of their exemplars per sample row.

    Of a large dictionary, the strongest concepts: a view requests further ones by number or by a search.

    Parameters
    ----------
    study
        The study.
    layer
        One of its layers.
    """
    return some_concepts(study, layer, strongest(study.dictionary(layer)))


def some_concepts(study: Study, layer: int, numbers: Sequence[int]) -> dict[str, Any]:
    """Some concepts of a layer, as :func:`one_layer` gives them.

    Parameters
    ----------
    study
        The study.
    layer
        One of its layers.
    numbers
        Rows of the concepts.
    """
    exemplars = study.grounding(layer).exemplars
    rows = sorted({study.rows[i] for k in numbers for i in exemplars[k] if i in study.rows})
    return {
        "concepts": concepts_of(study, layer, numbers),
        "captions": {str(i): study.samples[i].caption for i in rows},
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
    exemplars = (i for group in study.grounding(layer).exemplars for i in group)
    return sorted({study.rows[i] for i in exemplars if i in study.rows})


def _top(study: Study, layer: int) -> list[tuple[int, str]]:
    """The strongest concepts of a layer, each with its name."""
    names = study.names(layer, labels={})
    order = np.argsort(-energy(study.dictionary(layer)), kind="stable")[:N_TOP]
    return [(int(k), names[k]) for k in order]


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


def activations(
    cd: ConceptDictionary, start: int = 0, max_bytes: int | None = None
) -> tuple[dict[str, Any], list[bytes]]:
    """Activations (n_samples, n_concepts) and unexplained shares (n_samples,) of some rows; NaN where a share is undefined.

    Parameters
    ----------
    cd
        The dictionary of a layer.
    start
        First row.
    max_bytes
        Largest size of the activations (one row at least is given); all rows that follow if None.

    Returns
    -------
    dict, list of bytes
        ``shape`` of the whole and ``dtype``; both arrays as float32 bytes. Of a large dictionary with mostly zeros the first
        has only the others, and two arrays follow: their concepts, and their number per row (int32).
    """
    rest = None if cd.decoder is None else cd.unexplained
    rest = np.zeros(len(cd.sample_ids)) if rest is None else np.where(np.isfinite(rest), rest, np.nan)
    about = {"shape": list(cd.activations.shape), "dtype": "float32"}
    used = np.count_nonzero(cd.activations[start:], axis=1)
    sparse = cd.n_concepts > N_LISTED and 4 * used.sum() < used.size * cd.n_concepts
    sizes = np.cumsum(used * 8 if sparse else np.full(used.size, 4 * cd.n_concepts))
    n = used.size if max_bytes is None else max(1, int(np.searchsorted(sizes, max_bytes, "right")))
    V, rest = cd.activations[start : start + n], rest[start : start + n]
    if not sparse:
        return about, [np.ascontiguousarray(a, "<f4").tobytes() for a in (V, rest)]
    rows, concepts = np.nonzero(V)
    parts = ((V[rows, concepts], "<f4"), (rest, "<f4"), (concepts, "<i4"), (used[:n], "<i4"))
    return about, [np.ascontiguousarray(a, kind).tobytes() for a, kind in parts]


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
        "pictured": pictured(sample),
    }


def embedded(study: Study) -> dict[str, Any]:
    """Bulk data of a page without a kernel, but for the images.

    Parameters
    ----------
    study
        The study.

    Returns
    -------
    dict
        All ``activations`` per layer (bytes as base64), and ``facts`` per sample row.
    """
    values = {}
    for layer in study.layers:
        about, buffers = activations(study.dictionary(layer))
        values[str(layer)] = {**about, "buffers": [base64.b64encode(b).decode() for b in buffers]}
    return {"activations": values, "facts": [sample_facts(s) for s in study.samples]}
