"""Parts of the residual stream at the positions that predict a word: what each layer, head and neuron adds there."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from ..errors import ModelError
from ..models.adapter import Model
from ..models.anatomy import branches, neuron_matrix, output_projection
from ..models.replay import replay
from ..models.sums import residual_sums
from ..models.taps import Attention, require_layers, tap
from ..targets.target import Target


@dataclass
class Matrix:
    """A matrix that writes to the residual stream, what it read, what it wrote, and what of that entered the stream.

    Attributes
    ----------
    module
        The matrix.
    before, after : (n_rows, width), (n_rows, d_model)
        Its input and its output, float32.
    """

    module: Any
    before: Tensor = field(default_factory=lambda: torch.empty(0))
    after: Tensor = field(default_factory=lambda: torch.empty(0))


@dataclass
class Parts:
    """What enters the residual stream at some positions, by layer, float64 on the CPU.

    Attributes
    ----------
    rows
        The positions.
    added
        Kind (``"embedding"``, ``"attention"``, ``"cross-attention"``, ``"mlp"``, ``"deepstack"``) to layer to what enters there,
        (n_rows, d_model).
    matrices
        Layer to the matrix that was read: the output projection of the attention, or the last one of the MLP.
    attention
        Rows and values of the tap; empty where they were not read.
    """

    rows: list[int]
    added: dict[str, dict[int, Tensor]]
    matrices: dict[int, Matrix]
    attention: Attention


def read_parts(target: Target, rows: Sequence[int], unit: str, layers: Sequence[int]) -> Parts:
    """Read the parts while the blocks are called again with the arguments of the target's pass.

    Parameters
    ----------
    target
        The target.
    rows
        Positions.
    unit
        ``"layer"``, ``"head"``, ``"neuron"`` or ``"patch"``.
    layers
        Layers whose heads or neurons to read.

    Raises
    ------
    ModelError
        Attention and MLP do not sum to what a block adds, or the parts have no known names.
    """
    model, recording = target.model, target.recording
    if model.parts_sum is False:
        raise ModelError(
            f"Attention and MLP of {model.name} do not sum to what its blocks add to the residual stream (a norm or a factor after the "
            "sum), so its logits have no parts. Use occlusion or integrated gradients."
        )
    parts = Parts(list(rows), {}, {}, Attention())

    def rows_of(states: Tensor) -> Tensor:
        return states.detach().reshape(-1, states.shape[-1])[parts.rows].double().cpu()

    parts.added["embedding"] = {0: rows_of(recording.stream[0])}
    if recording.between:
        parts.added["deepstack"] = {layer: rows_of(states) for layer, states in recording.between.items()}
    with contextlib.ExitStack() as stack:
        for layer, block in enumerate(model.blocks, 1):
            _follow(stack, parts, layer, block, rows_of)
            if unit != "layer" and layer in layers:
                _watch(stack, parts, layer, _matrix(model, layer, block, unit))
        if unit == "patch":
            parts.attention = stack.enter_context(tap(model, parts.rows, layers=layers, values=True))
        replay(model, recording, 0, recording.stream[0])
    if unit == "patch":
        require_layers(parts.attention, model, layers)
    return parts


def _follow(
    stack: contextlib.ExitStack, parts: Parts, layer: int, block: nn.Module, rows_of: Callable[[Tensor], Tensor]
) -> None:
    """Store what a block's attention, cross-attention and MLP add where they enter the residual sum."""

    def store(kinds: Sequence[str]) -> Callable[[int, Tensor], None]:
        def visit(order: int, states: Tensor) -> None:
            kind = kinds[min(order, len(kinds) - 1)]
            of_kind, own = parts.added.setdefault(kind, {}), rows_of(states)
            of_kind[layer] = of_kind[layer] + own if layer in of_kind else own

        return visit

    for kind, names in (("attention", ("attention", "cross-attention")), ("mlp", ("mlp",))):
        stack.enter_context(residual_sums(block, branches(block, kind), store(names)))


def _watch(stack: contextlib.ExitStack, parts: Parts, layer: int, module: nn.Module) -> None:
    matrix = parts.matrices[layer] = Matrix(module)

    def hook(_module: Any, args: Any, output: Tensor) -> None:
        matrix.before = args[0].detach().reshape(-1, args[0].shape[-1])[parts.rows].float()
        matrix.after = output.detach().reshape(-1, output.shape[-1])[parts.rows].float()

    stack.callback(module.register_forward_hook(hook).remove)


def _matrix(model: Model, layer: int, block: nn.Module, unit: str) -> nn.Module:
    """The matrix whose input is the heads, or the neurons, of a block."""
    return output_projection(block, model.n_heads) if unit != "neuron" else neuron_matrix(model, layer)
