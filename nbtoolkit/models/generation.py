"""The ways of running a model over images: generate greedily, or read a prompt with its response in one forward pass."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from transformers import StoppingCriteria, StoppingCriteriaList

from ..errors import MethodError
from ..types.arguments import checked
from ..types.rules import Count, described
from .adapter import Model
from .hooks import LastPosition, watching
from .inference import inference
from .responses import until_end

Stop = Callable[[list[list[int]]], list[bool]]


class _Stopping(StoppingCriteria):
    """Stop rows as a function of their new ids; ``keep`` counts the steps so far."""

    def __init__(self, stop: Stop, keep: LastPosition) -> None:
        self.stop, self.keep = stop, keep

    def __call__(self, input_ids: Any, scores: Any, **_: Any) -> Any:
        return torch.tensor(self.stop(input_ids[:, -self.keep.steps :].tolist()), device=input_ids.device)


def greedy(model: Model, inputs: dict[str, Any], keep: LastPosition, stop: Stop | None = None) -> list[list[int]]:
    """Generate greedily, in inference mode, and store the last position's states at every step.

    Parameters
    ----------
    model
        The adapter.
    inputs
        From :meth:`nbtoolkit.models.Model.inputs`.
    keep
        Filled: step s of its buffer is the state that predicts new token s; its ``n_steps`` limits the responses' length.
    stop
        From the new ids so far, whether each row may end; called after every step.

    Returns
    -------
    list of list of int
        The new ids of every row; a row that ended early is padded.
    """
    criteria = {} if stop is None else {"stopping_criteria": StoppingCriteriaList([_Stopping(stop, keep)])}
    with watching(model.blocks, keep):
        ids = model.generate(inputs, keep.n_steps, **criteria)
    new: list[list[int]] = ids[:, -keep.steps :].tolist()
    return new


@checked
def respond(model: Model, inputs: dict[str, Any], max_new_tokens: Count) -> list[list[int]]:
    """Generate the model's greedy responses: the ids of each, up to its end.

    Interventions that are in force hold for it; ``model.decode`` has the text of ids.

    Parameters
    ----------
    model
        The adapter.
    inputs
        From :meth:`nbtoolkit.models.Model.inputs`.
    max_new_tokens
        Length limit of a response, in tokens.

    Raises
    ------
    MethodError
        The inputs are others.

    Examples
    --------
    >>> import nbtoolkit as nbt
    >>> model = nbt.load_model("toy")
    >>> (ids,) = respond(model, model.inputs([nbt.load_data("toy", n=1)[0]["image"]]), 4)
    >>> len(ids) <= 4
    True
    """
    if "input_ids" not in inputs:
        raise MethodError(
            f"inputs has {described(sorted(map(str, inputs)))}; expected those of model.inputs(images, prompt)."
        )
    return [until_end(model, row) for row in greedy(model, inputs, LastPosition([0], max_new_tokens))]


def teacher_forced(
    model: Model,
    inputs: dict[str, Any],
    sequences: Sequence[Sequence[int]],
    layers: Sequence[int],
    *,
    gradient: bool = False,
) -> Tensor:
    """States at the positions of given responses, from one forward pass.

    Parameters
    ----------
    model
        The adapter.
    inputs
        From :meth:`nbtoolkit.models.Model.inputs`.
    sequences
        Ids of each row's response.
    layers
        Layers to return, 0 … n_layers.
    gradient
        Record gradients; without, the pass runs in inference mode.

    Returns
    -------
    (len(layers), longest + 1, n, d_model) Tensor
        float32. Step s is the state that predicts token s of the response, as after :func:`greedy`; the last one
        predicts what follows the response.
    """
    steps = max(map(len, sequences), default=0) + 1
    full = model.extend(inputs, sequences)
    return _states(model, full, layers, lambda hidden: hidden[:, -steps:].transpose(0, 1), gradient)


def states_at(model: Model, inputs: dict[str, Any], layers: Sequence[int], mask: Tensor) -> list[Tensor]:
    """States of the prompt at marked positions, from one forward pass.

    Parameters
    ----------
    model
        The adapter.
    inputs
        From :meth:`nbtoolkit.models.Model.inputs`.
    layers
        Layers to return, 0 … n_layers.
    mask : (n, positions) bool
        True at the positions to return, such as those of :meth:`nbtoolkit.models.Model.image_mask`.

    Returns
    -------
    list of Tensor
        Per row (len(layers), n_marked, d_model), float32.
    """
    full = model.extend(inputs, [[] for _ in mask])
    states = _states(model, full, layers, lambda hidden: hidden[mask.to(hidden.device)])  # marked of all rows
    return list(states.split(mask.sum(1).tolist(), dim=1))


def _states(
    model: Model,
    inputs: dict[str, Any],
    layers: Sequence[int],
    pick: Callable[[Tensor], Tensor],
    gradient: bool = False,
) -> Tensor:
    """Run one pass and stack what ``pick`` takes from the states of each layer, on the first one's device."""
    states: dict[int, Tensor] = {}

    def store(layer: int, hidden: Tensor) -> None:
        if layer in layers:
            states[layer] = pick(hidden).float()

    with watching(model.blocks, store), inference(model.hf, gradient=gradient):
        model.forward(inputs, gradient=gradient)
        first = next(iter(states.values())).device
        return torch.stack([states[layer].to(first) for layer in layers])
