"""Patch and steer the residual stream: context managers on plain hooks."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..errors import MethodError
from ..models.adapter import Model
from ..models.hooks import watching
from ..types import resolve_layer, resolve_layers
from ..types.arguments import checked, checked_array
from ..types.rules import Rule
from .places import Places


@checked
@contextlib.contextmanager
def patch(model: Model, layer: int, states: Any, positions: Sequence[int] | None = None) -> Iterator[None]:
    """Replace the residual stream after a layer.

    Parameters
    ----------
    model
        The model.
    layer
        0 … n_layers, or negative.
    states : (n, positions, d_model)
        The new states, on any device.
    positions
        Their positions, counted from the first position of the prompt; all of them where not given, and then the pass
        must be as long as ``states``. Positions that a pass does not have, as in the cached steps of a generation, are
        unchanged. One generation per block.

    Raises
    ------
    LayerError
        A layer that the model does not have.
    MethodError
        A shape that does not match; from inside the pass where only it can be checked.

    References
    ----------
    Activation patching: Vig et al., "Investigating gender bias in language models using causal mediation analysis",
    NeurIPS 2020, section 3; Meng et al., "Locating and editing factual associations in GPT", NeurIPS 2022, section 2.1.

    Examples
    --------
    >>> import nbtoolkit as nbt
    >>> with nbt.interventions.patch(nbt.load_model("toy"), -1, np.zeros((1, 1, 128)), positions=[5]):
    ...     pass
    """
    index = resolve_layer(layer, model.n_layers)
    new = states if isinstance(states, torch.Tensor) else torch.tensor(checked_array("states", states, Rule()))
    if new.ndim != 3 or new.shape[-1] != model.d_model or (positions is not None and new.shape[1] != len(positions)):
        raise MethodError(
            f"states has shape {tuple(new.shape)}; expected (n, {'positions' if positions is None else len(positions)}, {model.d_model})."
        )
    end = 0  # of the last pass

    def replace(hidden: Tensor) -> Tensor:
        nonlocal end
        begin = end if hidden.shape[1] == 1 else 0  # a cached step continues where the last pass ended
        end = begin + hidden.shape[1]
        offsets = range(hidden.shape[1]) if positions is None else [p - begin for p in positions]
        if positions is None and begin:
            return hidden
        if hidden.shape[0] != new.shape[0] or (positions is None and hidden.shape[1] != new.shape[1]):
            raise MethodError(
                f"states has shape {tuple(new.shape)}, and the pass {tuple(hidden.shape)}; expected the same images and prompt."
            )
        pairs = [(p, k) for k, p in enumerate(offsets) if 0 <= p < hidden.shape[1]]
        if not pairs:
            return hidden
        to, of = (list(side) for side in zip(*pairs, strict=True))
        hidden = hidden.clone()
        hidden[:, to] = new[:, of].to(hidden.device, hidden.dtype)
        return hidden

    with editing(model, {index: replace}):
        yield


@checked
@contextlib.contextmanager
def steer(
    model: Model,
    layers: int | Sequence[int],
    vector: Any,
    scale: float = 1.0,
    positions: Sequence[int] | slice | None = None,
) -> Iterator[None]:
    """Add a vector to the residual stream after layers, at every position and every step, or at some positions.

    Parameters
    ----------
    model
        The model.
    layers
        0 … n_layers, or negative.
    vector : (d_model,)
        For example of :func:`nbtoolkit.interventions.concept_unit` or :func:`nbtoolkit.interventions.difference_of_means`.
    scale
        Factor, no unit.
    positions
        Positions, counted from the first position of the prompt, or a slice such as ``slice(70, None)``; all of them where
        None. The steps of a generation continue the count. One generation per block, of prompts without padding.

    Raises
    ------
    LayerError
        A layer that the model does not have.
    MethodError
        A vector of another shape, or not finite.

    References
    ----------
    Khayatan et al., arXiv 2501.03012, section 5; Rimsky et al., "Steering Llama 2 via contrastive activation
    addition", ACL 2024, section 3.

    Examples
    --------
    >>> import nbtoolkit as nbt
    >>> with nbt.interventions.steer(nbt.load_model("toy"), 3, np.ones(128), scale=0.1):
    ...     pass
    """
    v = as_vector(model, vector)

    def adder() -> Callable[[Tensor], Tensor]:
        place = Places(positions)  # each layer counts its own passes

        def add(hidden: Tensor) -> Tensor:
            added = scale * v.to(hidden.device, hidden.dtype)
            return hidden + (added if positions is None else place.mask(hidden) * added)

        return add

    with editing(model, {layer: adder() for layer in resolve_layers(layers, model.n_layers)}):
        yield


def as_vector(model: Model, vector: Any) -> Tensor:
    """A vector of the residual stream, as a tensor.

    Parameters
    ----------
    model
        The model.
    vector : (d_model,)
        The vector.

    Raises
    ------
    MethodError
        It has another shape, or is not finite.
    """
    is_tensor = isinstance(vector, torch.Tensor)
    v = vector if is_tensor else torch.tensor(checked_array("The vector", vector, Rule()).astype(np.float32))
    if v.shape != (model.d_model,) or not bool(v.isfinite().all()):
        raise MethodError(
            f"The vector has shape {tuple(v.shape)}; expected ({model.d_model},) finite numbers, one per dimension of the stream."
        )
    return v


def editing(model: Model, changes: Mapping[int, Callable[[Tensor], Tensor]]) -> contextlib.AbstractContextManager[None]:
    """Context in which states of layers are replaced.

    Parameters
    ----------
    model
        The model.
    changes
        Layer to a function of its states.
    """
    return watching(model.blocks, lambda layer, hidden: changes[layer](hidden) if layer in changes else None)
