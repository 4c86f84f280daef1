"""Targets: responses that contain a token, teacher-forced up to it; read, continued from a layer, differentiated."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..errors import MethodError
from ..models.adapter import Model
from ..models.generation import respond, teacher_forced
from ..models.hooks import watching
from ..types import resolve_layer
from .quantities import LOG_PROBABILITY, Quantity

Array = np.ndarray
BATCH = 16


@dataclass(frozen=True)
class Batch:
    """Responses of one forward pass.

    Attributes
    ----------
    inputs
        Inputs of the prompts.
    prefixes
        Per response, the ids before the last sub-token of the token.
    words
        Per response, the ids of the token, of which the last one is not in the prefix.
    """

    inputs: dict[str, Any]
    prefixes: list[list[int]]
    words: list[list[int]]


@dataclass(frozen=True, eq=False)
class Targets:
    """Responses that contain the target token, teacher-forced up to it; from :func:`mentions`.

    Attributes
    ----------
    model, token
        The model, and the target token.
    rows
        Rows of the given images whose response contains the token.
    captions
        The complete responses.
    """

    model: Model
    token: str
    rows: tuple[int, ...]
    captions: tuple[str, ...]
    _batches: tuple[Batch, ...]
    _responses: tuple[tuple[int, ...], ...]  # ids of the complete responses

    def __len__(self) -> int:
        return len(self.rows)

    def __repr__(self) -> str:
        return f"Targets: {self.token!r} in {len(self)} responses of {self.model.name}"

    def read(self, layers: Sequence[int] = (), *, quantity: Quantity = LOG_PROBABILITY) -> tuple[Array, Array]:
        """Read every response up to the token, under the interventions in force.

        Parameters
        ----------
        layers
            Layers whose states to return, in this order; negative ones count from the last.
        quantity
            What is read; the log-probability of the token, which of several sub-tokens is the sum over them.

        Returns
        -------
        values : (n,)
            The quantity, in nats: the token's log-probability by default.
        states : (n, len(layers), d_model)
            At the position that predicts the token's last sub-token.

        Raises
        ------
        LayerError
            A layer that the model does not have.
        """
        chosen = [self._layer(layer) for layer in layers]
        scores, states = [], []
        for batch, part in self._split(quantity):
            stream = teacher_forced(self.model, batch.inputs, batch.prefixes, [*chosen, self.model.n_layers])
            scores.append(part.of(self.model, stream[-1], batch.prefixes, batch.words).cpu())
            states.append(_last(stream[:-1], batch).cpu())
        return torch.cat(scores).numpy(), torch.cat(states, 1).transpose(0, 1).numpy()

    def responses(self, max_new_tokens: int = 40) -> list[str]:
        """Generate the responses again, under the interventions in force.

        Parameters
        ----------
        max_new_tokens
            Longest response, in sub-tokens.
        """
        texts = []
        for batch in self._batches:
            texts += [self.model.decode(row).strip() for row in respond(self.model, batch.inputs, max_new_tokens)]
        return texts

    answers = responses  # the name of release 0.1

    def words(self, layer: int) -> list[tuple[list[str], int, Array]]:
        """All pieces of every response, with the states that predict them.

        Parameters
        ----------
        layer
            Layer of the states; negative ones count from the last.

        Returns
        -------
        list of (pieces, position, states)
            Per response: the texts of its pieces, the index of the token among them, and the states (n_pieces, d_model).
        """
        rows, index, responses = [], self._layer(layer), iter(self._responses)
        for batch in self._batches:
            ids = [list(next(responses)) for _ in batch.prefixes]
            states = (
                teacher_forced(self.model, batch.inputs, ids, [index])[0].cpu().numpy()
            )  # (longest + 1, n, d_model)
            for j, (row, prefix) in enumerate(zip(ids, batch.prefixes, strict=True)):
                ends = ["", *(self.model.decode(row[: i + 1]) for i in range(len(row)))]
                pieces = [end[len(start) :] for start, end in pairwise(ends)]
                rows.append((pieces, len(prefix), states[: len(row), j]))
        return rows

    def from_layer(self, layer: int, *, quantity: Quantity = LOG_PROBABILITY) -> Callable[[Array], Array]:
        """Forward pass from a layer onward, as a function of the states at the position that predicts the token.

        Of several sub-tokens it is the position that predicts the last one; the others do not depend on its state.

        Parameters
        ----------
        layer
            Layer after which the states replace the model's own; negative ones count from the last.
        quantity
            What the function gives.

        Returns
        -------
        function
            From states (n, d_model) to the quantity (n,), in nats; the token's log-probability by default, as
            :func:`nbtoolkit.metrics.c_deletion` needs it.
        """
        index = self._layer(layer)

        def values(states: Array) -> Array:
            pairs = zip(self._split(quantity), self._rows(states), strict=True)
            return torch.cat([self._continue(batch, index, part, own) for (batch, own), part in pairs]).cpu().numpy()

        return values

    after = from_layer  # the name of release 0.1

    def gradient(self, layer: int, *, states: Array | None = None, quantity: Quantity = LOG_PROBABILITY) -> Array:
        """Gradient of a quantity with respect to the state after a layer, (n, d_model).

        Parameters
        ----------
        layer
            The layer; negative ones count from the last.
        states : (n, d_model)
            Where the gradient is taken: states that replace the model's own; the model's own where None.
        quantity
            What is differentiated; the token's log-probability by default.
        """
        index = self._layer(layer)
        own = self.read([index])[1][:, 0] if states is None else states
        gradients = []
        with torch.enable_grad():
            for (batch, part), new in zip(self._split(quantity), self._rows(own), strict=True):
                leaf = new.to(self.model.device).requires_grad_()
                score = self._continue(batch, index, leaf, part, gradient=True).sum()
                gradients.append(torch.autograd.grad(score, leaf)[0].float().cpu())
        return torch.cat(gradients).numpy()

    def quantity(self, kind: str = "auto", foil: str | None = None) -> Quantity:
        """What of the responses to attribute; see :func:`nbtoolkit.attribution.contributions`.

        Parameters
        ----------
        kind
            ``"log_probability"``, ``"logit"``, ``"logit_difference"`` or ``"auto"``.
        foil
            The word that the token is compared with, for the logit difference.

        Raises
        ------
        MethodError
            An unknown kind, or a foil that is the token itself or does not part from it.
        TokenError
            The tokenizer cannot spell the foil.
        """
        words = [word for batch in self._batches for word in batch.words]
        if kind == "auto" and foil is not None:
            kind = "logit_difference"
        if kind not in ("auto", "logit_difference"):
            return Quantity.of_kind(kind, foil)
        if foil is not None:
            return Quantity.against(self.model, self.token, words, foil)
        logits, scores = [], []
        for batch in self._batches:
            stream = teacher_forced(self.model, batch.inputs, batch.prefixes, [self.model.n_layers])
            logits.append(self.model.unembed(_last(stream, batch)[0]).cpu())
            scores.append(LOG_PROBABILITY.of(self.model, stream[0], batch.prefixes, batch.words).cpu())
        return Quantity.chosen(self.model, self.token, words, torch.cat(logits), torch.cat(scores).numpy(), kind)

    def _layer(self, layer: int) -> int:
        return resolve_layer(layer, self.model.n_layers)

    def _split(self, quantity: Quantity) -> list[tuple[Batch, Quantity]]:
        """Batches, with the quantity of their rows."""
        ends = [0, *accumulate(len(batch.words) for batch in self._batches)]
        return [(batch, quantity.part(a, b)) for batch, (a, b) in zip(self._batches, pairwise(ends), strict=True)]

    def _rows(self, states: Array) -> tuple[Tensor, ...]:
        """States (n, d_model), batch by batch."""
        new = torch.tensor(np.asarray(states, np.float32))
        if new.shape != (len(self), self.model.d_model):
            raise MethodError(
                f"states has shape {tuple(new.shape)}; expected ({len(self)}, {self.model.d_model}), a row per target."
            )
        return new.split([len(batch.words) for batch in self._batches])

    def _continue(self, batch: Batch, layer: int, states: Tensor, quantity: Quantity, gradient: bool = False) -> Tensor:
        """Quantity when these states (n, d_model) replace the model's own after a layer, where the token is predicted."""
        longest = max(map(len, batch.prefixes))
        positions = [len(prefix) - longest - 1 for prefix in batch.prefixes]

        def replace(here: int, hidden: Tensor) -> Tensor | None:
            if here != layer:
                return None
            new = hidden.clone()
            new[range(len(batch.words)), positions] = states.to(hidden.device, hidden.dtype)
            return new

        if layer < self.model.n_layers:
            with watching(self.model.blocks, replace):
                last = teacher_forced(
                    self.model, batch.inputs, batch.prefixes, [self.model.n_layers], gradient=gradient
                )[0]
        elif quantity.of_last_piece(batch.words):  # no other position matters, so nothing is read again
            last = states.new_zeros(longest + 1, *states.shape)
            last = last.index_put(_places(batch, states), states)
        else:
            last = teacher_forced(self.model, batch.inputs, batch.prefixes, [layer])[0]
            last = last.index_put(_places(batch, last), states.to(last.device))
        return quantity.of(self.model, last, batch.prefixes, batch.words, gradient=gradient)


def _places(batch: Batch, like: Tensor) -> tuple[Tensor, Tensor]:
    """Indices (step, row) of the states that predict the last sub-token of the token."""
    steps = torch.tensor([len(prefix) for prefix in batch.prefixes], device=like.device)
    return steps, torch.arange(len(steps), device=like.device)


def _last(stream: Tensor, batch: Batch) -> Tensor:
    """States (n_layers, n, d_model) that predict the last sub-token, of those at all steps (n_layers, steps, n, d_model)."""
    return stream[:, [len(prefix) for prefix in batch.prefixes], range(len(batch.prefixes))]
