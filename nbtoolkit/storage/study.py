"""A study: everything about one word in one model, as an object and as a folder."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from types import MappingProxyType

from ..errors import NbtoolkitError
from ..types import ConceptDictionary, Grounding, Naming, Representations, Scores, Source, resolve_layer
from ..types.arguments import checked
from ..types.concept_names import concept_names
from ..types.copies import CopiedByFields
from .study_folder import write_study
from .study_reader import read_study


@dataclass(frozen=True)
class Sample:
    """One image of a study.

    Attributes
    ----------
    id
        Its id in the data set.
    caption, captions
        The model's response, and the captions of the data set.
    image
        JPEG thumbnail; empty where there is no image.
    pieces, position
        Parts that join to ``caption``, and the index of the one that is the token.
    """

    id: str
    caption: str
    captions: tuple[str, ...] = ()
    image: bytes = b""
    pieces: tuple[str, ...] = ()
    position: int = 0


@dataclass(frozen=True, eq=False)
class Study(CopiedByFields):
    """Everything about one word in one model: made once with :func:`nbtoolkit.study`, explored anywhere.

    Attributes
    ----------
    token
        The word.
    dictionaries, groundings, scores
        Layer to :class:`ConceptDictionary`, :class:`Grounding` and :class:`Scores`.
    samples
        The images, in the order of the rows of every dictionary.
    representations
        States that the dictionaries were learnt from.
    source
        Provenance.
    labels
        Names that readers gave concepts, ``"layer:concept"`` to the name.

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

    @property
    def naming(self) -> Naming:
        """Rule by which the words of the last layer were read, and the measurement behind it."""
        return self.groundings[self.layers[-1]].naming

    @cached_property
    def rows(self) -> Mapping[str, int]:
        """Sample id to its row, in the samples and in every dictionary."""
        return MappingProxyType({s.id: i for i, s in enumerate(self.samples)})

    def resolve(self, layer: int) -> int:
        """Layer of an index; negative indices count from the model's last layer.

        Parameters
        ----------
        layer
            A whole number.

        Raises
        ------
        LayerError
            The layer has no dictionary, or is not a whole number.
        """
        return resolve_layer(layer, self.representations.n_layers, available=self.layers)

    def sample(self, id: str) -> Sample:
        """Sample with an id.

        Parameters
        ----------
        id
            Its id in the data set.

        Raises
        ------
        NbtoolkitError
            There is no such sample.
        """
        if id not in self.rows:
            raise NbtoolkitError(f"No sample {id!r} in this study; its ids look like {self.samples[0].id!r}.")
        return self.samples[self.rows[id]]

    def dictionary(self, layer: int = -1) -> ConceptDictionary:
        """Dictionary of one layer.

        Parameters
        ----------
        layer
            A whole number; negative indices count from the model's last layer.
        """
        return self.dictionaries[self.resolve(layer)]

    def grounding(self, layer: int = -1) -> Grounding:
        """Words and exemplars of one layer's concepts.

        Parameters
        ----------
        layer
            As for :meth:`dictionary`.
        """
        return self.groundings[self.resolve(layer)]

    @cached_property
    def _automatic_names(self) -> dict[int, list[str]]:
        return {}

    def names(self, layer: int = -1, *, labels: Mapping[str, str] | None = None) -> list[str]:
        """What the concepts of one layer are called: given names, else :func:`nbtoolkit.types.concept_names.concept_names`.

        Parameters
        ----------
        layer
            As for :meth:`dictionary`.
        labels
            Given names, ``"layer:concept"`` to the name; those of the study if None.
        """
        layer, labels = self.resolve(layer), self.labels if labels is None else labels
        if layer not in self._automatic_names:
            self._automatic_names[layer] = concept_names(self.groundings[layer].words, self.token)
        return [labels.get(f"{layer}:{k}") or name for k, name in enumerate(self._automatic_names[layer])]

    def save(self, path: str | os.PathLike[str], *, overwrite: bool = True) -> Path:
        """Write the study as a folder, whole or not at all.

        Parameters
        ----------
        path
            Folder, ``~`` is the home folder; a study that is already there is replaced once the new one is complete.
        overwrite
            Whether an existing study may be replaced.

        Raises
        ------
        StudyError
            ``path`` exists and is not a study, ``overwrite`` is false and it exists, or the disk is full or read-only; what
            was there stays.
        """
        return write_study(self, path, overwrite=overwrite)

    def __repr__(self) -> str:
        d = self.dictionary(self.layers[-1])
        summary = f"{len(self.samples)} images, {d.n_concepts} concepts per layer by {d.method}"
        return f"Study of {self.token!r} in {self.source.model}: {summary}, layers {self.layers[0]}–{self.layers[-1]}"


@checked
def open_study(path: str | os.PathLike[str]) -> Study:
    """Open a study folder without torch, after checking every file against the manifest.

    Parameters
    ----------
    path
        A folder written by :meth:`Study.save`.

    Raises
    ------
    StudyError
        The folder is missing or is not a study, its format is not known, or one of its files is missing, truncated, altered,
        or does not hold what it should.

    Examples
    --------
    >>> import nbtoolkit as nbt
    >>> nbt.open_study("nowhere.study")
    Traceback (most recent call last):
    nbtoolkit.errors.StudyError: There is no study at 'nowhere.study'. Make one with nbt.study(…).save(path).
    """
    content = read_study(path)
    samples = [Sample(**row) for row in content.pop("samples")]
    return Study(samples=samples, **content)


def save_study(study: Study, path: str | os.PathLike[str], *, overwrite: bool = True) -> Path:
    """Write a study as a folder; see :meth:`Study.save`.

    Parameters
    ----------
    study
        The study.
    path, overwrite
        As for :meth:`Study.save`.
    """
    return study.save(path, overwrite=overwrite)
