"""A study: everything about one word in one model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from types import MappingProxyType
from typing import Any

from ..errors import NbtoolkitError
from .dictionary import ConceptDictionary, Grounding, Scores
from .representations import Representations, Source


@dataclass(frozen=True)
class Sample:
    """One picture of a study: ``image`` is a JPEG thumbnail; ``pieces`` join to the caption, ``position`` is the token's."""

    id: str
    caption: str
    captions: tuple[str, ...] = ()
    image: bytes = b""
    pieces: tuple[str, ...] = ()
    position: int = 0


@dataclass(frozen=True, eq=False)
class Study:
    """Everything about one word in one model: made once with :func:`nbtoolkit.study`, explored anywhere.

    Attributes
    ----------
    token
        The word.
    layers
        Layers that have a dictionary.
    samples
        The pictures, in the order of the rows of every dictionary.
    scores
        Layer to :class:`Scores`.
    representations
        The states behind the dictionaries.
    source
        Provenance.
    labels
        Names that people gave concepts, ``"layer:concept"`` to the name.

    Examples
    --------
    >>> import nbtoolkit as nbt
    >>> model, data = nbt.load_model("toy"), nbt.load_data("toy", n=200)
    >>> nbt.study(model, data, "train", method=nbt.SemiNMF(4, random_state=0), progress=False).dictionary(-1).layer
    5
    """

    token: str
    dictionaries: Mapping[int, ConceptDictionary]
    groundings: Mapping[int, Grounding]
    samples: Sequence[Sample]
    representations: Representations
    scores: Mapping[int, Scores] = field(default_factory=dict)
    source: Source = field(default_factory=Source)
    labels: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in ("dictionaries", "groundings", "scores"):
            object.__setattr__(self, name, MappingProxyType(dict(sorted(getattr(self, name).items()))))
        object.__setattr__(self, "samples", tuple(self.samples))
        object.__setattr__(self, "labels", MappingProxyType(dict(self.labels)))

    @property
    def layers(self) -> tuple[int, ...]:
        """Layers that have a dictionary, ascending."""
        return tuple(self.dictionaries)

    @cached_property
    def rows(self) -> Mapping[str, int]:
        """Id of a sample to its row, in the samples and in every dictionary."""
        return MappingProxyType({s.id: i for i, s in enumerate(self.samples)})

    def _resolve(self, layer: int) -> int:
        wanted = layer + self.representations.n_layers + 1 if layer < 0 else layer
        if wanted not in self.dictionaries:
            raise NbtoolkitError(f"Layer {layer} has no dictionary in this study; it has layers {list(self.layers)}.")
        return wanted

    def sample(self, id: str) -> Sample:
        """Sample with an id."""
        if id not in self.rows:
            raise NbtoolkitError(f"No sample {id!r} in this study; its ids look like {self.samples[0].id!r}.")
        return self.samples[self.rows[id]]

    def dictionary(self, layer: int = -1) -> ConceptDictionary:
        """Dictionary of one layer; negative indices count from the model's last layer."""
        return self.dictionaries[self._resolve(layer)]

    def grounding(self, layer: int = -1) -> Grounding:
        """Words and exemplars of one layer's concepts."""
        return self.groundings[self._resolve(layer)]

    def save(self, path: Any, *, overwrite: bool = True) -> Any:
        """Write the study as a folder, whole or not at all; see :func:`nbtoolkit.store.save_study`."""
        from ..store import save_study

        return save_study(self, path, overwrite=overwrite)

    def __repr__(self) -> str:
        d = self.dictionary(self.layers[-1])
        what = f"{len(self.samples)} pictures, {d.n_concepts} concepts a layer by {d.method}"
        return f"Study of {self.token!r} in {self.source.model}: {what}, layers {self.layers[0]}–{self.layers[-1]}"
