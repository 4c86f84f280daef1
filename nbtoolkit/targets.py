"""Targets: responses that contain a token, teacher-forced up to it; read, continued from a layer, differentiated."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import torch

from .data.images import read_images
from .errors import DataError, MethodError, NothingFoundError
from .models.adapter import Model
from .models.generation import respond, teacher_forced
from .models.hooks import watching
from .models.several_images import check_n_images
from .text.tokens import find_token, subtoken_variants, tokenize_response
from .types import resolve_layer
from .types.arguments import checked
from .types.rules import Count

Array = np.ndarray
BATCH = 16


@dataclass(frozen=True)
class _Batch:
    """Responses of one forward pass: inputs of the prompts, the ids before the token, and the token's id."""

    inputs: dict[str, Any]
    prefixes: list[list[int]]
    ids: list[int]


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
    _batches: tuple[_Batch, ...]
    _responses: tuple[tuple[int, ...], ...]  # ids of the complete responses

    def __len__(self) -> int:
        return len(self.rows)

    def __repr__(self) -> str:
        return f"Targets: {self.token!r} in {len(self)} responses of {self.model.name}"

    def read(self, layers: Sequence[int] = ()) -> tuple[Array, Array]:
        """Read every response up to the token, under the interventions in force.

        Parameters
        ----------
        layers
            Layers whose states to return, in this order; negative ones count from the last.

        Returns
        -------
        log_probability : (n,)
            Of the token, in nats.
        states : (n, len(layers), d_model)
            At the position that predicts it.

        Raises
        ------
        LayerError
            A layer that the model does not have.
        """
        chosen = [self._layer(layer) for layer in layers]
        scores, states = [], []
        for batch in self._batches:
            stream = self._states(batch, [*chosen, self.model.n_layers])
            scores.append(self._log_probability(stream[-1], batch.ids).cpu())
            states.append(stream[:-1].cpu())
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

    def from_layer(self, layer: int) -> Callable[[Array], Array]:
        """Forward pass from a layer onward, as a function of the states at the position that predicts the token.

        Parameters
        ----------
        layer
            Layer after which the states replace the model's own; negative ones count from the last.

        Returns
        -------
        function
            From states (n, d_model) to the token's log-probability (n,), in nats, as :func:`nbtoolkit.metrics.c_deletion`
            needs it.
        """
        index = self._layer(layer)

        def log_probability(states: Array) -> Array:
            new = torch.tensor(np.asarray(states, np.float32))
            if new.shape != (len(self), self.model.d_model):
                raise MethodError(
                    f"states has shape {tuple(new.shape)}; expected ({len(self)}, {self.model.d_model}), a row per target."
                )
            parts = [self._continue(batch, index, part) for batch, part in self._split(new)]
            return torch.cat(parts).cpu().numpy()

        return log_probability

    after = from_layer  # the name of release 0.1

    def gradient(self, layer: int) -> Array:
        """Gradient of the token's log-probability with respect to the state after a layer, (n, d_model).

        Parameters
        ----------
        layer
            The layer; negative ones count from the last.
        """
        index = self._layer(layer)
        _, states = self.read([index])
        gradients = []
        with torch.enable_grad():
            for batch, part in self._split(torch.from_numpy(states[:, 0])):
                leaf = part.to(self.model.device).requires_grad_()
                score = self._continue(batch, index, leaf, gradient=True).sum()
                gradients.append(torch.autograd.grad(score, leaf)[0].float().cpu())
        return torch.cat(gradients).numpy()

    def _layer(self, layer: int) -> int:
        return resolve_layer(layer, self.model.n_layers)

    def _split(self, states: Any) -> list[tuple[_Batch, Any]]:
        return list(zip(self._batches, states.split([len(batch.ids) for batch in self._batches]), strict=True))

    def _states(self, batch: _Batch, layers: Sequence[int], gradient: bool = False) -> Any:
        """States at the positions that predict the token, (n_layers, n, d_model)."""
        positions = [len(prefix) for prefix in batch.prefixes]
        states = teacher_forced(self.model, batch.inputs, batch.prefixes, layers, gradient=gradient)
        return states[:, positions, range(len(batch.ids))]

    def _continue(self, batch: _Batch, layer: int, states: Any, gradient: bool = False) -> Any:
        """Log-probability of the token when these states (n, d_model) replace the model's own after a layer."""
        if layer == self.model.n_layers:
            return self._log_probability(states, batch.ids, gradient)
        longest = max(map(len, batch.prefixes))
        positions = [len(prefix) - longest - 1 for prefix in batch.prefixes]

        def replace(here: int, hidden: Any) -> Any:
            if here != layer:
                return None
            new = hidden.clone()
            new[range(len(batch.ids)), positions] = states.to(hidden.device, hidden.dtype)
            return new

        with watching(self.model.blocks, replace):
            last = self._states(batch, [self.model.n_layers], gradient)[0]
        return self._log_probability(last, batch.ids, gradient)

    def _log_probability(self, states: Any, ids: Sequence[int], gradient: bool = False) -> Any:
        logits = self.model.unembed(states, gradient=gradient)
        return logits.log_softmax(-1)[range(len(ids)), list(ids)]


@checked
def mentions(
    model: Model,
    images: Sequence[Any],
    token: str,
    *,
    answers: Sequence[str] | None = None,
    prompt: str | Sequence[str] | None = None,
    max_new_tokens: Count = 40,
) -> Targets:
    """Let a model describe images, and return the responses that contain a token as targets.

    Parameters
    ----------
    model, token
        As for :func:`nbtoolkit.extract`.
    images
        Images, or anything that a data set's image column holds: a list of images where a row has several.
    answers
        Responses to read instead of the model's own, one per image.
    prompt
        The question, or a list with one per image; the model's default where None.
    max_new_tokens
        Longest response, in sub-tokens.

    Raises
    ------
    NothingFoundError
        No response contains the token.
    MethodError
        Another number of responses than of images.
    DataError
        The model cannot use a prompt, or takes one image per prompt and was given several; or there is another number of
        prompts than of images.

    Examples
    --------
    >>> import nbtoolkit as nbt
    >>> targets = mentions(nbt.load_model("toy"), nbt.load_data("toy", n=40)["image"], "dog")
    >>> len(targets), targets.read([-1])[1].shape
    (5, (5, 1, 128))
    """
    if answers is not None and len(answers) != len(images):
        raise MethodError(f"There are {len(answers)} responses for {len(images)} images; expected one each.")
    if prompt is not None and not isinstance(prompt, str) and len(prompt) != len(images):
        raise DataError(f"There are {len(prompt)} prompts for {len(images)} images; expected one each.")
    check_n_images(model, max((len(i) for i in images if isinstance(i, list | tuple)), default=1))
    variants = subtoken_variants(model.tokenizer, token)
    size = 1 if model.equal_lengths else BATCH
    rows: list[int] = []
    captions: list[str] = []
    batches: list[_Batch] = []
    complete: list[tuple[int, ...]] = []
    responses: list[list[int]] = []
    for start in range(0, len(images), size):
        part = [read_images(i) for i in images[start : start + size]]
        questions = prompt if prompt is None or isinstance(prompt, str) else list(prompt[start : start + size])
        inputs = model.inputs(part, questions)
        if answers is None:
            responses = respond(model, inputs, max_new_tokens)
        else:
            responses = [tokenize_response(model.tokenizer, text) for text in answers[start : start + size]]
        positions = [find_token(ids, variants, model.tokenizer.decode) for ids in responses]
        hits = [(j, k) for j, k in enumerate(positions) if k is not None]
        if hits:
            rows += [start + j for j, _ in hits]
            captions += [model.decode(responses[j]).strip() for j, _ in hits]
            complete += [tuple(responses[j]) for j, _ in hits]
            own = inputs if len(hits) == len(part) else _inputs(model, part, questions, [j for j, _ in hits])
            batches.append(_Batch(own, [responses[j][:k] for j, k in hits], [responses[j][k] for j, k in hits]))
    if not rows:
        example = f" The last is {model.decode(responses[-1]).strip()!r}." if len(images) else ""
        raise NothingFoundError(
            f"{token!r} is in none of {len(images)} responses.{example} Choose images whose response contains it."
        )
    return Targets(model, token, tuple(rows), tuple(captions), tuple(batches), tuple(complete))


def _inputs(model: Model, images: list[Any], prompt: str | list[str] | None, rows: Sequence[int]) -> dict[str, Any]:
    """Inputs of some rows of a batch."""
    own = [prompt[j] for j in rows] if isinstance(prompt, list) else prompt
    return model.inputs([images[j] for j in rows], own)
