"""Replay: the blocks after a layer, called with the arguments that they had in one recorded pass, on edited states.

A replay skips the vision tower, the merge of the modalities and everything before the layer. Between the blocks of some
families something is added (deepstack adds features of the image again); what was added in the recorded pass is added
in the replay too, which is exact where it does not depend on the states: :func:`replay_from` measures where it does.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ..errors import LayerError, ModelError
from .adapter import Model
from .attention_calls import attention_function
from .hooks import input_states, output_states, watching
from .inference import evaluating, fitting_threads, inference

CACHES = ("cache", "past_key_values", "past_key_value", "layer_past")  # a replay is no step of a generation
TOLERANCE = 64  # roundings that two ways to the same states may differ by, relative to the largest entry


@dataclass(frozen=True, eq=False)
class Recording:
    """One forward pass: the residual stream, and what every block was called with.

    Attributes
    ----------
    stream : (n_layers + 1, n, positions, d_model)
        Layer 0 is the input of the first block, layer l the output of block l; one tensor per layer.
    calls
        Arguments of each block besides the states, and keyword arguments.
    between
        Layer to what the model adds to its states before the next block is called, (n, positions, d_model).
    logits : (n, n_vocabulary)
        The model's own logits at the last position.
    conditions
        Attention function, device and number format of the pass, which the arguments of the blocks depend on.
    """

    stream: tuple[Tensor, ...]
    calls: tuple[tuple[tuple[Any, ...], Mapping[str, Any]], ...]
    between: Mapping[int, Tensor]
    logits: Tensor
    conditions: tuple[str, str, str]

    @property
    def n_positions(self) -> int:
        """Number of positions in the residual stream."""
        return int(self.stream[0].shape[1])


def record(model: Model, inputs: Mapping[str, Any]) -> Recording:
    """Run one forward pass, and keep its residual stream and the arguments of its blocks.

    Parameters
    ----------
    model
        The model.
    inputs
        From :meth:`nbtoolkit.models.Model.extend`.

    Raises
    ------
    ModelError
        A block is not called exactly once.
    """
    before: list[Tensor] = []
    after: list[Tensor] = []
    calls: list[tuple[tuple[Any, ...], dict[str, Any]]] = []

    def enter(_block: Any, args: Any, kwargs: Any) -> None:
        before.append(input_states(args, kwargs).detach())
        calls.append(
            (tuple(args[1:]), {k: _argument(k, v, len(before[-1])) for k, v in kwargs.items() if k != "hidden_states"})
        )

    handles = [block.register_forward_pre_hook(enter, with_kwargs=True) for block in model.blocks]
    handles += [
        block.register_forward_hook(lambda _b, _a, output: after.append(output_states(output).detach()))
        for block in model.blocks
    ]
    try:
        # tensors of inference mode could not be differentiated through
        with evaluating(model.hf), fitting_threads(model.hf), torch.inference_mode(False), torch.no_grad():
            logits = model.hf(**inputs, **model._last_logits, use_cache=False).logits[:, -1].detach().clone()
    finally:
        for handle in handles:
            handle.remove()
    if not len(before) == len(after) == model.n_layers:
        raise ModelError(
            f"The {model.n_layers} blocks of {model.name} were called {len(after)} times in one pass; expected once each. "
            "Instruments that continue a pass from a layer need that."
        )
    between = {
        layer: before[layer] - after[layer - 1]
        for layer in range(1, model.n_layers)
        if not torch.equal(before[layer], after[layer - 1])
    }
    return Recording((before[0], *after), tuple(calls), between, logits, conditions(model))


def replay(
    model: Model,
    recording: Recording,
    layer: int,
    states: Tensor,
    *,
    until: int | None = None,
    visit: Callable[[int, Tensor], Tensor] | None = None,
    gradient: bool = False,
) -> Tensor:
    """States of the last layer when states replace the recorded ones after a layer, batched.

    Parameters
    ----------
    model
        The model.
    recording
        Of :func:`record`, of one row.
    layer
        The layer, 0 … n_layers - 1, at least :func:`replay_from`.
    states : (n, positions, d_model)
        Edited states of the layer.
    until
        Layer whose states to return; the last where None.
    visit
        Function of every later layer and its states, which gives the states that the next block gets.
    gradient
        Record gradients.

    Returns
    -------
    (n, positions, d_model) Tensor

    Raises
    ------
    ModelError
        The model computes its attention in another way than in the recorded pass, or has moved.
    """
    _check_conditions(model, recording)
    n = len(states)
    with inference(model.hf, gradient=gradient):
        for i in range(layer, model.n_layers if until is None else until):
            if i in recording.between:
                states = states + _expanded(recording.between[i], n, gradient)
            args, kwargs = recording.calls[i]
            own = {k: _expanded(v, n, gradient) for k, v in kwargs.items()}
            states = output_states(model.blocks[i](states, *(_expanded(a, n, gradient) for a in args), **own))
            states = states if visit is None else visit(i + 1, states)
    return states


def replay_from(model: Model, inputs: Mapping[str, Any], recording: Recording) -> int:
    """First layer from which a replay equals the model, measured: the same edit, in a replay and in a whole pass.

    Parameters
    ----------
    model
        The model.
    inputs, recording
        A pass of one row.

    Raises
    ------
    ModelError
        There is none.
    """
    generator = torch.Generator().manual_seed(0)
    worst = 0.0
    layers = sorted({0, *recording.between, model.n_layers - 1})
    for layer in layers:
        own = recording.stream[layer]
        noise = torch.randn(own.shape, generator=generator).to(own.device, own.dtype)
        edited = own + noise * own.float().std().to(own.dtype)
        last: list[Tensor] = []

        def visit(here: int, hidden: Tensor, layer: int = layer, edited: Tensor = edited, last: Any = last) -> Any:
            if here == model.n_layers:
                last.append(hidden.detach())
            return edited if here == layer else None

        with watching(model.blocks, visit), inference(model.hf):
            model.hf(**inputs, **model._last_logits, use_cache=False)
        gap = (replay(model, recording, layer, edited) - last[0]).abs().max() / last[0].abs().max().clamp_min(1e-30)
        worst = float(gap)
        if worst <= TOLERANCE * torch.finfo(own.dtype).eps:
            return layer
    raise ModelError(
        f"The blocks of {model.name}, called with the arguments of a recorded pass, give other states than the model (relative "
        f"difference {worst:.2g}). Occlusion, patching and gradients need that; the logit lens does not."
    )


def conditions(model: Model) -> tuple[str, str, str]:
    """Attention function, device and number format of a model.

    Parameters
    ----------
    model
        The model.
    """
    return attention_function(model), str(model.device), str(model.hf.dtype)


def check_layer(layer: int, first: int, model: Model) -> int:
    """A layer from which a replay equals the model.

    Parameters
    ----------
    layer
        The layer.
    first
        Of :func:`replay_from`.
    model
        The model.

    Raises
    ------
    LayerError
        It lies before.
    """
    if layer < first:
        raise LayerError(
            f"layer is {layer}; a pass of {model.name} can be continued from layer {first} on, because the model adds the image "
            f"again between the blocks before. Choose a layer from {first}."
        )
    return layer


def _check_conditions(model: Model, recording: Recording) -> None:
    now = conditions(model)
    if now != recording.conditions:
        raise ModelError(
            f"{model.name} computes {' '.join(now)}, and the pass was recorded with {' '.join(recording.conditions)} (attention function, "
            "device, number format); expected the same, as masks are made for one of them. Make the target again."
        )


def _argument(name: str, value: Any, n: int) -> Any:
    """Keyword argument of a block for a replay: no cache; the tiles of a row's image side by side."""
    if name in CACHES:
        return None
    if name == "use_cache":
        return False
    return value.reshape(n, -1, value.shape[-1]) if name == "cross_attention_states" and value is not None else value


def _expanded(value: Any, n: int, gradient: bool = False) -> Any:
    """An argument of one row for n rows, where a model does not broadcast it itself; a copy that autograd may keep."""
    if isinstance(value, Tensor):
        value = value.clone() if gradient and value.is_inference() else value
        return value.expand(n, *value.shape[1:]) if value.ndim >= 3 and len(value) == 1 and n > 1 else value
    if isinstance(value, tuple | list) and not hasattr(value, "_fields"):
        return type(value)(_expanded(v, n, gradient) for v in value)
    return value


def rows(recording: Recording, indices: Sequence[int]) -> Recording:
    """Part of a recording with several rows.

    Parameters
    ----------
    recording
        Of :func:`record`.
    indices
        Its rows.
    """

    def part(value: Any, n: int) -> Any:
        if isinstance(value, Tensor) and value.ndim >= 2 and len(value) == n:
            return value[list(indices)]
        if isinstance(value, tuple | list):
            return type(value)(part(v, n) for v in value)
        return value

    n = len(recording.stream[0])
    calls = tuple((part(args, n), {k: part(v, n) for k, v in kwargs.items()}) for args, kwargs in recording.calls)
    between = {layer: part(states, n) for layer, states in recording.between.items()}
    stream = tuple(part(states, n) for states in recording.stream)
    return Recording(stream, calls, between, recording.logits[list(indices)], recording.conditions)
