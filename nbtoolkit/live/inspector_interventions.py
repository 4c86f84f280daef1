"""Interventions of an Inspector: without neurons, without attention that is heard, and without patches of the image."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any

from torch import Tensor

from ..attribution.parts import neuron_matrix
from ..errors import MethodError, ModelError
from ..interventions.residual import patch
from ..models.adapter import Model
from ..models.hooks import input_states
from ..models.taps import Cut, require_layers, tap
from ..targets.target import Target
from ..types.rules import described


@contextlib.contextmanager
def without_neurons(model: Model, layer: int, neurons: Sequence[int]) -> Iterator[None]:
    """Ablate neurons: what the MLP's last matrix reads of them is zero.

    Parameters
    ----------
    model
        The model; its weights are not changed.
    layer
        The layer, 1 … n_layers.
    neurons
        Indices of the neurons.

    Raises
    ------
    MethodError
        A neuron that the layer does not have.

    Examples
    --------
    >>> import nbtoolkit as nbt
    >>> with without_neurons(nbt.load_model("toy"), 2, [0, 5]):
    ...     pass
    """
    matrix: Any = neuron_matrix(model, layer)
    n = int(matrix.weight.shape[1])
    if any(not 0 <= i < n for i in neurons):
        raise MethodError(
            f"neurons is {described(list(neurons))}; expected neurons of layer {layer} from 0 to {n - 1}."
        )

    def hook(_module: Any, args: tuple[Any, ...]) -> tuple[Any, ...]:
        x = args[0].clone()
        x[..., list(neurons)] = 0
        return (x, *args[1:])

    handle = matrix.register_forward_pre_hook(hook)
    try:
        yield
    finally:
        handle.remove()


@contextlib.contextmanager
def without_attention(model: Model, cuts: Sequence[Cut], layers: Sequence[int] = ()) -> Iterator[None]:
    """Knock out attention, and refuse a model of which no attention was heard.

    Parameters
    ----------
    model
        The model.
    cuts
        The attention that is cut.
    layers
        Layers that must have attention; any where empty.

    Raises
    ------
    ModelError
        After the block: no attention was cut, as the model computes it in a way of its own.

    Examples
    --------
    >>> import nbtoolkit as nbt
    >>> t = nbt.target(nbt.load_model("toy"), nbt.load_data("toy", n=1)[0]["image"], "a", response="a dog")
    >>> with without_attention(t.model, [Cut(2, t.positions, t.at("image"))]):
    ...     edited = t.again().value
    >>> bool(edited != t.value)
    True
    """
    with tap(model, cuts=cuts) as heard:
        yield
    require_layers(heard, model, layers)


@contextlib.contextmanager
def without_patches(target: Target, patches: Sequence[int]) -> Iterator[None]:
    """Replace patches by the mean patch before the first block, and where a model adds the image again between its blocks.

    Parameters
    ----------
    target
        A target of the image; its pass was recorded without edits.
    patches
        Indices of the patches, of :func:`patch_positions`.

    Examples
    --------
    >>> import nbtoolkit as nbt
    >>> t = nbt.target(nbt.load_model("toy"), nbt.load_data("toy", n=1)[0]["image"], "a", response="a dog")
    >>> _ = t.recording
    >>> with without_patches(t, range(64)):
    ...     masked = t.again().probability
    >>> bool(masked != t.probability)
    True
    """
    every, model = list(patch_positions(target)), target.model
    at = [every[i] for i in patches]

    def mean(states: Tensor) -> Tensor:
        return states[:, every].float().mean(1, keepdim=True).to(states.dtype)

    with contextlib.ExitStack() as stack:
        for layer, added in target.recording.between.items():
            change = mean(added) - added[:, at]
            handle = model.blocks[layer].register_forward_pre_hook(_adding(at, change), with_kwargs=True)
            stack.callback(handle.remove)
        stack.enter_context(patch(model, 0, mean(target.recording.stream[0]).expand(-1, len(at), -1), at))
        yield


def patch_positions(target: Target) -> tuple[int, ...]:
    """Positions of the image's patches, in the order of its geometry; all of the image's where it has none.

    Parameters
    ----------
    target
        The target.
    """
    try:
        return target.patches[0]
    except ModelError:
        return target.at("image")


def _adding(at: Sequence[int], change: Tensor) -> Any:
    """Hook that adds to a block's input at positions of the prompt; the steps of a generation have none of them."""

    def hook(_block: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        states = input_states(args, kwargs)
        if states.shape[1] <= max(at):
            return None
        new = states.clone()
        new[:, list(at)] += change.to(states.device, states.dtype)
        return ((new, *args[1:]), kwargs) if args else (args, kwargs | {"hidden_states": new})

    return hook
