"""Fitted scikit-learn estimators as plain arrays and JSON: nothing is pickled, nothing foreign is imported.

An estimator is written as its class path, its parameters and its fitted attributes; only classes of
``sklearn`` and ``nbtoolkit`` that have a ``transform`` are built again.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import Any

import numpy as np

from .errors import StudyError

_TRUSTED = ("sklearn", "nbtoolkit")


def dump_encoder(estimator: Any) -> tuple[dict[str, Any] | None, dict[str, np.ndarray]]:
    """Describe a fitted estimator: JSON-ready facts, and its arrays by name.

    Returns
    -------
    (None, {})
        Where the estimator is not of scikit-learn or nbtoolkit: it would not be built again on opening.
    """
    if isinstance(estimator, _LazyEncoder):
        estimator = estimator.unwrap()
    kind = type(estimator)
    if estimator is None or kind.__module__.split(".")[0] not in _TRUSTED:
        return None, {}
    simple: dict[str, Any] = {}
    arrays: dict[str, np.ndarray] = {}
    for name, value in vars(estimator).items():
        if isinstance(value, np.ndarray) and value.dtype.kind in "fiub":
            arrays[f"encoder.{name}"] = value
        elif isinstance(value, np.generic):
            simple[name] = value.item()
        elif isinstance(value, str | int | float | bool | type(None)):
            simple[name] = value
    return {"class": f"{kind.__module__}.{kind.__qualname__}", "attributes": simple}, arrays


def load_encoder(description: Mapping[str, Any] | None, arrays: Mapping[str, np.ndarray]) -> Any:
    """Build a fitted estimator again, lazily: scikit-learn is imported when it is first used."""
    return None if description is None else _LazyEncoder(description, arrays)


class _LazyEncoder:
    """Stands for an estimator until it is asked for something."""

    def __init__(self, description: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> None:
        self._description, self._arrays, self._built = description, arrays, None

    def unwrap(self) -> Any:
        if self._built is None:
            self._built = _build(self._description, self._arrays)
        return self._built

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return getattr(self.unwrap(), name)


def _build(description: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> Any:
    module, _, name = str(description["class"]).rpartition(".")
    if module.split(".")[0] not in _TRUSTED:
        raise StudyError(
            f"This study names the encoder {description['class']!r}; only encoders of scikit-learn and nbtoolkit are opened."
        )
    kind = getattr(importlib.import_module(module), name, None)
    if not (isinstance(kind, type) and hasattr(kind, "transform") and hasattr(kind, "get_params")):
        raise StudyError(
            f"This study names the encoder {description['class']!r}, which is no transformer of the installed version."
        )
    estimator: Any = object.__new__(kind)
    estimator.__dict__.update(description["attributes"])
    estimator.__dict__.update({k.removeprefix("encoder."): v for k, v in arrays.items() if k.startswith("encoder.")})
    return estimator
