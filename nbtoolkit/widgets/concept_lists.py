"""Concepts as the page lists them; of a large dictionary the strongest ones, and others by number or search."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ..metrics.sparsity import energy
from ..storage.study import Study
from ..types import ConceptDictionary, Grounding

N_LISTED = 1000  # concepts of a layer that a page has without a request
N_PER_SAMPLE = 5  # concepts that a page shows of a sample
N_BINS = 14
COSINE, SHARED = 0.9, 0.5  # from which two concepts count as near-duplicates


def strongest(cd: ConceptDictionary) -> list[int]:
    """Rows of the 1,000 concepts of largest energy, ascending; all where there are no more.

    Parameters
    ----------
    cd
        The dictionary.
    """
    if cd.n_concepts <= N_LISTED:
        return list(range(cd.n_concepts))
    return sorted(np.argsort(-energy(cd), kind="stable")[:N_LISTED].tolist())


def part(cd: ConceptDictionary, rows: Sequence[int]) -> ConceptDictionary:
    """Some concepts of a dictionary and their activations; the dictionary itself for all of them.

    Parameters
    ----------
    cd
        The dictionary.
    rows
        Rows of its concepts.
    """
    if len(rows) == cd.n_concepts:
        return cd
    own: Any = {"source": cd.source, "missing_decoder": cd.missing_decoder, "occurrences": cd.occurrences}
    return ConceptDictionary(cd.concepts[rows], cd.activations[:, rows], cd.sample_ids, cd.layer, cd.method, **own)


def strongest_per_sample(cd: ConceptDictionary, numbers: Sequence[int]) -> list[int]:
    """Rows of concepts, and of the five strongest of each sample, ascending.

    Parameters
    ----------
    cd
        The dictionary.
    numbers
        Rows of concepts.
    """
    if len(numbers) == cd.n_concepts:
        return list(numbers)
    top = np.argpartition(-np.abs(cd.activations), N_PER_SAMPLE, axis=1)[:, :N_PER_SAMPLE]
    return sorted({*numbers, *np.unique(top).tolist()})


def search(study: Study, layer: int, query: str, labels: Mapping[str, str]) -> list[int]:
    """Rows of the concepts that match all terms by label, words or captions of exemplars: 1,000 of them.

    Those come first that match without the captions, and of each kind the strongest.

    Parameters
    ----------
    study
        The study.
    layer
        One of its layers.
    query
        Terms, separated by spaces; case is ignored.
    labels
        Names of concepts, ``"layer:concept"`` to the name.
    """
    terms, g = dict.fromkeys(query.lower().split()), study.grounding(layer)
    captions = {s.id: s.caption.lower() for s in study.samples}
    only_captions: dict[int, bool] = {}  # of the concepts that match
    for k, (words, exemplars) in enumerate(zip(g.words, g.exemplars, strict=True)):
        text = " ".join([labels.get(f"{layer}:{k}", ""), *words]).lower()
        others = [term for term in terms if term not in text]
        if others:
            text = " ".join([text, *(captions.get(i, "") for i in exemplars)])
        if all(term in text for term in others):
            only_captions[k] = bool(others)
    rows = np.array([*only_captions], int)
    order = np.lexsort((-energy(study.dictionary(layer))[rows], [*only_captions.values()]))
    return sorted(rows[order][:N_LISTED].tolist())


def concepts_of(study: Study, layer: int, numbers: Sequence[int]) -> list[dict[str, Any]]:
    """Some concepts of a layer: name, words, exemplars, share, histogram, score, and whether another one is nearly the same.

    Parameters
    ----------
    study
        The study.
    layer
        One of its layers.
    numbers
        Rows of the concepts.

    Returns
    -------
    list of dict
        In the order of ``numbers``. With ``k``, the row, and ``n``, the number of all concepts, where these are not all;
        ``signed`` where some activation is negative.
    """
    cd, g, scores = study.dictionary(layer), study.grounding(layer), study.scores.get(layer)
    rows = np.array(numbers, int)
    total, names, V = energy(cd), study.names(layer, labels={}), cd.activations[:, rows]
    strength = np.abs(V)
    share = total / max(total.sum(), 1e-30)
    per_concept = {} if scores is None else scores.per_concept
    clip, null = per_concept.get("clip_score"), per_concept.get("clip_score_random")
    largest = float(np.abs(cd.activations).max(initial=0))
    twin, counts = _twins(cd, g, rows), _histograms(strength, largest)
    active = (strength > 0).mean(0)
    part = len(rows) < cd.n_concepts
    return [
        {
            "name": names[k],
            "words": g.words[k],
            "exemplars": (exemplars := [study.rows[i] for i in g.exemplars[k] if i in study.rows]),
            "values": [_short(V[i, j]) for i in exemplars],
            "share": round(float(share[k]), 4),
            "histogram": counts[j].tolist(),
            "top": _short(largest),
            "active": round(float(active[j]), 4),
            "clip_score": _score(clip, k),
            "clip_null": _score(null, k),
            "twin": twin[j],
            **({"signed": True} if V[:, j].min(initial=0) < 0 else {}),
            **({"k": int(k), "n": cd.n_concepts} if part else {}),
        }
        for j, k in enumerate(rows.tolist())
    ]


def _score(values: np.ndarray | None, k: int) -> float | None:
    """Score of a concept; None where there is none."""
    return None if values is None or not np.isfinite(values[k]) else round(float(values[k]), 3)


def _short(value: float) -> float:
    """A number to four digits, which is what a thumbnail has room for."""
    return float(f"{value:.4g}")


def _histograms(strength: np.ndarray, largest: float) -> np.ndarray:
    """Counts (n, N_BINS) of the nonzero absolute activations, in equal bins from 0 to the largest of the layer."""
    rows, ks = np.nonzero(strength)
    bins = (strength[rows, ks] * (N_BINS / max(largest, 1e-30))).astype(int).clip(max=N_BINS - 1)
    return np.bincount(ks * N_BINS + bins, minlength=strength.shape[1] * N_BINS).reshape(-1, N_BINS)


def _twins(cd: ConceptDictionary, g: Grounding, rows: np.ndarray) -> list[int | None]:
    """Near-duplicate of each concept among the strongest: cosine above 0.9, or more than half of the exemplars in common."""
    others = np.array(strongest(cd), int)
    column = {i: j for j, i in enumerate({i for k in (*rows.tolist(), *others.tolist()) for i in g.exemplars[k]})}

    def unit(ks: np.ndarray) -> np.ndarray:
        return cd.concepts[ks] / np.maximum(np.linalg.norm(cd.concepts[ks], axis=1, keepdims=True), 1e-30)

    def member(ks: np.ndarray) -> np.ndarray:
        values = np.zeros((len(ks), len(column)), np.float32)
        for j, k in enumerate(ks.tolist()):
            values[j, [column[i] for i in g.exemplars[k]]] = 1
        return values

    own = member(rows)
    shared = (own @ member(others).T) / np.maximum(1, own.sum(1, keepdims=True))
    alike = np.maximum((unit(rows) @ unit(others).T) / COSINE, shared / SHARED)
    alike[rows[:, None] == others] = 0
    best = alike.argmax(1)
    return [int(others[i]) if alike[j, i] > 1 else None for j, i in enumerate(best)]
