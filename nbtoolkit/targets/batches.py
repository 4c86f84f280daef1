"""Forward passes over responses that contain a word: states that predict its pieces, and what is measured of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch

from ..models.adapter import Model
from ..models.generation import teacher_forced
from ..models.hooks import watching
from ..text.tokens import Span
from .quantities import Quantity

LOG_PROB = Quantity()


@dataclass(frozen=True)
class Batch:
    """Responses of one forward pass.

    Attributes
    ----------
    inputs
        Inputs of the prompts.
    responses
        Ids of the complete responses.
    spans
        The occurrence of the word in each.
    start
        Number of the first response among all targets.
    """

    inputs: dict[str, Any]
    responses: list[list[int]]
    spans: list[Span]
    start: int

    def __len__(self) -> int:
        return len(self.spans)

    @property
    def prefixes(self) -> list[list[int]]:
        """Ids before the last piece of the word."""
        return [ids[: span.last] for ids, span in zip(self.responses, self.spans, strict=True)]

    @cached_property
    def rows(self) -> list[int]:
        """Row of every piece of the words."""
        return [j for j, span in enumerate(self.spans) for _ in range(span.first, span.last + 1)]

    @cached_property
    def steps(self) -> list[int]:
        """Index of every piece of the words in its response, and so the step whose state predicts it."""
        return [step for span in self.spans for step in range(span.first, span.last + 1)]

    @cached_property
    def ids(self) -> list[int]:
        """Id of every piece of the words."""
        return [self.responses[j][step] for j, step in zip(self.rows, self.steps, strict=True)]

    @cached_property
    def last(self) -> list[int]:
        """Index of the last piece of every word among all pieces."""
        return (np.cumsum([span.last - span.first + 1 for span in self.spans]) - 1).tolist()


def word_states(model: Model, batch: Batch, layers: Sequence[int], gradient: bool = False) -> Any:
    """States that predict the pieces of the words, (n_layers, n_pieces, d_model).

    Parameters
    ----------
    model, batch
        The model, and the responses.
    layers
        Layers 0 … n_layers.
    gradient
        Record gradients.
    """
    states = teacher_forced(model, batch.inputs, batch.prefixes, layers, gradient=gradient)
    return states[:, batch.steps, batch.rows]


def continue_from(
    model: Model, batch: Batch, layer: int, states: Any, quantity: Quantity = LOG_PROB, *, gradient: bool = False
) -> Any:
    """Measure each target when states replace the model's own after a layer, (n,).

    Parameters
    ----------
    model, batch
        The model, and the responses.
    layer
        The layer, 0 … n_layers.
    states : (n_pieces, d_model) or (n, d_model)
        States that predict all pieces of the words, or the last piece of each.
    quantity
        What to measure.
    gradient
        Record gradients.
    """
    every = len(states) == len(batch.ids)
    if layer == model.n_layers:
        if not every:
            own = word_states(model, batch, [layer], gradient)[0].clone()
            own[batch.last] = states.to(own.device, own.dtype)
            states = own
        return score(model, states, batch, quantity, gradient=gradient)
    longest = max(span.last for span in batch.spans)
    at = range(len(batch.ids)) if every else batch.last
    rows, positions = [batch.rows[i] for i in at], [batch.steps[i] - longest - 1 for i in at]

    def replaced(here: int, hidden: Any) -> Any:
        if here != layer:
            return None
        new = hidden.clone()
        new[rows, positions] = states.to(hidden.device, hidden.dtype)
        return new

    with watching(model.blocks, replaced):
        last = word_states(model, batch, [model.n_layers], gradient)[0]
    return score(model, last, batch, quantity, gradient=gradient)


def score(model: Model, states: Any, batch: Batch, quantity: Quantity = LOG_PROB, *, gradient: bool = False) -> Any:
    """Measure each target, (n,), from the last layer's states of the pieces.

    Parameters
    ----------
    model
        The model.
    states : (n_pieces, d_model)
        States before the final norm.
    batch
        The responses.
    quantity
        What to measure.
    gradient
        Record gradients.
    """
    logits = model.unembed(states, gradient=gradient)
    if quantity.kind == "logit_difference":
        firsts = [0, *(i + 1 for i in batch.last[:-1])]
        parting = quantity.parting[batch.start : batch.start + len(batch)]
        at = [first + piece for first, (piece, _) in zip(firsts, parting, strict=True)]
        return logits[at, [batch.ids[i] for i in at]] - logits[at, [token for _, token in parting]]
    values = logits.log_softmax(-1) if quantity.kind == "log_prob" else logits
    values = values[range(len(batch.ids)), batch.ids]
    if len(batch.ids) == len(batch):  # words of one piece
        return values
    return values.new_zeros(len(batch)).index_add(0, torch.tensor(batch.rows, device=values.device), values)
