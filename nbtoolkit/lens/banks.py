"""Contextual text states: of every word of a set of captions, at its own position, with its sentence."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import LayerError, MethodError, NothingFoundError, StudyError
from ..storage.described import check_tensors, read_described, save_described
from ..storage.schema import fields, list_of, one_of, text, whole
from ..types.arguments import checked
from ..types.copies import CopiedByFields
from ..types.rules import Count

if TYPE_CHECKING:
    from ..models.adapter import Model

BUDGET = 64_000_000  # bytes of cosines at a time
_CONTENT = fields(
    {
        "format": one_of((1,)),
        "kind": one_of(("contextual bank",)),
        "model": text,
        "revision": text,
        "d_model": whole(1),
        "layers": list_of(whole(0)),
        "words": list_of(text),
        "sentences": list_of(text),
    }
)


@dataclass(frozen=True, eq=False)
class ContextualBank(CopiedByFields):
    """States of words in their sentences, among which :func:`nbtoolkit.lens.contextual` searches; from :meth:`of`.

    Attributes
    ----------
    layers
        The layers.
    states : (n_layers, n, d_model)
        State of each word at each layer, of length 1, float32.
    words
        The words, (n,).
    sentences
        The different sentences.
    sentence_of : (n,) of int
        Index of each word's sentence.
    model, revision
        Name and commit of the model.
    """

    layers: tuple[int, ...]
    states: np.ndarray
    words: tuple[str, ...]
    sentences: tuple[str, ...]
    sentence_of: np.ndarray
    model: str
    revision: str

    def __post_init__(self) -> None:
        for name in ("states", "sentence_of"):
            array = getattr(self, name).view()
            array.flags.writeable = False
            object.__setattr__(self, name, array)

    @staticmethod
    @checked
    def of(
        model: Model, source: Any, layers: Any = "all", *, per_word: Count = 20, batch_size: Count = 16
    ) -> ContextualBank:
        """States of the words of captions, each at the position of its last sub-token.

        Parameters
        ----------
        model
            The model.
        source
            Captioned images, whose captions are read as responses to their images; or a list of captions, which are read as
            responses to a grey image, so that no image is in their states.
        layers
            Layers: 0 … n_layers; negative ones count from the last.
        per_word
            Most states per word; the first in the order of the captions are kept.
        batch_size
            Captions per pass.

        Raises
        ------
        NothingFoundError
            The captions have no word.
        LayerError
            A layer that the model does not have.

        Examples
        --------
        >>> import nbtoolkit as nbt
        >>> bank = ContextualBank.of(nbt.load_model("toy"), ["a dog on grass", "a red bus"], layers=[2])
        >>> bank.words
        ('a', 'dog', 'on', 'grass', 'a', 'red', 'bus')
        """
        from .text_states import text_states

        chosen, rows = text_states(model, source, layers, per_word=per_word, batch_size=batch_size)
        if not rows:
            raise NothingFoundError("The captions have no word; expected captions of at least one. Give others.")
        states = _normalized(np.stack([states for _, _, states in rows], axis=1))
        sentences = tuple(dict.fromkeys(sentence for _, sentence, _ in rows))
        numbers = {sentence: k for k, sentence in enumerate(sentences)}
        places = np.array([numbers[sentence] for _, sentence, _ in rows], np.int64)
        words = tuple(word for word, _, _ in rows)
        return ContextualBank(chosen, states, words, sentences, places, model.name, model.revision)

    def __len__(self) -> int:
        return len(self.words)

    def nearest(self, states: np.ndarray, k: int, layers: Sequence[int]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Nearest states of the bank.

        Parameters
        ----------
        states : (m, d_model)
            Any states.
        k
            Number of neighbours.
        layers
            Layers of the bank to search in.

        Returns
        -------
        cosines, rows, layers : (m, k)
            Cosine, -1 to 1, no unit, the largest first; row of the bank; and its layer.

        Raises
        ------
        LayerError
            The bank lacks a layer.
        MethodError
            A state is not finite, or there are fewer than ``k`` states.
        """
        for layer in layers:
            if layer not in self.layers:
                raise LayerError(
                    f"layer is {layer}; expected one of the bank: {[*self.layers]}. Make one with this layer."
                )
        if not np.isfinite(states).all():
            raise MethodError(
                "states has numbers that are not finite; expected finite ones. Load the model in float32."
            )
        n = len(self)
        if k > n * len(layers):
            raise MethodError(f"k is {k}; expected at most {n * len(layers)}, the number of states in the bank.")
        keys = np.concatenate([self.states[self.layers.index(layer)] for layer in layers]) if len(layers) > 1 else None
        keys = self.states[self.layers.index(layers[0])] if keys is None else keys
        parts = []
        for part in _chunks(_normalized(np.asarray(states, np.float32)), max(1, BUDGET // (8 * len(keys)))):
            cosines = part @ keys.T
            best = np.argpartition(-cosines, k - 1, axis=1)[:, :k]
            values = np.take_along_axis(cosines, best, 1)
            order = np.argsort(-values, axis=1, kind="stable")
            parts.append((np.take_along_axis(values, order, 1), np.take_along_axis(best, order, 1)))
        values, best = (np.concatenate(column) for column in zip(*parts, strict=True))
        return np.clip(values, -1, 1), best % n, np.asarray(layers)[best // n]

    def sentence(self, row: int) -> str:
        """Sentence of a state.

        Parameters
        ----------
        row
            Row of the bank.
        """
        return self.sentences[int(self.sentence_of[row])]

    def require(self, model: Model) -> None:
        """Refuse another model than that of the bank.

        Parameters
        ----------
        model
            The model.

        Raises
        ------
        MethodError
            It is another one.
        """
        own, other = (self.model, self.revision, self.states.shape[2]), (model.name, model.revision, model.d_model)
        if own != other:
            raise MethodError(f"The bank is of the model {own}; expected {other}. Make one with this model.")

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the bank as one safetensors file with its texts as JSON, whole or not at all.

        Parameters
        ----------
        path
            The file, such as ``toy.bank``; it may exist.
        """
        about = {"format": 1, "kind": "contextual bank", "model": self.model, "revision": self.revision}
        about |= {
            "d_model": self.states.shape[2],
            "layers": self.layers,
            "words": self.words,
            "sentences": self.sentences,
        }
        return save_described(path, {"states": self.states, "sentence_index": self.sentence_of}, about)

    @staticmethod
    def open(path: str | os.PathLike[str]) -> ContextualBank:
        """Read a bank.

        Parameters
        ----------
        path
            A file of :meth:`save`.

        Raises
        ------
        StudyError
            The file is missing, damaged, or no bank.
        """
        about, tensors, place = read_described(path, "a contextual bank", _CONTENT)
        layers, n = about["layers"], len(about["words"])
        if not layers or sorted(set(layers)) != list(layers) or not n:
            raise StudyError(
                f"{place} has the layers {layers} and {n} words; expected ascending layers and a word. Copy it again."
            )
        shapes = {"states": (len(layers), n, about["d_model"]), "sentence_index": (n,)}
        check_tensors(tensors, shapes, place)
        places = tensors["sentence_index"]
        if places.min() < 0 or places.max() >= len(about["sentences"]):
            raise StudyError(
                f"{place} has sentences up to {int(places.max())}; expected 0 to {len(about['sentences']) - 1}."
            )
        if not np.allclose(np.linalg.norm(tensors["states"], axis=-1), 1, atol=1e-3):
            raise StudyError(f"{place} has states of other lengths than 1; expected normalised ones. Copy it again.")
        words, sentences = about["words"], about["sentences"]
        return ContextualBank(layers, tensors["states"], words, sentences, places, about["model"], about["revision"])

    def __repr__(self) -> str:
        n = len(Counter(word.casefold() for word in self.words))
        return f"ContextualBank of {self.model}: {len(self)} states of {n} words, layers {[*self.layers]}"


def _normalized(states: np.ndarray) -> np.ndarray:
    """States of length 1."""
    scaled = states / np.maximum(np.abs(states).max(-1, keepdims=True), 1e-30)  # squares of large states overflow
    return np.asarray(scaled / np.maximum(np.linalg.norm(scaled, axis=-1, keepdims=True), 1e-30), np.float32)


def _chunks(states: np.ndarray, size: int) -> Iterator[np.ndarray]:
    return (states[start : start + size] for start in range(0, len(states), size))
