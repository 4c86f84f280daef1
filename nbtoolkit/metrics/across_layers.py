"""Concepts followed through the layers of a study: threads of concepts that are matched from layer to layer."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import MethodError
from ..storage.study import Study
from ..types import ConceptDictionary
from ..types.arguments import checked
from ..types.copies import CopiedByFields
from ..types.representations import read_only
from .layer_matching import LayerMatch, check_size, match_layers
from .sparsity import energy

if TYPE_CHECKING:
    import pandas

Array = np.ndarray


@dataclass(frozen=True, eq=False)
class Threads(CopiedByFields):
    """Threads of a study: a thread is a concept that is followed through neighbouring layers.

    Threads are numbered by the layer in which they begin, then by importance (total activation times norm), so the order
    of the concepts in a dictionary plays no part.

    Attributes
    ----------
    layers
        Layers of the study, ascending.
    numbers
        Per layer, the thread of each concept, (n_concepts,); -1 for a concept that no sample uses.
    matches
        Matching of each layer with the next one.

    Examples
    --------
    >>> from nbtoolkit.storage.example import noise_study
    >>> threads(noise_study()).of(1).tolist()
    [0, 1]
    """

    layers: tuple[int, ...]
    numbers: tuple[Array, ...]
    matches: tuple[LayerMatch, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "numbers", tuple(map(read_only, self.numbers)))

    def of(self, layer: int) -> Array:
        """Thread of each concept of a layer, (n_concepts,); -1 for a concept that no sample uses.

        Parameters
        ----------
        layer
            A layer of the study.

        Raises
        ------
        MethodError
            There is no such layer.
        """
        if layer not in self.layers:
            raise MethodError(f"layer is {layer!r}; expected one of {list(self.layers)}.")
        return self.numbers[self.layers.index(layer)]

    def thread(self, layer: int, concept: int) -> int | None:
        """Thread of a concept; None where no sample uses it, or there is no such concept.

        Parameters
        ----------
        layer
            A layer of the study.
        concept
            Row in its dictionary.
        """
        numbers = self.of(layer)
        return int(numbers[concept]) if 0 <= concept < len(numbers) and numbers[concept] >= 0 else None

    def member(self, thread: int, layer: int) -> int | None:
        """Concept of a thread in a layer; None where the thread has none.

        Parameters
        ----------
        thread
            Number of the thread.
        layer
            A layer of the study.
        """
        rows = np.flatnonzero((self.of(layer) == thread) & (thread >= 0))
        return int(rows[0]) if len(rows) else None

    def members(self, thread: int) -> dict[int, int]:
        """Concept of a thread per layer that has one, ascending.

        Parameters
        ----------
        thread
            Number of the thread.
        """
        pairs = ((layer, self.member(thread, layer)) for layer in self.layers)
        return {layer: k for layer, k in pairs if k is not None}

    def given_name(self, labels: Mapping[str, str], layer: int, concept: int) -> str:
        """Name that a reader gave a concept: its own, else that of its thread in the nearest layer, else an empty text.

        Parameters
        ----------
        labels
            Names of concepts, ``"layer:concept"`` to the name.
        layer
            Layer of the concept.
        concept
            Its row in the dictionary.
        """
        own, thread = labels.get(f"{layer}:{concept}", ""), self.thread(layer, concept)
        if own or thread is None or not labels:
            return own
        members = self.members(thread)
        nearest = sorted(members, key=lambda other: (abs(other - layer), other))
        return next((labels[key] for at in nearest if (key := f"{at}:{members[at]}") in labels), "")

    @property
    def n_threads(self) -> int:
        """Number of threads."""
        return 1 + max((int(n.max(initial=-1)) for n in self.numbers), default=-1)

    @property
    def births(self) -> dict[int, int]:
        """First layer of each thread."""
        return {
            int(t): layer for layer, n in reversed([*zip(self.layers, self.numbers, strict=True)]) for t in n if t >= 0
        }

    @property
    def deaths(self) -> dict[int, int]:
        """Last layer of each thread."""
        return {int(t): layer for layer, n in zip(self.layers, self.numbers, strict=True) for t in n if t >= 0}

    def similarity_to_previous(self, layer: int) -> Array:
        """Similarity of each concept of a layer with the same thread in the layer before, (n_concepts,); NaN where it begins.

        Parameters
        ----------
        layer
            A layer of the study.
        """
        values, at = np.full(len(self.of(layer)), np.nan), self.layers.index(layer)
        if at:
            match = self.matches[at - 1]
            values[match.partners[match.linked]] = match.similarity[match.linked]
        return values

    def to_frame(self) -> pandas.DataFrame:
        """Table with a row per concept: thread, layer, concept, similarity with the layer before, and its null.

        Returns
        -------
        pandas.DataFrame
            Sorted by thread, then layer; without the concepts that no sample uses.
        """
        import pandas

        nulls = (float("nan"), *(m.null for m in self.matches))
        parts = [
            pandas.DataFrame(
                {
                    "thread": numbers,
                    "layer": layer,
                    "concept": np.arange(len(numbers)),
                    "similarity": self.similarity_to_previous(layer),
                    "null": null,
                }
            )
            for layer, numbers, null in zip(self.layers, self.numbers, nulls, strict=True)
        ]
        table = pandas.concat(parts)
        return table[table["thread"] >= 0].sort_values(["thread", "layer"], ignore_index=True)

    def __repr__(self) -> str:
        linked = sum(int(m.linked.sum()) for m in self.matches)
        return f"Threads: {self.n_threads} in {len(self.layers)} layers, {linked} links above the null"


@checked
def threads(study: Study, *, random_state: Any = 0) -> Threads:
    """Follow the concepts of a study through its layers: each layer is matched with the next one (see :func:`match_layers`).

    Parameters
    ----------
    study
        The study.
    random_state
        Seed of the nulls: an int, a ``numpy.random.Generator``, or None.

    Returns
    -------
    Threads
        The thread of every concept, with similarities and nulls.

    Raises
    ------
    MethodError
        A dictionary of more than 1,000 concepts.

    Examples
    --------
    >>> from nbtoolkit.storage.example import noise_study
    >>> threads(noise_study())
    Threads: 4 in 2 layers, 0 links above the null
    """
    rng = np.random.default_rng(random_state)
    cds: list[ConceptDictionary] = list(study.dictionaries.values())
    for cd in cds:
        check_size(cd)
    matches = tuple(match_layers(a, b, random_state=rng) for a, b in itertools.pairwise(cds))
    numbers: list[Array] = []
    following = 0
    for cd, match in zip(cds, (None, *matches), strict=False):
        own = np.full(cd.n_concepts, -1)
        if match is not None:
            own[match.partners[match.linked]] = numbers[-1][match.linked]
        used = _used(cd)
        born = [k for k in np.argsort(-energy(cd), kind="stable") if used[k] and own[k] < 0]
        own[born] = following + np.arange(len(born))
        following += len(born)
        numbers.append(own)
    return Threads(study.layers, tuple(numbers), matches)


def _used(cd: ConceptDictionary) -> Array:
    """Concepts that a sample uses and whose activations are finite, (n_concepts,) of bool."""
    return np.asarray(np.isfinite(cd.activations).all(0) & (cd.activations != 0).any(0))
