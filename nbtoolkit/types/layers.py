"""Layer indices, resolved in one place: negative ones, lists, ``"all"``, and one sentence for whatever is refused."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from ..errors import LayerError
from .rules import described


def resolve_layer(
    layer: Any,
    n_layers: int,
    *,
    available: Sequence[int] | None = None,
    first: int = 0,
    name: str = "layer",
    hint: str = "",
) -> int:
    """Resolve one layer index: 0 is the input of block 0, l the output of block l; -1 is the last layer.

    Parameters
    ----------
    layer
        A whole number (Python's or numpy's), negative ones counting from the last layer.
    n_layers
        Number of blocks of the model.
    available
        The layers that may be named, where not all from ``first`` to ``n_layers`` are.
    first
        Lowest layer that may be named: 0, or 1 where a block is meant.
    name
        Name of the argument, for the message.
    hint
        What to do, appended to the message.

    Raises
    ------
    LayerError
        Not a whole number, out of range, or not available.

    Examples
    --------
    >>> resolve_layer(-1, 5), resolve_layer(np.int64(2), 5)
    (5, 2)
    """
    index = _index(layer, n_layers, available, first)
    if index is None:
        message = f"{name} is {described(layer)}; expected {_rule(n_layers, available, first)}."
        raise LayerError(f"{message} {hint}".rstrip())
    return index


def resolve_layers(
    layers: Any,
    n_layers: int,
    *,
    available: Sequence[int] | None = None,
    first: int = 0,
    ascending: bool = True,
    needed: bool = False,
    name: str = "layers",
    hint: str = "",
) -> tuple[int, ...]:
    """Resolve several layers: a list of indices, one index, or ``"all"``.

    Parameters
    ----------
    layers
        ``"all"``, a whole number, or an iterable of whole numbers; negative ones count from the last layer.
    n_layers, available, first, name, hint
        As for :func:`resolve_layer`.
    ascending
        Return each layer once, in ascending order; otherwise in the given order, repeats included.
    needed
        Refuse an empty list.

    Raises
    ------
    LayerError
        Another type or text, or one of the indices is refused by :func:`resolve_layer`.

    Examples
    --------
    >>> resolve_layers([-1, 2, 2], 5), resolve_layers("all", 2), resolve_layers(3, 5)
    ((2, 5), (0, 1, 2), (3,))
    """
    choice = tuple(range(n_layers + 1)) if available is None else tuple(available)
    if isinstance(layers, str) and layers == "all":
        return tuple(layer for layer in choice if layer >= first)
    single = isinstance(layers, int | np.integer) and not isinstance(layers, bool)
    items = [layers] if single else list(layers) if _is_list(layers) else None
    indices = None if items is None else [_index(layer, n_layers, available, first) for layer in items]
    if indices is None or None in indices or (needed and not indices):
        value = layers if items is None or single else items
        message = (
            f"{name} is {described(value)}; expected 'all', or for each layer {_rule(n_layers, available, first)}."
        )
        raise LayerError(f"{message} {hint}".rstrip())
    resolved = [index for index in indices if index is not None]
    return tuple(sorted(set(resolved))) if ascending else tuple(resolved)


def _is_list(layers: Any) -> bool:
    if isinstance(layers, np.ndarray):
        return layers.ndim == 1
    return isinstance(layers, Iterable) and not isinstance(layers, str | bytes | dict)


def _index(layer: Any, n_layers: int, available: Sequence[int] | None, first: int) -> int | None:
    if isinstance(layer, bool | np.bool_) or not isinstance(layer, int | np.integer):
        return None
    index = int(layer) + n_layers + 1 if layer < 0 else int(layer)
    inside = first <= index <= n_layers if available is None else index in available and index >= first
    return index if inside else None


def _rule(n_layers: int, available: Sequence[int] | None, first: int) -> str:
    if available is None:
        return f"a whole number from {first} to {n_layers}, or a negative one counting from the last (-1 is {n_layers})"
    layers = [layer for layer in available if layer >= first]
    return f"one of the layers {layers}, or a negative number counting from the last (-1 is {n_layers})"
