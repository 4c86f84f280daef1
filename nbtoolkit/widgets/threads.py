"""Threads of a study as the page reads them: per layer the thread of each concept, its similarity, and the null."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

import numpy as np

from .. import metrics
from ..errors import MethodError
from ..storage.study import Study

if TYPE_CHECKING:
    from ..metrics.across_layers import Threads

_results: WeakKeyDictionary[Study, Any] = WeakKeyDictionary()  # threads, or the reason why there are none


def threads_of(study: Study) -> Threads | None:
    """Threads of a study, computed once; None where a dictionary is too large.

    Parameters
    ----------
    study
        The study.
    """
    result = _result(study)
    return None if isinstance(result, str) else result


def _result(study: Study) -> Threads | str:
    """Threads, or the reason why there are none."""
    if study not in _results:
        try:
            _results[study] = metrics.threads(study)
        except MethodError as error:
            _results[study] = str(error)
    result: Threads | str = _results[study]
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
        before, None where it begins; ``nulls``: per layer, of the matching with the layer before; ``reason``, why there are
        no threads, or None.
    """
    result = _result(study)
    if isinstance(result, str):
        return {"of": {}, "similarity": {}, "nulls": {}, "reason": result}
    nulls = (None, *(m.null for m in result.matches))
    return {
        "of": {str(layer): result.of(layer).tolist() for layer in result.layers},
        "similarity": {str(layer): numbers(result.similarity_to_previous(layer)) for layer in result.layers},
        "nulls": {str(layer): rounded(null) for layer, null in zip(result.layers, nulls, strict=True)},
        "reason": None,
    }


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
    own = labels.get(f"{layer}:{concept}", "")
    if own or threads is None or not labels:
        return own
    members = threads.members(int(threads.of(layer)[concept]))
    nearest = sorted(members, key=lambda other: (abs(other - layer), other))
    return next((labels[key] for at in nearest if (key := f"{at}:{members[at]}") in labels), "")
