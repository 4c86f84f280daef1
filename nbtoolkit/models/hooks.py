"""Plain torch hooks that read the residual stream, and are gone when the block ends."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor, nn

Visitor = Callable[[int, "Tensor"], "Tensor | None"]


def hidden(output: Any) -> Tensor:
    """Give the hidden states (batch, positions, d_model) of what a block takes or returns: a tensor, or a tuple that begins with one."""
    return output[0] if isinstance(output, tuple) else output


def entering(args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Tensor:
    """Give the hidden states that a block is called with."""
    states: Tensor = args[0] if args else kwargs["hidden_states"]
    return states


def _instead(output: Any, states: Tensor) -> Any:
    return (states, *output[1:]) if isinstance(output, tuple) else states


def passing_on(mean: Tensor | None) -> Callable[..., Any]:
    """Make a forward hook with keyword arguments: a block returns what it was given, plus a mean where there is one."""

    def hook(_module: Any, args: Any, kwargs: Any, output: Any) -> Any:
        states = entering(args, kwargs)
        return _instead(output, states if mean is None else states + mean.to(states.device, states.dtype))

    return hook


def giving(mean: Tensor | None) -> Callable[..., Any]:
    """Make a forward hook: a branch returns zeros, or a mean at every position."""

    def hook(_module: Any, _args: Any, output: Any) -> Any:
        was = hidden(output)
        nothing = was.new_zeros(was.shape)
        return _instead(output, nothing if mean is None else nothing + mean.to(was.device, was.dtype))

    return hook


def without_slices(n: int, chosen: Sequence[int]) -> Callable[..., Any]:
    """Make a forward pre-hook: of n equal slices of the last dimension, the chosen ones are zero."""

    def hook(_module: Any, args: tuple[Any, ...]) -> tuple[Any, ...]:
        x = args[0].clone()
        x.unflatten(-1, (n, -1))[..., list(chosen), :] = 0
        return (x, *args[1:])

    return hook


@contextlib.contextmanager
def watching(blocks: nn.ModuleList, visit: Visitor) -> Iterator[None]:
    """Call ``visit(layer, states)`` at every point of the residual stream of each forward pass.

    Layer 0 is the input of block 0, layer l the raw output of block l. What ``visit`` returns, if anything,
    replaces the states. The hooks are removed when the block ends, also by an error or an interrupt.
    """

    def before(_module: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        new = visit(0, entering(args, kwargs))
        if new is None:
            return None
        return ((new, *args[1:]), kwargs) if args else (args, kwargs | {"hidden_states": new})

    def after(layer: int) -> Callable[..., Any]:
        def hook(_module: Any, _args: Any, output: Any) -> Any:
            new = visit(layer, hidden(output))
            if new is None:
                return None
            return _instead(output, new)

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
    """Keeps, for every forward pass, the last position's state at every layer.

    Parameters
    ----------
    layers
        Layers to keep.
    n_steps
        How many forward passes there may be: with ``generate``, the number of new tokens.
    buffer
        One of an earlier batch to write into, if it is large enough.

    Attributes
    ----------
    buffer : (n_layers_kept, n_steps, batch, d_model)
        On the model's (first) device, in float32; allocated at the first visit.
    steps
        How many forward passes there were.
    """

    def __init__(self, layers: Sequence[int], n_steps: int, buffer: Any = None) -> None:
        self.slot = {layer: i for i, layer in enumerate(layers)}
        self.n_steps, self.steps = n_steps, 0
        self.buffer: Any = buffer

    def __call__(self, layer: int, states: Tensor) -> None:
        """Keep the last position of ``states`` (batch, positions, d_model)."""
        import torch

        if layer == 0:
            self.steps += 1
        if layer in self.slot:
            batch, _, width = states.shape
            if self.buffer is None or self.buffer.shape[2] < batch:
                self.buffer = torch.zeros(
                    len(self.slot), self.n_steps, batch, width, dtype=torch.float32, device=states.device
                )
            self.buffer[self.slot[layer], self.steps - 1, :batch].copy_(states[:, -1].detach())
