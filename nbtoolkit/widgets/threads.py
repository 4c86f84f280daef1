"""Threads of a study as the page reads them: per layer the thread of each concept, its similarity, and the null."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

import numpy as np

from .. import metrics
from ..errors import MethodError
from ..metrics.thread_colours import thread_colours
from ..storage.study import Study
from ..types import ConceptDictionary
from ..types.colours import THREADS

if TYPE_CHECKING:
    from ..metrics.across_layers import Threads

MAX_MATCHES = 2000  # concepts of all pairs of layers that a page carries

# by the first dictionary, which a study with other labels shares: the other dictionaries, and the threads or the reason why
# there are none
_results: WeakKeyDictionary[ConceptDictionary, tuple[tuple[ConceptDictionary, ...], Threads | str | None]] = (
    WeakKeyDictionary()
)
_palettes: WeakKeyDictionary[Threads, list[int]] = WeakKeyDictionary()
# matches of two dictionaries, as a page gets them
_matches: WeakKeyDictionary[ConceptDictionary, WeakKeyDictionary[ConceptDictionary, dict[str, Any]]] = (
    WeakKeyDictionary()
)


def threads_of(study: Study) -> Threads | None:
    """Threads of a study, computed once; None where a dictionary is too large.

    Parameters
    ----------
    study
        The study.
    """
    result = _result(study)
    return None if isinstance(result, str) else result


def is_ready(study: Study) -> bool:
    """Whether the threads of a study are computed.

    Parameters
    ----------
    study
        The study.
    """
    return _cached(study) is not None


def _cached(study: Study) -> Threads | str | None:
    first, *others = study.dictionaries.values()
    dictionaries, result = _results.get(first, ((), None))
    same = len(dictionaries) == len(others) and all(a is b for a, b in zip(dictionaries, others, strict=True))
    return result if same else None


def _result(study: Study) -> Threads | str:
    """Threads, or the reason why there are none."""
    result = _cached(study)
    if result is None:
        try:
            result = metrics.threads(study)
        except MethodError as error:
            result = str(error)
        first, *others = study.dictionaries.values()
        _results[first] = (tuple(others), result)
    return result


def payload(study: Study) -> dict[str, Any]:
    """Threads for the page.

    Parameters
    ----------
    study
        The study.

    Returns
    -------
    dict
        ``of``: per layer the thread of each concept (-1 without one); ``similarity``: with the same thread in the layer
        before, None where it begins; ``nulls``: per layer, of the matching with the layer before; ``colours``: of each thread,
        as numbers of the palette; ``reason``, why there are no threads, or None.
    """
    result = _result(study)
    if isinstance(result, str):
        return {"of": {}, "similarity": {}, "nulls": {}, "colours": [], "reason": result}
    nulls = (None, *(m.null for m in result.matches))
    return {
        "of": {str(layer): result.of(layer).tolist() for layer in result.layers},
        "similarity": {str(layer): numbers(result.similarity_to_previous(layer)) for layer in result.layers},
        "nulls": {str(layer): rounded(null) for layer, null in zip(result.layers, nulls, strict=True)},
        "colours": _colours(study, result),
        "reason": None,
    }


def matches(study: Study, layer: int, other: int) -> dict[str, Any]:
    """Matches of the concepts of two layers for the page, one to one.

    Parameters
    ----------
    study
        The study.
    layer, other
        Two of its layers.

    Returns
    -------
    dict
        ``partners``: per concept of ``layer`` its partner in ``other``, -1 without one; ``similarity`` with it, None without
        one; ``null``, above which two are linked; ``n``, the number of common samples.
    """
    one, two = study.dictionary(layer), study.dictionary(other)
    memory = _matches.setdefault(one, WeakKeyDictionary())
    if two not in memory:
        match = metrics.match_layers(one, two)
        memory[two] = {
            "partners": match.partners.tolist(),
            "similarity": numbers(match.similarity),
            "null": rounded(match.null),
            "n": match.n_samples,
        }
    return dict(memory[two])


def all_matches(study: Study) -> dict[str, Any]:
    """Matches of all pairs of layers for a page without a kernel; of neighbours only, where these are many.

    Parameters
    ----------
    study
        The study.

    Returns
    -------
    dict
        ``"layer:other"`` to :func:`matches`; empty where a dictionary is too large.
    """
    if threads_of(study) is None:
        return {}
    layers = study.layers
    pairs = [(a, b) for a in layers for b in layers if a != b]
    if sum(study.dictionary(a).n_concepts for a, _ in pairs) > MAX_MATCHES:
        pairs = [(a, b) for a, b in pairs if abs(layers.index(a) - layers.index(b)) == 1]
    return {f"{a}:{b}": matches(study, a, b) for a, b in pairs}


def rounded(value: float | None) -> float | None:
    """Rounded to three digits; None where undefined.

    Parameters
    ----------
    value
        The value.
    """
    return None if value is None or not np.isfinite(value) else round(float(value), 3)


def numbers(values: np.ndarray) -> list[float | None]:
    """Rounded values; None where undefined.

    Parameters
    ----------
    values
        (n,)
    """
    return [rounded(v) for v in values.tolist()]


def name_of(labels: Mapping[str, str], threads: Threads | None, layer: int, concept: int) -> str:
    """Name that a reader gave a concept: its own, else that of its thread in the nearest layer, else an empty text.

    Parameters
    ----------
    labels
        Names of concepts, ``"layer:concept"`` to the name.
    threads
        The threads; None where concepts are not followed.
    layer
        Layer of the concept.
    concept
        Its row in the dictionary.
    """
    return labels.get(f"{layer}:{concept}", "") if threads is None else threads.given_name(labels, layer, concept)


def names(study: Study, layer: int) -> list[str]:
    """What the concepts of a layer are called: names that a reader gave them or their threads, else automatic ones.

    Parameters
    ----------
    study
        The study, with its labels.
    layer
        One of its layers.
    """
    return [given_name(study, layer, k) or name for k, name in enumerate(study.names(layer, labels={}))]


def colour(study: Study, layer: int, concept: int) -> str:
    """Colour of a concept: that of its thread; before threads are computed, by its number.

    Parameters
    ----------
    study
        The study.
    layer
        One of its layers.
    concept
        Row of the concept.
    """
    result = threads_of(study) if is_ready(study) else None
    thread = None if result is None else result.thread(layer, concept)
    if result is None or thread is None:
        return THREADS[concept % len(THREADS)]
    return THREADS[_colours(study, result)[thread]]


def _colours(study: Study, threads: Threads) -> list[int]:
    """Colours of threads as numbers of the palette, computed once."""
    if threads not in _palettes:
        _palettes[threads] = thread_colours(study, threads, len(THREADS))
    return _palettes[threads]


def given_name(study: Study, layer: int, concept: int) -> str:
    """Name that a reader gave a concept of a study, or its thread in another layer; else an empty text.

    Parameters
    ----------
    study
        The study, with its labels.
    layer
        Layer of the concept.
    concept
        Its row in the dictionary.
    """
    return name_of(study.labels, threads_of(study) if study.labels else None, layer, concept)
