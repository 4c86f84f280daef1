"""The two ways of running a model over pictures: let it caption greedily, or read a given answer in one pass."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from .adapter import Model
from .hooks import LastPosition, watching


def greedy(
    model: Model,
    inputs: dict[str, Any],
    keep: LastPosition,
    stop: Callable[[list[list[int]]], list[bool]] | None = None,
) -> list[list[int]]:
    """Caption greedily, and keep the last position of every step.

    Parameters
    ----------
    model, inputs
        The adapter, and what its ``encode`` gave.
    keep
        Filled: step s of its buffer is the state that predicts new token s; its ``n_steps`` is the longest answer.
    stop
        Asked after every step, with the new ids so far, which rows may end.

    Returns
    -------
    list of list of int
        The new ids of every row; a row that ended early is filled with the padding id.
    """
    from transformers import StoppingCriteriaList

    ending: dict[str, Any] = {}
    if stop is not None:
        ending["stopping_criteria"] = StoppingCriteriaList([_criterion(stop, keep)])
    with watching(model.blocks, keep):
        out = model.hf.generate(
            **inputs, max_new_tokens=keep.n_steps, do_sample=False, num_beams=1, pad_token_id=model.pad, **ending
        )
    answers: list[list[int]] = out[:, -keep.steps :].tolist()
    return answers


def _criterion(stop: Callable[[list[list[int]]], list[bool]], keep: LastPosition) -> Any:
    """Make a criterion of transformers; its base class is imported only where a model runs."""
    import torch
    from transformers import StoppingCriteria

    class Rows(StoppingCriteria):
        def __call__(self, input_ids: Any, scores: Any, **_: Any) -> Any:
            return torch.tensor(stop(input_ids[:, -keep.steps :].tolist()), device=input_ids.device)

    return Rows()


def forced(model: Model, inputs: dict[str, Any], sequences: Sequence[Sequence[int]], layers: Sequence[int]) -> Any:
    """Read given answers in one pass.

    Returns
    -------
    Tensor, (n_layers_kept, longest + 1, n, d_model)
        Step s is the state that predicts token s of the answer, as after :func:`greedy`; the last one follows the answer.
    """
    longest = max(map(len, sequences), default=0)
    full = model.extend(inputs, sequences)
    return _one_pass(
        model, full, layers, lambda hidden: hidden[:, -(longest + 1) :].transpose(0, 1)
    )  # (step, n, d_model)


def at_positions(model: Model, inputs: dict[str, Any], layers: Sequence[int], mask: Any) -> list[Any]:
    """Run the prompt once, and give the states at marked positions.

    Parameters
    ----------
    mask : (n, positions)
        True where to look.

    Returns
    -------
    list of Tensor, one a row: (n_layers_kept, n_marked, d_model)
    """
    full = model.extend(inputs, [[] for _ in mask])
    states = _one_pass(
        model, full, layers, lambda hidden: hidden[mask.to(hidden.device)]
    )  # (marked of all rows, d_model)
    return list(states.split(mask.sum(1).tolist(), dim=1))


def _one_pass(model: Model, inputs: dict[str, Any], layers: Sequence[int], pick: Callable[[Any], Any]) -> Any:
    """Run one forward pass, and stack what ``pick`` takes from the states of each layer, in float32, on the first one's device."""
    import torch

    states: dict[int, Any] = {}

    def look(layer: int, hidden: Any) -> None:
        if layer in layers:
            states[layer] = pick(hidden).float()

    with watching(model.blocks, look):
        model.hf(**inputs, **model.sparing)
    first = next(iter(states.values())).device
    return torch.stack([states[layer].to(first) for layer in layers])
