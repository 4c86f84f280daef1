"""Representations: residual-stream vectors at a token's position, and their provenance."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from ..errors import NbtoolkitError
from .copies import CopiedByFields
from .layers import resolve_layer
from .rows import checked_occurrences

Array = np.ndarray
_DIGEST_ROWS = 4096  # rows that are hashed at a time


def read_only(array: Any) -> Array:
    """Read-only view of an array; a memory-mapped array stays mapped.

    Parameters
    ----------
    array : array-like
        Any shape.
    """
    view = (array if isinstance(array, np.memmap) else np.asarray(array)).view()
    view.flags.writeable = False
    return view


def check_shape(what: str, array: Array, shape: tuple[int | None, ...], meaning: str) -> None:
    """Refuse an array of another shape, or of other things than real numbers.

    Parameters
    ----------
    what
        Name of the array, for the message.
    array : array
        The array.
    shape
        Expected size of each axis; None stands for any size.
    meaning
        The expected shape in words, for the message.

    Raises
    ------
    NbtoolkitError
        The shape differs, or the entries are no real numbers.
    """
    if array.ndim != len(shape) or any(s not in (None, n) for s, n in zip(shape, array.shape, strict=True)):
        raise NbtoolkitError(f"{what} has shape {array.shape}; expected {meaning}.")
    if array.dtype.kind not in "fiub":
        raise NbtoolkitError(f"{what} has entries of type {array.dtype}; expected real numbers, {meaning}.")


@dataclass(frozen=True)
class Source:
    """Provenance of representations: what is needed to compute them again.

    Attributes
    ----------
    model, revision
        Hub id or folder of the checkpoint, and its commit where there is one.
    token, token_ids
        The word under study and the sub-token sequences that count as it.
    prompt, decoding
        The rendered prompt, and how the responses were made (``"greedy"`` or ``"given captions"``). Where every image
        has its own question, the prompt has ``{question}`` in its place.
    where
        ``"predict"``: the position whose output is the token.
    layer_convention
        Meaning of a layer index.
    data, n_candidates
        Fingerprint of the data set, and the number of its samples with the token in a caption.
    max_new_tokens
        Longest response, in sub-tokens.
    versions
        Library versions.
    generation_overrides
        Settings of the checkpoint's generation configuration that greedy decoding overrides, as ``"name=value"``
        (sampling, beams, penalties, suppressed tokens …); empty where there is none, or where nothing was generated.
    system
        Text of the system message; empty where there is none.
    questions
        Sample id to question, of all candidates; empty where every image has the same question.
    adapters
        Names and kinds of the adapters (LoRA …) that acted in the model; empty where there was none.
    n_images
        Largest number of images per sample; the rendered prompt has as many.
    max_image_tokens, image_options
        The most positions that an image may take, None where there is no limit, and the options of the image
        processor that keep to it, where they differ from the shipped ones.
    """

    model: str = ""
    revision: str = ""
    token: str = ""
    token_ids: tuple[tuple[int, ...], ...] = ()
    prompt: str = ""
    decoding: str = ""
    where: str = "predict"
    layer_convention: str = (
        "0 = input of block 0, l = raw output of block l, n_layers = output of the last block before the final norm"
    )
    data: str = ""
    n_candidates: int = 0
    max_new_tokens: int = 40
    versions: Mapping[str, str] = field(default_factory=dict)
    generation_overrides: tuple[str, ...] = ()
    system: str = ""
    questions: Mapping[str, str] = field(default_factory=dict)
    adapters: tuple[str, ...] = ()
    n_images: int = 1
    max_image_tokens: int | None = None
    image_options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Representations(CopiedByFields):
    """Residual-stream vectors at the token's position, one row per sample and occurrence of the token.

    Attributes
    ----------
    states : (n_samples, n_layers + 1, d_model)
        float32 (or float16, if extracted so); axis 1 follows ``layers``. Memory-mapped where there is a file.
    sample_ids : (n_samples,)
        Ids of the samples, in the order of the rows; with ``which="all"`` a sample has a row per occurrence of the token.
    captions : (n_samples,)
        Responses of the model (or the given captions).
    positions : (n_samples,)
        Index, within the response's sub-tokens, of the one that the state predicts.
    references
        Captions of the data set, per sample.
    layers
        The layer of each slice of axis 1; empty means 0 … n_layers.
    n_layers
        Number of blocks of the model; -1 means the last of ``layers``.
    skipped
        Excluded samples, id to reason: an unreadable image, or a response without the token.
    source
        Provenance.
    occurrences : (n_samples,)
        Number of each row among the rows of its sample, from 0; counted where not given. A row is identified by its
        sample id and its occurrence.

    Raises
    ------
    NbtoolkitError
        Shapes or lengths that do not fit each other, or two rows of one sample and occurrence.

    Examples
    --------
    >>> reps = Representations(np.zeros((2, 3, 4)), ["a", "b"], ["a dog", "the dog"], [1, 1])
    >>> reps.layer(-1).shape, reps.layers
    ((2, 4), (0, 1, 2))
    """

    states: Array
    sample_ids: tuple[str, ...]
    captions: tuple[str, ...]
    positions: tuple[int, ...]
    references: tuple[tuple[str, ...], ...] = ()
    layers: tuple[int, ...] = ()
    n_layers: int = -1
    skipped: Mapping[str, str] = field(default_factory=dict)
    source: Source = field(default_factory=Source)
    occurrences: tuple[int, ...] = ()
    _digests: dict[int, str] = field(default_factory=dict, init=False, repr=False)

    def __post_init__(self) -> None:
        states = read_only(self.states)
        check_shape("Representations.states", states, (None, None, None), "(n_samples, n_layers + 1, d_model)")
        n = len(states)
        for name in ("sample_ids", "captions", "positions"):
            if len(getattr(self, name)) != n:
                raise NbtoolkitError(
                    f"Representations.{name} has {len(getattr(self, name))} entries; expected n_samples = {n}, one per row of states."
                )
        layers = tuple(int(layer) for layer in self.layers) or tuple(range(states.shape[1]))
        if len(layers) != states.shape[1]:
            raise NbtoolkitError(
                f"Representations.layers names {len(layers)} layers; expected {states.shape[1]}, one per slice of axis 1 of states."
            )
        object.__setattr__(self, "states", states)
        object.__setattr__(self, "layers", layers)
        object.__setattr__(self, "n_layers", layers[-1] if self.n_layers < 0 else int(self.n_layers))
        object.__setattr__(self, "references", tuple(tuple(r) for r in self.references) or ((),) * n)
        for name in ("sample_ids", "captions", "positions"):
            object.__setattr__(self, name, tuple(getattr(self, name)))
        occurrences = checked_occurrences("Representations", self.sample_ids, self.occurrences)
        object.__setattr__(self, "occurrences", occurrences)

    def __len__(self) -> int:
        return len(self.sample_ids)

    def __repr__(self) -> str:
        n, _, d = self.states.shape
        return f"Representations of {self.source.token!r}: {n} samples, layers {self.layers[0]}–{self.layers[-1]}, d_model {d}"

    @property
    def row_keys(self) -> tuple[tuple[str, int], ...]:
        """What identifies each row: (sample id, occurrence)."""
        return tuple(zip(self.sample_ids, self.occurrences, strict=True))

    def digest(self, layer: int) -> str:
        """Hash of all states of one layer and of what identifies their rows; computed once.

        Parameters
        ----------
        layer
            A whole number; negative indices count from the model's last layer.

        Returns
        -------
        str
            BLAKE2b of 16 bytes, in hexadecimal.
        """
        index = self.resolve(layer)
        if index not in self._digests:
            states = self.states[:, self.layers.index(index)]
            digest = hashlib.blake2b(repr((states.dtype.str, states.shape, self.row_keys)).encode(), digest_size=16)
            for start in range(0, len(states), _DIGEST_ROWS):
                digest.update(np.ascontiguousarray(states[start : start + _DIGEST_ROWS]).data)
            self._digests[index] = digest.hexdigest()
        return self._digests[index]

    def resolve(self, layer: int) -> int:
        """Stored layer of an index; negative indices count from the model's last layer.

        Parameters
        ----------
        layer
            A whole number.

        Raises
        ------
        LayerError
            The layer was not extracted, or is not a whole number.
        """
        return resolve_layer(
            layer, self.n_layers, available=self.layers, hint="Extract further layers with layers=[…]."
        )

    def layer(self, layer: int) -> Array:
        """States of one layer, (n_samples, d_model) float32.

        Parameters
        ----------
        layer
            A whole number; negative indices count from the model's last layer.
        """
        return read_only(self.states[:, self.layers.index(self.resolve(layer))].astype(np.float32, copy=False))

    def select(self, rows: Sequence[int] | Array, layers: Sequence[int] | None = None) -> Representations:
        """Some of the rows, and of the layers; what identifies a row stays.

        Parameters
        ----------
        rows : (n,)
            Numbers of the rows, in any order, each at most once.
        layers
            The layers; all that there are where None. Negative ones count from the model's last layer.

        Raises
        ------
        LayerError
            A layer that was not extracted.
        NbtoolkitError
            A row that is named twice.

        Examples
        --------
        >>> reps = Representations(np.zeros((3, 2, 4)), ["a", "b", "c"], [""] * 3, [0] * 3)
        >>> reps.select([2, 0], layers=[-1]).sample_ids
        ('c', 'a')
        """
        index = np.asarray(rows, int)
        names = ("sample_ids", "captions", "positions", "references", "occurrences")
        per_row: dict[str, Any] = {name: tuple(getattr(self, name)[i] for i in index) for name in names}
        if layers is None:
            return replace(self, states=self.states[index], **per_row)
        resolved = tuple(self.resolve(layer) for layer in layers)
        columns = [self.layers.index(layer) for layer in resolved]
        return replace(self, states=self.states[:, columns][index], layers=resolved, **per_row)
