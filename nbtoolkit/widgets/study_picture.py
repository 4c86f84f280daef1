"""What the picture of a view of a study shows: the selected layer's concepts, the selected image and its activations."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..storage.study import Sample, Study
from . import payloads, threads
from .concept_lists import N_PER_SAMPLE, energy
from .photograph_view import selected_photo
from .picture import N_CARDS, N_TILES, Card, Picture


def study_picture(view: Any) -> Picture:
    """Arrange the picture of a view's present state.

    Parameters
    ----------
    view
        A :class:`nbtoolkit.widgets.study_view.StudyView`.
    """
    study, layer = view.study, view.layer
    cd = study.dictionary(layer)
    sample, strengths, rest = selected_photo(view) or _selected(study, layer, view.sample)
    strongest = [int(k) for k in np.argsort(-np.abs(strengths), kind="stable")[:N_PER_SAMPLE] if strengths[k]]
    names = threads.names(study, layer)
    score, curve = _curve(view)
    return Picture(
        title=f"“{study.token}”",
        about=f"layer {layer} of {study.representations.n_layers} · {payloads.short(study.source.model)} · "
        f"{len(study.samples)} images · {cd.n_concepts} concepts by {cd.method}",
        cards=[_card(study, layer, k, names[k]) for k in _listed(study, layer, view.concept)],
        curve=curve,
        at=[i for i, v in zip(study.layers, curve, strict=False) if v is not None].index(layer) if score else 0,
        score=score,
        sample=sample,
        bars=[(names[k], float(strengths[k]), threads.colour(study, layer, k)) for k in strongest],
        rest=rest if rest is not None and np.isfinite(rest) else None,
    )


def _selected(study: Study, layer: int, sample: str | None) -> tuple[Sample | None, np.ndarray, float | None]:
    """The selected sample of the study, its activations, and the unexplained share."""
    cd, row = study.dictionary(layer), None if sample is None else study.rows.get(sample)
    if row is None:
        return None, np.zeros(cd.n_concepts), None
    rest = None if cd.decoder is None or cd.unexplained is None else float(cd.unexplained[row])
    return study.samples[row], np.nan_to_num(cd.activations[row]), rest


def _listed(study: Study, layer: int, selected: int | None) -> list[int]:
    """The strongest concepts of a layer, with the selected one among them."""
    order = [int(k) for k in np.argsort(-energy(study.dictionary(layer)), kind="stable")]
    rows = order[:N_CARDS]
    if selected is not None and selected < len(order) and selected not in rows:
        rows[-1:] = [selected]
    return rows


def _card(study: Study, layer: int, k: int, name: str) -> Card:
    g, total = study.grounding(layer), energy(study.dictionary(layer))
    words = " · ".join(w for w in g.words[k] if w != name)
    samples = [study.sample(i) for i in g.exemplars[k] if i in study.rows][:N_TILES]
    share = 100 * round(float(total[k] / max(total.sum(), 1e-30)), 4)  # as the cards of the page round it
    return Card(name, words, samples, f"{share:.{int(share < 10)}f} %", threads.colour(study, layer, k))


def _curve(view: Any) -> tuple[str, list[float | None]]:
    """Text and values of the score that the view shows; the first one where it shows several."""
    curves = view._meta.get("metrics", [])
    names = [c["name"] for c in curves]
    chosen = curves[names.index(view.metric)] if view.metric in names else (curves or [None])[0]
    if chosen is None:
        return "", []
    value = chosen["values"][view.study.layers.index(view.layer)]
    return (f"{chosen['label']} {value:.2f}" if value is not None else ""), chosen["values"]
