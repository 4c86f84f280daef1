"""Plain torch hooks that read and replace the residual stream; they are removed when their ``with`` block ends."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

Visitor = Callable[[int, Tensor], Tensor | None]


def output_states(output: Any) -> Tensor:
    """Hidden states (batch, positions, d_model) of what a block or branch returns.

    Parameters
    ----------
    output
        A tensor, or a tuple whose first item is one.
    """
    return output[0] if isinstance(output, tuple) else output


def input_states(args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Tensor:
    """Hidden states (batch, positions, d_model) that a block is called with.

    Parameters
    ----------
    args, kwargs
        The arguments of its call.
    """
    states: Tensor = args[0] if args else kwargs["hidden_states"]
    return states


def _replace(output: Any, states: Tensor) -> Any:
    return (states, *output[1:]) if isinstance(output, tuple) else states


def skip_block(mean: Tensor | None) -> Callable[..., Any]:
    """Make a forward hook with keyword arguments: a block returns its input, plus a mean if one is given.

    Parameters
    ----------
    mean : (d_model,)
        Mean of what the block adds to the residual stream, or None.
    """

    def hook(_module: Any, args: Any, kwargs: Any, output: Any) -> Any:
        states = input_states(args, kwargs)
        return _replace(output, states if mean is None else states + mean.to(states.device, states.dtype))

    return hook


def zero_slices(n: int, indices: Sequence[int]) -> Callable[..., Any]:
    """Make a forward pre-hook: some of n equal slices of the last dimension are set to zero.

    Parameters
    ----------
    n
        Number of slices.
    indices
        The slices to set to zero, counted from 0.
    """

    def hook(_module: Any, args: tuple[Any, ...]) -> tuple[Any, ...]:
        x = args[0].clone()
        x.unflatten(-1, (n, -1))[..., list(indices), :] = 0
        return (x, *args[1:])

    return hook


def zero_entries(indices: Sequence[int]) -> Callable[..., Any]:
    """Make a forward pre-hook: some entries of the last dimension are set to zero.

    Parameters
    ----------
    indices
        The entries, counted from 0.
    """
    places = [int(i) for i in indices]

    def hook(_module: Any, args: tuple[Any, ...]) -> tuple[Any, ...]:
        x = args[0].clone()
        x[..., places] = 0
        return (x, *args[1:])

    return hook


@contextlib.contextmanager
def watching(blocks: nn.ModuleList, visit: Visitor) -> Iterator[None]:
    """Call ``visit(layer, states)`` at every layer of the residual stream in each forward pass.

    Layer 0 is the input of block 0, layer l the raw output of block l. The hooks are removed when the ``with`` block
    ends, also by an error or an interrupt.

    Parameters
    ----------
    blocks
        The decoder blocks.
    visit
        Function of a layer and its states (batch, positions, d_model). If it returns states, they replace the model's.
    """

    def before(_module: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        new = visit(0, input_states(args, kwargs))
        if new is None:
            return None
        return ((new, *args[1:]), kwargs) if args else (args, kwargs | {"hidden_states": new})

    def after(layer: int) -> Callable[..., Any]:
        def hook(_module: Any, _args: Any, output: Any) -> Any:
            new = visit(layer, output_states(output))
            if new is None:
                return None
            return _replace(output, new)

        return hook

    handles = []
    try:
        handles.append(blocks[0].register_forward_pre_hook(before, with_kwargs=True))
        handles += [block.register_forward_hook(after(i)) for i, block in enumerate(blocks, 1)]
        yield
    finally:
        for handle in handles:
            handle.remove()


class LastPosition:
    """A visitor for :func:`watching` that stores the last position's states of every forward pass.

    Parameters
    ----------
    layers
        Layers to store, 0 … n_layers.
    n_steps
        Largest number of forward passes; in generation, the number of new tokens.
    buffer : (len(layers), n_steps, batch, d_model)
        The buffer of an earlier batch, written to again if it is large enough.

    Attributes
    ----------
    buffer : (len(layers), n_steps, batch, d_model)
        float32, on the device of the first states; allocated at the first visit.
    steps
        Number of forward passes so far.
    """

    def __init__(self, layers: Sequence[int], n_steps: int, buffer: Any = None) -> None:
        self.slot = {layer: i for i, layer in enumerate(layers)}
        self.n_steps, self.steps = n_steps, 0
        self.buffer: Any = buffer

    def __call__(self, layer: int, states: Tensor) -> None:
        """Store the last position.

        Parameters
        ----------
        layer
            The layer that is visited.
        states : (batch, positions, d_model)
            Its states.
        """
        if layer == 0:
            self.steps += 1
        if layer in self.slot:
            batch, _, width = states.shape
            if self.buffer is None or self.buffer.shape[2] < batch:
                self.buffer = torch.zeros(
                    len(self.slot), self.n_steps, batch, width, dtype=torch.float32, device=states.device
                )
            self.buffer[self.slot[layer], self.steps - 1, :batch].copy_(states[:, -1].detach())
