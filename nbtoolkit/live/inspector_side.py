"""One side of an Inspector: a model, an image, a question and a response; its words, and targets of them."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any

import numpy as np
from PIL import Image

from ..errors import ModelError, NbtoolkitError, NothingFoundError
from ..models.adapter import Model
from ..models.generation import respond
from ..models.inference import inference
from ..models.replay import replay
from ..strict_json import encodable
from ..targets.batches import Batch
from ..targets.passes import Pass
from ..targets.roles import Token, other_image
from ..targets.target import Target
from ..targets.targets import Targets
from ..text.tokens import Span, tokenize_response
from ..types.geometry import Geometry
from ..types.rules import suggestion
from .inspector_words import Word, most_changed, words_of

N_TARGETS = 2  # in memory, with the states and the keys and values of every layer
ROWS = 64  # positions whose logits are in memory together
MAX_NEW_TOKENS = 40


class Side:
    """A model's response to an image, all of it read in one pass.

    Parameters
    ----------
    model, image, question
        The model; an RGB image; and the question, None for the model's own.
    response
        The response; the model's own where None.
    ids
        Ids of the response, where they are known.

    Attributes
    ----------
    ids
        Ids of the response.
    own, given
        Whether the response is known to be the model's own; and whether it is a text that was given.
    words
        Key to word.
    means
        Part to mean contributions of layers.
    readings
        Key of a word to what a pass without edits says of it.

    Raises
    ------
    NothingFoundError
        The response has no words.
    """

    def __init__(
        self,
        model: Model,
        image: Image.Image,
        question: str | None = None,
        response: str | None = None,
        ids: Sequence[int] | None = None,
    ) -> None:
        self.model, self.image = model, image
        self.question = model.prompt if question is None else encodable(question)
        self.prompt = model.inputs([image], self.question or None)
        if ids is not None:
            self.ids = tuple(ids)
        elif response is None:
            self.ids = tuple(respond(model, self.prompt, MAX_NEW_TOKENS)[0])
        else:
            self.ids = tuple(tokenize_response(model.tokenizer, encodable(response)))
        self.own, self.given = ids is None and response is None, ids is None and response is not None
        self.response = model.decode(list(self.ids)).strip()
        self.words = {word.key: word for word in words_of(model.tokenizer, self.ids)}
        if not self.words:
            raise NothingFoundError(
                f"The response of {model.name} is {self.response!r}; expected one with a word. Ask another question, or give response='…'."
            )
        self.means: dict[str, dict[int, np.ndarray]] = {}
        self.readings: dict[str, Any] = {}
        self._other: Pass | None = None
        self._targets: OrderedDict[tuple[str, str], Target] = OrderedDict()

    def add(self, span: Span) -> Word:
        """A word by its pieces; it joins the words where it is none of them, as one with a space in it.

        Parameters
        ----------
        span
            Its pieces.
        """
        same = [word for word in self.words.values() if (word.span.first, word.span.last) == (span.first, span.last)]
        word = same[0] if same else Word(span.word, span)
        self.words.setdefault(word.key, word)
        return word

    @cached_property
    def whole(self) -> Pass:
        """The pass over the complete response."""
        n = len(self.ids)
        span = Span(n, n, "", "")
        return Pass(self.model, self.image, self.question, self.response, span, self.prompt, self.ids)

    @cached_property
    def seconds(self) -> float:
        """How long one pass of the blocks takes, measured once, in a pass that is not the first."""
        recording = self.whole.recording
        start = time.perf_counter()
        replay(self.model, recording, 0, recording.stream[0])
        return time.perf_counter() - start

    @cached_property
    def blank(self) -> Pass:
        """The same pass with an image of the same size without its content."""
        return self.read(other_image(self.image), self.question)

    def read(self, image: Image.Image, question: str) -> Pass:
        """The same response to another image or question; the last one stays in memory.

        Parameters
        ----------
        image, question
            The image, and the question.
        """
        if self._other is None or self._other.image is not image or self._other.question != question:
            prompt = self.model.inputs([image], question or None)
            self._other = replace(self.whole, image=image, question=question, _prompt=prompt)
        return self._other

    @cached_property
    def continues(self) -> bool:
        """Whether a pass of the model can be continued from the input of its first block, measured."""
        if self.model.encoder_decoder:
            return False
        try:
            return self.whole.replayed_from == 0
        except ModelError:
            return False

    @property
    def longest(self) -> int:
        """Longest response that is generated, in sub-tokens; a text that was given has any length."""
        return MAX_NEW_TOKENS if self.given else max(MAX_NEW_TOKENS, len(self.ids))

    @cached_property
    def generated(self) -> tuple[int, ...]:
        """Ids of the model's own response, which is another one where the response was given."""
        return self.ids if self.own else tuple(respond(self.model, self.prompt, self.longest)[0])

    def release(self) -> None:
        """Free the states of all passes; they are computed again where they are needed."""
        self._targets.clear()
        self._other = None
        for name in ("whole", "blank"):
            self.__dict__.pop(name, None)

    @property
    def tokens(self) -> tuple[Token, ...]:
        """All positions, with their roles."""
        return self.whole.tokens

    @property
    def n_prompt(self) -> int:
        """Number of positions of the prompt."""
        return self.whole.n_positions - len(self.ids)

    @cached_property
    def grid(self) -> tuple[tuple[int, ...], Geometry | None, str]:
        """Positions of the image's patches, where each lies in the image, and why there is no geometry where there is none.

        Without a geometry, the positions are all of the image's.
        """
        try:
            positions, geometry = self.whole.patches
        except NbtoolkitError as error:
            return self.whole.at("image"), None, " ".join(str(error).split())
        if len(positions) == geometry.n_positions:
            return positions, geometry, ""
        reason = (
            f"{self.model.name} has {len(positions)} image positions with this question; expected {geometry.n_positions}, as with "
            "its default one."
        )
        return positions, None, reason

    @property
    def patches(self) -> tuple[tuple[int, ...], Geometry | None]:
        """Positions of the image's patches, and where each lies in the image."""
        return self.grid[:2]

    def word(self, key: str) -> Word:
        """A word of the response.

        Parameters
        ----------
        key
            The word, ``"word#2"`` for its second occurrence; upper and lower case count where both are there.

        Raises
        ------
        NothingFoundError
            The response lacks it.
        """
        key = encodable(key.strip())
        if key in self.words:
            return self.words[key]
        others = [own for own in self.words if own.casefold() == key.casefold()]
        if others:
            return self.words[others[0]]
        near = suggestion(key, self.words)
        text = self.response if len(self.response) <= 200 else self.response[:200] + "…"
        raise NothingFoundError(
            f"{key[:80]!r} is not in the response {text!r}; expected one of its words.{near or ' Choose one, or give the response.'}"
        )

    def target(self, key: str, foil: str = "") -> Target:
        """A word of the response as a target; the last two keep their passes in memory.

        Parameters
        ----------
        key
            As for :meth:`word`.
        foil
            Word that it is compared with; empty for none.

        Raises
        ------
        NothingFoundError
            The response lacks the word.
        MethodError
            The foil counts as the word.
        """
        word = self.word(key)
        name = (word.key, encodable(foil.strip()))
        if name not in self._targets:
            self._targets[name] = self._target(word, name[1])
            while len(self._targets) > N_TARGETS:
                self._targets.popitem(last=False)
        self._targets.move_to_end(name)
        return self._targets[name]

    def _target(self, word: Word, foil: str) -> Target:
        ids, span = list(self.ids), word.span
        batch = Batch(self.prompt, [ids], [span], 0)
        alone = Targets(self.model, word.text, (0,), (self.response,), (word.text,), (batch,))
        states = [self.whole.recording.stream[-1][0, [self.n_prompt - 1 + step for step in batch.steps]]]
        quantity = alone.quantity("auto", foil or None, states=states)
        words = (word.text, foil, quantity)
        result = Target(self.model, self.image, self.question, self.response, span, self.prompt, self.ids, *words)
        # measured once: both are the same in every pass of this prompt
        result.__dict__["image_span"] = self.whole.image_span
        result.__dict__["tokens"] = self.whole.tokens[: self.n_prompt + span.last]
        return result

    def log_probs(self, source: Pass | None = None) -> list[float]:
        """Log-probability of every piece of the response, in nats.

        Parameters
        ----------
        source
            The pass; :attr:`whole` where None.
        """
        return [own for own, _ in self._read(source or self.whole, 1)]

    @cached_property
    def predictions(self) -> list[tuple[float, list[tuple[int, float]]]]:
        """Per piece of the response its log-probability in nats, and the most probable pieces with theirs."""
        return self._read(self.whole, 8)

    def _read(self, source: Pass, top: int) -> list[tuple[float, list[tuple[int, float]]]]:
        states = source.recording.stream[-1][0, self.n_prompt - 1 : self.n_prompt - 1 + len(self.ids)]
        rows: list[tuple[float, list[tuple[int, float]]]] = []
        for start in range(0, len(states), ROWS):
            ids = self.ids[start : start + ROWS]
            with inference(self.model.hf):
                log_p = self.model.unembed(states[start : start + ROWS]).log_softmax(-1)
                best = log_p.topk(min(top, log_p.shape[1]))
                own = log_p[range(len(ids)), list(ids)].tolist()
            pairs = zip(best.indices.tolist(), best.values.tolist(), strict=True)
            rows += [(p, list(zip(*pair, strict=True))) for p, pair in zip(own, pairs, strict=True)]
        return rows

    def default_word(self) -> str:
        """Key of the word whose log-probability falls most when the image is replaced by one without content; no stop word."""
        own = [p for p, _ in self.predictions]
        return most_changed(tuple(self.words.values()), own, self.log_probs(self.blank))
