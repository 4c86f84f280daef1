"""One target: an image, a question, a response, and the word in it that is explained."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from ..data.images import read_image, thumbnail
from ..data.loading import captioned
from ..errors import MethodError, ModelError, NothingFoundError
from ..models.adapter import Model
from ..models.generation import respond
from ..models.replay import Recording, record, replay, replay_from
from ..text.tokens import Span, find_spans, subtoken_variants, tokenize_response
from ..text.words import spellings
from ..types import resolve_layer
from ..types.arguments import checked
from ..types.geometry import Geometry
from ..types.rules import Count, Number
from .batches import Batch
from .quantities import Quantity
from .responses import mentions
from .roles import Token, image_span, other_image, tokens_of
from .targets import Targets

Array = np.ndarray
REPLAYED = 8  # edited copies of the stream per call of the blocks


@dataclass(frozen=True, eq=False)
class Target:
    """A word in the response of a model to an image, and the pass that predicts it; from :func:`target`.

    The pass is teacher-forced: the prompt, and the response up to the word's last piece, which the last position predicts.

    Attributes
    ----------
    model
        The model.
    image
        The image, upright and in RGB.
    word, foil
        The word, and the word that it is compared with; empty where there is none.
    question
        The question or instruction.
    response
        The complete response.
    quantity
        What is measured: log p of the word, or its logit difference to the foil.
    """

    model: Model
    image: Image.Image
    word: str
    foil: str
    question: str
    response: str
    quantity: Quantity
    span: Span
    _prompt: dict[str, Any] = field(repr=False)
    _ids: tuple[int, ...] = field(repr=False)

    # --- the pass ----------------------------------------------------------------------------------------

    @cached_property
    def inputs(self) -> dict[str, Any]:
        """Inputs of the pass: the prompt, and the response before the word's last piece."""
        return self.model.extend(self._prompt, [list(self._ids[: self.span.last])])

    @cached_property
    def recording(self) -> Recording:
        """The pass: its residual stream, and what every block was called with."""
        return record(self.model, self.inputs)

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
        span = image_span(self.model, self.inputs, self.model.extend(other, [list(self._ids[: self.span.last])]))
        if span is None:
            return None
        marked = self._image_ids()  # the last end of a row is the same for every image
        return min(span[0], *marked), max(span[1], *marked)

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
        if role not in ("system", "image", "question", "response"):
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

    # --- states and what follows from them ---------------------------------------------------------------

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
        """First layer from which :meth:`replay` equals the model, measured at the first call."""
        return replay_from(self.model, self.inputs, self.recording)

    @property
    def first_layer(self) -> int:
        """First layer after which the model adds nothing between its blocks, so that states of another image can follow."""
        return max(self.recording.between, default=-1) + 1

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
        shown = self.question if question is None else question
        prompt = self.model.inputs([picture], shown or None)
        return replace(self, image=picture, question=shown, _prompt=prompt)

    def replay(self, layer: int, states: Any, *, visit: Any = None, gradient: bool = False) -> Any:
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
        options = {"visit": visit, "gradient": gradient}
        parts = [
            self.measure(
                replay(self.model, self.recording, index, part.to(own.device, own.dtype), **options), gradient=gradient
            )
            for part in tensor.split(REPLAYED)
        ]
        result = torch.cat(parts)
        return result if gradient else result.cpu().numpy()

    def replay_both(self, layer: int, states: Any) -> tuple[Array, Array]:
        """As :meth:`replay`, with the probability of the word beside the quantity.

        Parameters
        ----------
        layer, states
            As for :meth:`replay`.
        """
        index = resolve_layer(layer, self.model.n_layers)
        own = self.recording.stream[index]
        last = replay(self.model, self.recording, index, torch.as_tensor(states).to(own.device, own.dtype))
        logits = self.model.unembed(last[:, list(self.positions)])
        pieces = list(range(len(self.piece_ids)))
        probability = logits.log_softmax(-1)[:, pieces, list(self.piece_ids)].sum(-1).exp()
        return self.quantity_of(logits).cpu().numpy(), probability.cpu().numpy()

    def measure(self, states: Tensor, *, gradient: bool = False) -> Tensor:
        """The quantity from states of the last layer.

        Parameters
        ----------
        states : (n, n_positions, d_model)
            States before the final norm.
        gradient
            Record gradients.

        Returns
        -------
        (n,) Tensor
        """
        logits = self.model.unembed(states[:, list(self.positions)], gradient=gradient)  # (n, n_pieces, n_vocabulary)
        return self.quantity_of(logits)

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
        pieces = list(range(len(self.positions)))
        if self.quantity.kind == "logit_difference":
            piece, other = self.quantity.parting[0]
            return logits[..., piece, self.piece_ids[piece]] - logits[..., piece, other]
        values = logits.log_softmax(-1) if self.quantity.kind == "log_prob" else logits
        return values[..., pieces, list(self.piece_ids)].sum(-1)

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
        logits = self.model.unembed(self.recording.stream[-1][:, list(self.positions)])[0].log_softmax(-1)
        return float(logits[range(len(self.piece_ids)), list(self.piece_ids)].sum().exp())

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

    @property
    def provenance(self) -> dict[str, Any]:
        """What a measurement of this target is of, as plain data."""
        pixels = hashlib.sha256(np.asarray(self.image).tobytes() + repr(self.image.size).encode()).hexdigest()
        return {
            "model": self.model.name,
            "revision": self.model.revision,
            "image": pixels,
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


@checked
def target(
    model: Model,
    image: Any,
    word: str,
    question: str | None = None,
    response: str | None = None,
    foil: str | None = None,
    *,
    occurrence: Number = 0,
    quantity: str = "auto",
    max_new_tokens: Count = 40,
) -> Target:
    """A word in the response of a model to an image, to be explained.

    Parameters
    ----------
    model
        The model.
    image
        A PIL image, its bytes or a path.
    word
        A word of the response; one of several sub-tokens is the sum of its pieces.
    question
        Question or instruction; the model's default prompt where None.
    response
        Response to read; the model's own where None.
    foil
        Word that the word is compared with. Where the log-probability is saturated and none is given, the strongest competitor.
    occurrence
        Which occurrence of the word in the response, from 0.
    quantity
        ``"auto"``, ``"log_prob"``, ``"logit"`` or ``"logit_difference"``, as for
        :meth:`nbtoolkit.targets.Targets.quantity`.
    max_new_tokens
        Longest response of the model, in sub-tokens.

    Raises
    ------
    NothingFoundError
        The response lacks the word, or this occurrence of it.
    MethodError
        The foil counts as the word.

    Examples
    --------
    >>> import nbtoolkit as nbt
    >>> target(nbt.load_model("toy"), nbt.load_data("toy", n=40)[3]["image"], "a", foil="the").positions[-1] > 60
    True
    """
    picture = read_image(image)
    words = spellings(word, ())
    variants = subtoken_variants(model.tokenizer, words)
    prompt = model.inputs([picture], question)
    ids = (
        respond(model, prompt, max_new_tokens)[0] if response is None else tokenize_response(model.tokenizer, response)
    )
    spans = find_spans(ids, variants, model.tokenizer.decode)
    text = model.decode(ids).strip()
    if occurrence >= len(spans):
        times = f"only {len(spans)} times" if spans else "not"
        raise NothingFoundError(
            f"{word!r} is {times} in the response {text!r}; expected occurrence {occurrence}. Choose a word of the response, or give "
            "response='…' with it."
        )
    batch = Batch(prompt, [ids], [spans[occurrence]], 0)
    one = Targets(model, word, (0,), (text,), words, (batch,), (picture,), (question,))
    return one_of(one, 0, quantity=quantity, foil=foil)


@checked
def targets(
    model: Model,
    data: Any,
    word: str,
    *,
    variants: str | Sequence[str] = (),
    question: str | Sequence[str] | None = None,
    responses: Sequence[str] | None = None,
    max_new_tokens: Count = 40,
) -> Targets:
    """The word in the responses of a model to many images; ``targets(…)[i]`` is one :class:`Target`.

    Parameters
    ----------
    model
        The model.
    data
        Captioned images, or what :func:`nbtoolkit.load_data` takes; or a list of images.
    word
        The word.
    variants
        Further words that count: ``"plural"``, or a list.
    question
        Question of all images, or one per image; the model's default prompt where None.
    responses
        Responses to read, one per image; the model's own where None.
    max_new_tokens
        Longest response of the model, in sub-tokens.

    Returns
    -------
    Targets
        Of the images whose response contains the word; ``rows`` says which.

    Raises
    ------
    NothingFoundError
        No response contains the word.

    Examples
    --------
    >>> import nbtoolkit as nbt
    >>> many = nbt.targets(nbt.load_model("toy"), nbt.load_data("toy", n=40), "dog")
    >>> len(many), many[0].word
    (5, 'dog')
    """
    listed = isinstance(data, list | tuple) and not (data and hasattr(data[0], "keys"))
    images = data if listed else captioned(data)["image"]
    return mentions(
        model, images, word, variants=variants, answers=responses, prompt=question, max_new_tokens=max_new_tokens
    )


def one_of(many: Targets, index: int, *, quantity: str = "auto", foil: str | None = None) -> Target:
    """One of several targets; ``many[index]`` is this, with the default quantity.

    Parameters
    ----------
    many
        The targets.
    index
        Which one, from 0; negative ones count from the last.
    quantity, foil
        As for :func:`target`.

    Raises
    ------
    MethodError
        There is no such target.
    """
    if not -len(many) <= index < len(many):
        raise MethodError(f"index is {index}; expected {-len(many)} … {len(many) - 1}.")
    image, question, ids, span = many.image(index % len(many))
    model, picture = many.model, read_image(image)
    prompt = model.inputs([picture], question)
    text = model.decode(ids).strip()
    alone = Targets(model, many.token, (0,), (text,), many.spellings, (Batch(prompt, [ids], [span], 0),))
    shown = model.prompt if question is None else question
    measured = alone.quantity(quantity, foil)
    return Target(model, picture, many.token, foil or "", shown, text, measured, span, prompt, tuple(ids))
