"""Targets: responses that contain the target token, teacher-forced up to it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np
import torch

from ..errors import MethodError
from ..models.adapter import Model
from ..models.generation import respond, teacher_forced
from ..text.tokens import Span
from ..types import resolve_layer
from .batches import LOG_PROB, Batch, continue_from, score, word_states
from .foils import competitors, partings
from .quantities import SATURATED, Quantity, check_kind

Array = np.ndarray


@dataclass(frozen=True, eq=False)
class Targets:
    """Responses that contain the target token, teacher-forced up to it; from :func:`mentions`.

    A word of several pieces has one log-probability: the sum of those of its pieces, each given the ones before.

    Attributes
    ----------
    model, token
        The model, and the target token.
    rows
        Rows of the given images whose response contains the token.
    captions
        The complete responses.
    spellings
        The words that count as the token.
    """

    model: Model
    token: str
    rows: tuple[int, ...]
    captions: tuple[str, ...]
    spellings: tuple[str, ...]
    _batches: tuple[Batch, ...]
    _images: tuple[Any, ...] = ()
    _questions: tuple[str | None, ...] = ()

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: int) -> Any:
        """One target: :func:`nbtoolkit.targets.making.one_of`."""
        from .making import one_of  # above this module

        return one_of(self, index)

    def __iter__(self) -> Iterator[Any]:
        return (self[i] for i in range(len(self)))

    def image(self, index: int) -> tuple[Any, str | None, list[int], Span]:
        """Image, question, ids of the response and place of the word of one target.

        Parameters
        ----------
        index
            The target, from 0.
        """
        batch = next(b for b in reversed(self._batches) if b.start <= index)
        j = index - batch.start
        return self._images[index], self._questions[index], batch.responses[j], batch.spans[j]

    def __repr__(self) -> str:
        return f"Targets: {self.token!r} in {len(self)} responses of {self.model.name}"

    @property
    def batches(self) -> tuple[Batch, ...]:
        """The responses, in the batches of their forward passes."""
        return self._batches

    @property
    def piece_rows(self) -> Array:
        """Target of every piece of the words, (n_pieces,); 0 … n - 1 where each word is one piece."""
        return np.array([batch.start + j for batch in self._batches for j in batch.rows])

    @property
    def last_pieces(self) -> Array:
        """Index of each word's last piece among all pieces, (n,)."""
        counts = np.bincount(self.piece_rows, minlength=len(self))
        return np.cumsum(counts) - 1

    def quantity(self, kind: str = "auto", foil: str | None = None, *, states: Any = None) -> Quantity:
        """What to measure of the targets, for :meth:`from_layer` and :meth:`gradient`.

        Parameters
        ----------
        kind
            ``"log_prob"``, ``"logit"`` (without the softmax), or ``"logit_difference"`` to a foil. ``"auto"``: the logit
            difference where a foil is given or the log-probability is saturated (median probability above 0.9), else the
            log-probability.
        foil
            The word to compare with. Where one is needed and none is given, each target has its strongest competitor: the
            token of another word whose logit comes closest to that of a piece of the word.
        states : list of (n_pieces, d_model) Tensor
            Last layer's states of the pieces of each batch, where they were read already.

        Raises
        ------
        MethodError
            An unknown kind, or a foil that counts as the token.
        TokenError
            The model's tokenizer cannot spell the foil.

        Examples
        --------
        >>> import nbtoolkit as nbt
        >>> targets = nbt.attribution.mentions(nbt.load_model("toy"), nbt.load_data("toy", n=40)["image"], "dog")
        >>> print(targets.quantity(foil="cat"))
        logit difference to 'cat'
        """
        check_kind(kind, foil)
        if states is None:
            states = [word_states(self.model, batch, [self.model.n_layers])[0] for batch in self._batches]
        log_p = [score(self.model, last, b).cpu() for last, b in zip(states, self._batches, strict=True)]
        probability = float(np.median(np.exp(torch.cat(log_p).numpy())))
        switched = kind == "auto" and foil is None and probability > SATURATED
        if kind == "auto":
            kind = "logit_difference" if switched or foil is not None else "log_prob"
        base = Quantity(kind, (), probability, switched)
        if kind != "logit_difference":
            return base
        if foil is not None:
            parting = [pair for batch in self._batches for pair in partings(self.model, batch, foil, self.spellings)]
            return replace(base, foils=(foil.strip(),) * len(self), parting=tuple(parting))
        pairs = zip(self._batches, states, strict=True)
        strongest = [one for batch, last in pairs for one in competitors(self.model, batch, self.spellings, last)]
        foils = tuple(text for _, _, text in strongest)
        return replace(base, foils=foils, parting=tuple((piece, token) for piece, token, _ in strongest))

    def read(self, layers: Sequence[int] = ()) -> tuple[Array, Array]:
        """Read every response up to the token, under the interventions in force.

        Parameters
        ----------
        layers
            Layers whose states to return, in this order; negative ones count from the last.

        Returns
        -------
        log_probability : (n,)
            Of the whole word, in nats.
        states : (n, len(layers), d_model)
            At the position that predicts the word's last piece, where :func:`nbtoolkit.extract` reads.

        Raises
        ------
        LayerError
            A layer that the model does not have.
        """
        chosen = [self._layer(layer) for layer in layers]
        scores, states = [], []
        for batch in self._batches:
            stream = word_states(self.model, batch, [*chosen, self.model.n_layers])
            scores.append(score(self.model, stream[-1], batch).cpu())
            states.append(stream[:-1, batch.last].cpu())
        return torch.cat(scores).numpy(), torch.cat(states, 1).transpose(0, 1).numpy()

    def piece_states(self, layer: int) -> Array:
        """States that predict the pieces of the words, (n_pieces, d_model); see :attr:`piece_rows`.

        Parameters
        ----------
        layer
            The layer; negative ones count from the last.
        """
        index = self._layer(layer)
        return torch.cat([word_states(self.model, batch, [index])[0].cpu() for batch in self._batches]).numpy()

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
        rows, index = [], self._layer(layer)
        for batch in self._batches:
            states = teacher_forced(self.model, batch.inputs, batch.responses, [index])[0].cpu().numpy()
            for j, (row, span) in enumerate(zip(batch.responses, batch.spans, strict=True)):
                ends = ["", *(self.model.decode(row[: i + 1]) for i in range(len(row)))]
                pieces = [end[len(start) :] for start, end in pairwise(ends)]
                rows.append((pieces, span.last, states[: len(row), j]))
        return rows

    def from_layer(
        self, layer: int, quantity: Quantity | None = None, *, pieces: bool = False
    ) -> Callable[[Array], Array]:
        """Forward pass from a layer onward, as a function of the states at the position that predicts the token.

        Parameters
        ----------
        layer
            Layer after which the states replace the model's own; negative ones count from the last.
        quantity
            Of :meth:`quantity`; the log-probability where None.
        pieces
            Whether the function takes the states of all pieces of the words, (n_pieces, d_model) as of
            :meth:`piece_states`; else those of each word's last piece, (n, d_model).

        Returns
        -------
        function
            From states to the quantity of each target (n,), as :func:`nbtoolkit.metrics.c_deletion` needs it.
        """
        index = self._layer(layer)
        counts = [len(batch.ids if pieces else batch) for batch in self._batches]

        def forward(states: Array) -> Array:
            new = torch.tensor(np.asarray(states, np.float32))
            if new.shape != (sum(counts), self.model.d_model):
                rows = "a row per piece of the words" if pieces else "a row per target"
                raise MethodError(
                    f"states has shape {tuple(new.shape)}; expected ({sum(counts)}, {self.model.d_model}), {rows}."
                )
            if not bool(new.isfinite().all()):
                bad = int(np.flatnonzero(~new.isfinite().all(1).numpy())[0])
                raise MethodError(f"states has NaN or infinite values in row {bad}; expected finite numbers.")
            parts = zip(self._batches, new.split(counts), strict=True)
            return (
                torch.cat([continue_from(self.model, b, index, part, quantity or LOG_PROB) for b, part in parts])
                .cpu()
                .numpy()
            )

        return forward

    after = from_layer  # the name of release 0.1

    def gradient(self, layer: int, quantity: Quantity | None = None) -> Array:
        """Gradient with respect to the state after a layer that predicts the token, (n, d_model).

        Parameters
        ----------
        layer
            The layer; negative ones count from the last.
        quantity
            Of :meth:`quantity`; the log-probability where None.
        """
        return self.piece_gradient(layer, self.piece_states(layer), quantity)[self.last_pieces]

    def piece_gradient(self, layer: int, states: Array, quantity: Quantity | None = None) -> Array:
        """Gradient with respect to the states that predict the pieces of the words, (n_pieces, d_model).

        Parameters
        ----------
        layer
            The layer; negative ones count from the last.
        states : (n_pieces, d_model)
            States at which it is taken; they replace the model's own.
        quantity
            Of :meth:`quantity`; the log-probability where None.
        """
        index = self._layer(layer)
        parts = torch.tensor(np.asarray(states, np.float32)).split([len(batch.ids) for batch in self._batches])
        gradients = []
        with torch.enable_grad():
            for batch, part in zip(self._batches, parts, strict=True):
                leaf = part.to(self.model.device).requires_grad_()
                value = continue_from(self.model, batch, index, leaf, quantity or LOG_PROB, gradient=True).sum()
                gradients.append(torch.autograd.grad(value, leaf)[0].float().cpu())
        return torch.cat(gradients).numpy()

    def _layer(self, layer: int) -> int:
        return resolve_layer(layer, self.model.n_layers)
