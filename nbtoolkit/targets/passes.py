"""One teacher-forced pass: its positions with roles, its states, and where its image lies."""

from __future__ import annotations

import weakref
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from PIL import Image
from torch import Tensor

from ..data.images import thumbnail
from ..errors import MethodError, ModelError
from ..models.adapter import Model
from ..models.prefix import Prefix, read_prefix
from ..models.replay import Recording, record, replay_from
from ..text.tokens import Span
from ..types import resolve_layer
from ..types.geometry import Geometry
from .roles import ROLES, Token, image_span, other_image, tokens_of

Array = np.ndarray
_MEASURED: weakref.WeakKeyDictionary[Any, dict[Any, int]] = weakref.WeakKeyDictionary()  # of replay_from


@dataclass(frozen=True, eq=False)
class Pass:
    """A prompt with an image, and a response up to the last piece of a word, which the last position predicts.

    Attributes
    ----------
    model
        The model.
    image
        The image, upright and in RGB.
    question
        The question or instruction.
    response
        The complete response.
    span
        Pieces of the word in the response.
    """

    model: Model
    image: Image.Image
    question: str
    response: str
    span: Span
    _prompt: dict[str, Any] = field(repr=False)
    _ids: tuple[int, ...] = field(repr=False)

    @cached_property
    def inputs(self) -> dict[str, Any]:
        """Inputs of the pass: the prompt, and the response before the word's last piece.

        Raises
        ------
        ModelError
            They are longer than the model's context.
        """
        inputs = self.model.extend(self._prompt, [list(self._ids[: self.span.last])])
        check_length(self.model, inputs)
        return inputs

    @cached_property
    def recording(self) -> Recording:
        """The pass: its residual stream, and what every block was called with.

        Raises
        ------
        ModelError
            A state is no finite number.
        """
        recording = record(self.model, self.inputs)
        check_finite(self.model, recording)
        return recording

    @cached_property
    def tokens(self) -> tuple[Token, ...]:
        """All positions of the residual stream, with their roles."""
        ids = self.inputs["decoder_input_ids" if self.model.encoder_decoder else "input_ids"][0].tolist()
        n_response = self.span.last
        return tokens_of(self.model, ids, self.n_positions, n_response, self.image_span, self.question)

    @cached_property
    def image_span(self) -> tuple[int, int] | None:
        """First and last position of the image, measured; None where it has none in the decoder (cross-attention)."""
        other = self.model.inputs([other_image(self.image)], self.question or None)
        inputs = self.model.extend(other, [list(self._ids[: self.span.last])])
        span = image_span(self.model, self.recording, record(self.model, inputs))
        if span is None:
            return None
        marked = self._image_ids()  # the last end of a row is the same for every image
        return min(span[0], *marked), max(span[1], *marked)

    @property
    def marked(self) -> tuple[str, str, str]:
        """The response before the word, the word, and what follows; the whole response first where it is spelled otherwise."""
        word = self.span.word
        start = self.model.decode(list(self._ids[: self.span.last + 1])).lstrip().rfind(word)
        if start < 0 or not self.response.startswith(word, start):
            return self.response, "", ""
        return self.response[:start], word, self.response[start + len(word) :]

    @property
    def n_positions(self) -> int:
        """Number of positions of the pass."""
        return self.recording.n_positions

    @property
    def positions(self) -> tuple[int, ...]:
        """Positions that predict the pieces of the word; the last one predicts its last piece."""
        n = self.span.last - self.span.first + 1
        return tuple(range(self.n_positions - n, self.n_positions))

    def at(self, role: str) -> tuple[int, ...]:
        """Positions of a role.

        Parameters
        ----------
        role
            ``"system"``, ``"image"``, ``"question"``, ``"response"``, or ``"last"``, the one that predicts the word.

        Raises
        ------
        MethodError
            An unknown role.
        """
        if role == "last":
            return (self.n_positions - 1,)
        if role not in ROLES:
            raise MethodError(f"role is {role!r}; expected 'system', 'image', 'question', 'response' or 'last'.")
        return tuple(token.position for token in self.tokens if token.role == role)

    @cached_property
    def patches(self) -> tuple[tuple[int, ...], Geometry]:
        """Positions of the image's patches and marks, in the order of the geometry, and where each lies in the image.

        Raises
        ------
        ModelError
            The model has no image positions, or they are no patches.
        """
        return self._image_ids(), self.model.geometry(self.image)

    def _image_ids(self) -> tuple[int, ...]:
        """Positions whose ids are the image's."""
        return tuple(self.model.image_mask(self._prompt)[0].nonzero()[:, 0].tolist())

    def residual(self, layer: int) -> Array:
        """States of a layer, (n_positions, d_model), float32.

        Parameters
        ----------
        layer
            The layer; negative ones count from the last.
        """
        states: Tensor = self.recording.stream[resolve_layer(layer, self.model.n_layers)][0]
        return np.asarray(states.float().cpu().numpy())

    @cached_property
    def replayed_from(self) -> int:
        """First layer from which :meth:`replay` equals the model, measured once per model, and way of making passes."""
        measured = _MEASURED.setdefault(self.model.hf, {})
        way = (self.recording.conditions, tuple(self.recording.between))
        if way not in measured:
            measured[way] = replay_from(self.model, self.inputs, self.recording)
        return measured[way]

    @cached_property
    def prefix(self) -> Prefix | None:
        """Keys and values of the pass, behind which :meth:`replay` computes only later positions; None where it cannot."""
        return read_prefix(self.model, self.recording)

    @property
    def first_layer(self) -> int:
        """First layer after which the model adds nothing between its blocks, so that states of another image can follow."""
        return max(self.recording.between, default=-1) + 1

    @cached_property
    def thumbnail(self) -> bytes:
        """The image as a JPEG of at most 512 pixels a side."""
        return thumbnail(self.image, 512)

    def require_image(self) -> tuple[int, int]:
        """Span of the image.

        Raises
        ------
        ModelError
            It has no position in the decoder.
        """
        if self.image_span is None:
            raise ModelError(
                f"The image has no positions in the decoder of {self.model.name} (cross-attention, or an encoder); expected a model that puts "
                "image tokens among the text tokens."
            )
        return self.image_span


def check_length(model: Model, inputs: Mapping[str, Any]) -> None:
    """Refuse a sequence that is longer than the context of a model, whose positions there it was never trained on.

    Parameters
    ----------
    model
        The model.
    inputs
        Its inputs.

    Raises
    ------
    ModelError
        The sequence is longer than the model's ``max_position_embeddings``.
    """
    text = model.hf.config.get_text_config(decoder=True)
    n = int(inputs["decoder_input_ids" if model.encoder_decoder else "input_ids"].shape[1])
    limit = getattr(text, "max_position_embeddings", None)
    rope = getattr(text, "rope_parameters", None) or {}
    if limit and n > limit * (rope.get("factor", 1) if rope.get("rope_type") == "dynamic" else 1):
        raise ModelError(
            f"The prompt and the response up to the word have {n} sub-tokens; expected at most {limit}, the context of {model.name}. "
            "Take a smaller image (image_limit of load_model), a shorter question, or an earlier word."
        )


def check_finite(model: Model, recording: Recording) -> None:
    """Refuse a pass whose states overflow the number format.

    Parameters
    ----------
    model
        The model.
    recording
        The pass.

    Raises
    ------
    ModelError
        A state is infinite or NaN; the message names the first such layer.
    """
    for layer, states in enumerate(recording.stream):
        if not bool(states.isfinite().all()):
            raise ModelError(
                f"The states of {model.name} overflow {str(states.dtype).removeprefix('torch.')} at layer {layer}; expected finite "
                "numbers. Load the model with dtype='float32' or 'bfloat16'."
            )
