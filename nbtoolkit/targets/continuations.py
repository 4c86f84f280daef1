"""Continuations: the rest of a model's pass as a function of the states that predict a word, for many copies of them at once."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..data.images import read_images
from ..errors import ModelError
from ..models.prefix import is_close
from ..models.replay import replay
from ..types import resolve_layer
from .batches import word_states
from .quantities import Quantity
from .target import Target
from .targets import Targets

Array = np.ndarray
MAX_COPIES = 64  # per call of the blocks
COPIED_BYTES = 2**26  # of keys and values per layer and call


class Continuation:
    """Forward pass of one target from a layer onward: later positions only where the model is causal.

    Parameters
    ----------
    target
        The target.
    layer
        The layer, 0 … n_layers.

    Raises
    ------
    ModelError
        A pass of the model cannot be continued from this layer.
    """

    def __init__(self, target: Target, layer: int) -> None:
        if layer < target.model.n_layers and layer < target.replayed_from:
            raise ModelError(
                f"A pass of {target.model.name} cannot be continued from layer {layer}; expected one from {target.replayed_from} on."
            )
        self.target, self.layer = target, layer
        self.begin, self.prefix = 0, None if layer == target.model.n_layers else target.prefix
        if self.prefix is not None:
            self.begin = self.prefix.start(target.positions[0])
        if not self._continues():  # an intervention in force means other positions
            raise ModelError(f"The pass of {target.model.name} behind a prefix differs from the whole one.")

    def values(self, states: Array) -> Array:
        """The quantity when states replace those that predict the word, (n,).

        Parameters
        ----------
        states : (n, n_pieces, d_model)
            Copies of the states, edited.
        """
        return np.concatenate(
            [self.target.measure(self._last(self._moved(part))).float().cpu().numpy() for part in self._parts(states)]
        )

    def gradients(self, states: Array) -> Array:
        """Gradients of the quantity at states that predict the word, (n, n_pieces, d_model).

        Parameters
        ----------
        states : (n, n_pieces, d_model)
            Copies of the states, edited.
        """
        out = []
        with torch.enable_grad():
            for part in self._parts(states):
                leaf = self._moved(part).requires_grad_()
                value = self.target.measure(self._last(leaf, gradient=True), gradient=True).sum()
                out.append(torch.autograd.grad(value, leaf)[0].float().cpu().numpy())
        return np.concatenate(out)

    def _parts(self, states: Array) -> list[Array]:
        own = self.target.recording.stream[self.layer]
        size = 2 * own[0].numel() * own.element_size()  # of the keys and values of a layer
        n = max(1, min(MAX_COPIES, COPIED_BYTES // size))
        return [states[start : start + n] for start in range(0, len(states), n)]

    def _moved(self, states: Array) -> Tensor:
        own = self.target.recording.stream[self.layer]
        return torch.tensor(np.asarray(states, np.float32)).to(own.device, own.dtype)

    def _last(self, states: Tensor, *, gradient: bool = False) -> Tensor:
        """States of the last layer, of the last positions, when states replace those that predict the word."""
        target, layer = self.target, self.layer
        if layer == target.model.n_layers:
            return states
        own = target.recording.stream[layer][:, self.begin : target.positions[0]]
        rest = torch.cat([own.expand(len(states), -1, -1), states], 1)
        if self.begin:
            prefix: Any = self.prefix
            last: Tensor = prefix.replay(target.model, target.recording, layer, rest, gradient=gradient)
            return last
        return replay(target.model, target.recording, layer, rest, gradient=gradient)

    def _continues(self) -> bool:
        target, n = self.target, len(self.target.positions)
        own = target.recording.stream[self.layer][:, -n:]
        return not self.begin or is_close(self._last(own)[:, -n:], target.recording.stream[-1][:, -n:])


def piece_streams(targets: Targets, layer: int) -> tuple[Array, list[Tensor]]:
    """States that predict the pieces of the words, after a layer and, per batch, after the last one: of one pass.

    Parameters
    ----------
    targets
        The targets.
    layer
        The layer, 0 … n_layers; negative ones count from the last.

    Returns
    -------
    (n_pieces, d_model), list of (n_pieces, d_model) Tensor
        As of :meth:`nbtoolkit.targets.Targets.piece_states`, and as its ``quantity`` takes them.
    """
    model = targets.model
    layers = [resolve_layer(layer, model.n_layers), model.n_layers]
    streams = [word_states(model, batch, layers) for batch in targets.batches]
    return torch.cat([states[0].cpu() for states in streams]).numpy(), [states[1] for states in streams]


def continuations(targets: Targets, layer: int, quantity: Quantity) -> Iterator[Continuation]:
    """Continuations of all targets, one after the other, so that one recorded pass is in memory.

    Parameters
    ----------
    targets
        The targets.
    layer
        The layer, 0 … n_layers.
    quantity
        What is measured.

    Raises
    ------
    ModelError
        A pass of the model cannot be continued from this layer.
    """
    for index in range(len(targets)):
        yield Continuation(_alone(targets, index, quantity), layer)


def _alone(targets: Targets, index: int, quantity: Quantity) -> Target:
    """One of several targets, with what is measured of it among them."""
    image, question, ids, span = targets.image(index)
    model, picture = targets.model, read_images(image)
    of_it: dict[str, Any] = {
        name: (getattr(quantity, name)[index],) for name in ("foils", "parting") if getattr(quantity, name)
    }
    prompt = targets.batches[0].inputs if len(targets) == 1 else model.inputs([picture], question)
    words = (targets.token, "", replace(quantity, **of_it))
    return Target(model, picture, question or "", targets.captions[index], span, prompt, tuple(ids), *words)
