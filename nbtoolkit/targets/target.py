"""One target: an image, a question, a response, and the word in it that is explained."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..data.images import read_image
from ..errors import MethodError, ModelError
from ..models.replay import Recording, replay
from ..storage.provenance import weights
from ..types import resolve_layer
from .passes import Pass
from .quantities import Quantity

Array = np.ndarray
REPLAYED = 8  # edited copies of the stream per call of the blocks


@dataclass(frozen=True, eq=False)
class Target(Pass):
    """A word in the response of a model to an image, and the pass that predicts it; from :func:`nbtoolkit.target`.

    Attributes
    ----------
    word, foil
        The word, and the word that it is compared with; empty where there is none.
    quantity
        What is measured: log p of the word, or its logit difference to the foil.
    """

    word: str
    foil: str
    quantity: Quantity

    def again(self, image: Any = None, question: str | None = None) -> Target:
        """The same word in the same response, to another image or question: the other half of a pair.

        Parameters
        ----------
        image
            Another image; the same where None.
        question
            Another question; the same where None.
        """
        picture = self.image if image is None else read_image(image)
        instruction = self.question if question is None else question
        prompt = self.model.inputs([picture], instruction or None)
        other = replace(self, image=picture, question=instruction, _prompt=prompt)
        if (
            question is None and picture.size == self.image.size
        ):  # measured once: of the model and the ids, which are the same
            other.__dict__.update({k: v for k, v in vars(self).items() if k == "image_span"})
        return other

    def replay(self, layer: int, states: Any, *, visit: Any = None, gradient: bool = False, start: int = 0) -> Any:
        """Measure the word when states replace those of the pass after a layer.

        Parameters
        ----------
        layer
            The layer, at least :attr:`replayed_from`; negative ones count from the last.
        states : (n, n_positions, d_model)
            Edited copies of the layer's states, an array or a tensor.
        visit
            As for :func:`nbtoolkit.models.replay.replay`.
        gradient
            Record gradients; the result is a tensor then.
        start
            First position that is edited; those before are not computed again where the model is causal. Without gradients.

        Returns
        -------
        (n,)
            The quantity of each, in its unit.

        Raises
        ------
        LayerError
            A pass of the model cannot be continued from this layer.
        """
        index = resolve_layer(layer, self.model.n_layers)
        if index < self.model.n_layers and index < self.replayed_from:
            raise ModelError(
                f"layer is {layer}; a pass of {self.model.name} can be continued from layer {self.replayed_from} on. Choose one of those."
            )
        own = self.recording.stream[index]
        tensor = torch.as_tensor(states)
        if tensor.shape[1:] != own.shape[1:]:
            raise MethodError(
                f"states has shape {tuple(tensor.shape)}; expected (n, {own.shape[1]}, {own.shape[2]}), edited copies of target.residual."
            )
        parts = []
        for part in tensor.split(REPLAYED):
            moved = part.to(own.device, own.dtype)
            if gradient or visit is not None:
                last = replay(self.model, self.recording, index, moved, visit=visit, gradient=gradient)
            else:
                last = self.last_states(index, moved, start)
            parts.append(self.measure(last, gradient=gradient))
        result = torch.cat(parts)
        return result if gradient else result.cpu().numpy()

    def last_states(self, layer: int, states: Tensor, start: int = 0, recording: Recording | None = None) -> Tensor:
        """States of the last layer when states replace those of the pass after a layer.

        Parameters
        ----------
        layer
            The layer, 0 … n_layers.
        states : (n, n_positions, d_model)
            Edited copies of the layer's states.
        start
            First position that is edited.
        recording
            The recording with other ``between``, which differs from position ``start`` on.

        Returns
        -------
        (n, n_rest, d_model) Tensor
            Of the last positions: at least those from ``start`` on, and those that predict the word.
        """
        whole = recording or self.recording
        prefix = self.prefix if start and layer < self.model.n_layers else None
        begin = prefix.start(min(start, self.positions[0])) if prefix else 0
        if prefix is None or not begin:
            return replay(self.model, whole, layer, states)
        return prefix.replay(self.model, whole, layer, states[:, begin:])

    def replay_edits(
        self, layer: int, edits: Sequence[Sequence[int]], base: Tensor, between: Mapping[int, Tensor]
    ) -> Array:
        """Measure the word in copies of the pass, each with other states at the positions of one edit.

        Parameters
        ----------
        layer
            The layer, 0 … n_layers, after which states are replaced.
        edits
            Positions of each copy.
        base : (n_positions, d_model)
            States that replace them.
        between
            What replaces that which the model adds there between its blocks: layer to (n_positions, d_model).

        Returns
        -------
        (n_edits,)
            The quantity of each, in its unit.
        """
        parts = [edits[start : start + REPLAYED] for start in range(0, len(edits), REPLAYED)]
        return np.concatenate([self._replay_edits(layer, part, base, between) for part in parts])

    def _replay_edits(
        self, layer: int, edits: Sequence[Sequence[int]], base: Tensor, between: Mapping[int, Tensor]
    ) -> Array:
        recording = self.recording
        states = _edited(recording.stream[layer][0], base, edits)
        start = min((p for positions in edits for p in positions), default=0)
        if not between:
            return np.asarray(self.replay(layer, states, start=start))
        added = {i: _edited(recording.between[i][0], other, edits) for i, other in between.items()}
        last = self.last_states(layer, states, start, replace(recording, between=added))
        return np.asarray(self.measure(last).float().cpu().numpy())

    def replay_both(self, layer: int, states: Any, start: int = 0) -> tuple[Array, Array]:
        """As :meth:`replay`, with the probability of the word beside the quantity.

        Parameters
        ----------
        layer, states, start
            As for :meth:`replay`.
        """
        index = resolve_layer(layer, self.model.n_layers)
        own = self.recording.stream[index]
        last = self.last_states(index, torch.as_tensor(states).to(own.device, own.dtype), start)
        logits = self.model.unembed(last[:, self._from_end])
        probability = self._of_pieces(logits.log_softmax(-1)).exp()
        return self._finite(self.quantity_of(logits)).cpu().numpy(), probability.cpu().numpy()

    def measure(self, states: Tensor, *, gradient: bool = False) -> Tensor:
        """The quantity from states of the last layer.

        Parameters
        ----------
        states : (n, n_positions, d_model)
            States before the final norm; of the last positions at least, as of :meth:`last_states`.
        gradient
            Record gradients.

        Returns
        -------
        (n,) Tensor

        Raises
        ------
        ModelError
            A value is no finite number.
        """
        logits = self.model.unembed(states[:, self._from_end], gradient=gradient)  # (n, n_pieces, n_vocabulary)
        return self._finite(self.quantity_of(logits))

    def _finite(self, values: Tensor) -> Tensor:
        """The values, refused where one is infinite or NaN."""
        if not bool(values.isfinite().all()):
            raise ModelError(
                f"{self.quantity} of {self.word!r} is no finite number, because edited states of {self.model.name} overflow "
                f"{str(self.model.hf.dtype).removeprefix('torch.')} on their way to the last layer; expected finite numbers. Load the model "
                "with dtype='float32' or 'bfloat16'."
            )
        return values

    def quantity_of(self, logits: Tensor) -> Tensor:
        """The quantity from the logits at the positions that predict the word.

        Parameters
        ----------
        logits : (…, n_pieces, n_vocabulary)
            The logits.

        Returns
        -------
        (…) Tensor
        """
        if self.quantity.kind == "logit_difference":
            piece, other = self.quantity.parting[0]
            return logits[..., piece, self.piece_ids[piece]] - logits[..., piece, other]
        values = logits.log_softmax(-1) if self.quantity.kind == "log_prob" else logits
        return self._of_pieces(values)

    def _of_pieces(self, values: Tensor) -> Tensor:
        """Sum over the pieces of the word, each where it is predicted, of (…, n_pieces, n_vocabulary)."""
        return values[..., list(range(len(self.piece_ids))), list(self.piece_ids)].sum(-1)

    @property
    def _from_end(self) -> list[int]:
        """The positions that predict the word, counted from the end."""
        return list(range(self.span.first - self.span.last - 1, 0))

    @property
    def piece_ids(self) -> tuple[int, ...]:
        """Ids of the pieces of the word."""
        return self._ids[self.span.first : self.span.last + 1]

    @cached_property
    def value(self) -> float:
        """The quantity of the unedited pass."""
        return float(self.measure(self.recording.stream[-1])[0])

    @cached_property
    def probability(self) -> float:
        """Probability of the word after the response before it, 0 to 1, no unit."""
        logits = self.model.unembed(self.recording.stream[-1][:, self._from_end])[0]
        return float(self._of_pieces(logits.log_softmax(-1)).exp())

    @cached_property
    def _hashes(self) -> dict[str, str]:
        """Of the weights and of the pixels, as they are when they are first needed."""
        pixels = hashlib.sha256(np.asarray(self.image).tobytes() + repr(self.image.size).encode()).hexdigest()
        return {"weights": weights(self.model.hf), "image": pixels}

    @property
    def provenance(self) -> dict[str, Any]:
        """What a measurement of this target is of, as plain data."""
        return {
            "model": self.model.name,
            "revision": self.model.revision,
            **self._hashes,
            "size": [*self.image.size],
            "question": self.question,
            "response": self.response,
            "word": self.word,
            "foil": self.foil or self.quantity.foil,
            "quantity": str(self.quantity),
        }

    def __repr__(self) -> str:
        foil = f" against {self.quantity.foil!r}" if self.quantity.foil else ""
        return (
            f"Target {self.word!r}{foil} in {self.response!r} of {self.model.name}: p = {self.probability:.3f}, "
            f"{self.quantity} = {self.value:.3f} {self.quantity.unit}, {self.n_positions} positions"
        )


def _edited(own: Tensor, base: Tensor, edits: Sequence[Sequence[int]]) -> Tensor:
    """Copies of states with the positions of each edit replaced, (n_edits, n_positions, d_model)."""
    states = own.repeat(len(edits), 1, 1)
    for row, positions in enumerate(edits):
        states[row, list(positions)] = base[list(positions)]
    return states
