"""A concept dictionary, its grounding, and its scores."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

from ..errors import MethodError, NbtoolkitError
from .naming import PAPER, Naming
from .representations import Array, Source, check_shape, read_only


class Encoder(Protocol):
    """A fitted scikit-learn transformer."""

    def transform(self, X: Array) -> Array:
        """Activations of states.

        Parameters
        ----------
        X : (n, d_model)
            States.
        """


@dataclass(frozen=True, eq=False)
class ConceptDictionary:
    """A concept dictionary: the concepts, and how strongly each sample uses them.

    Attributes
    ----------
    concepts : (n_concepts, d_model)
        U, one concept per row.
    activations : (n_samples, n_concepts)
        V, no unit; signed for methods that allow it.
    sample_ids : (n_samples,)
        Ids of the rows of ``activations``.
    layer
        Layer whose states were decomposed.
    method, parameters
        Name and parameters of the decomposition.
    encoder
        The fitted estimator behind :meth:`encode`.
    reconstruction_error
        ‖Z − Ẑ‖² / ‖Z‖², no unit: 0 is perfect, 1 explains nothing.
    unexplained : (n_samples,)
        ‖z − ẑ‖² / ‖z‖² per sample, no unit.
    source
        Provenance of the states.

    Raises
    ------
    NbtoolkitError
        Shapes that do not match.

    Examples
    --------
    >>> ConceptDictionary(np.eye(2, 3), np.ones((4, 2)), ["a", "b", "c", "d"], layer=1, method="PCA").n_concepts
    2
    """

    concepts: Array
    activations: Array
    sample_ids: tuple[str, ...]
    layer: int
    method: str
    parameters: Mapping[str, Any] = field(default_factory=dict)
    encoder: Encoder | None = None
    reconstruction_error: float = float("nan")
    source: Source = field(default_factory=Source)
    unexplained: Array | None = None

    def __post_init__(self) -> None:
        concepts, activations = np.asarray(self.concepts), np.asarray(self.activations)
        check_shape("ConceptDictionary.concepts", concepts, (None, None), "(n_concepts, d_model)")
        check_shape("ConceptDictionary.activations", activations, (len(self.sample_ids), len(concepts)),
               f"(n_samples, n_concepts) = ({len(self.sample_ids)}, {len(concepts)})")  # fmt: skip
        object.__setattr__(self, "concepts", read_only(concepts))
        object.__setattr__(self, "activations", read_only(activations))
        object.__setattr__(self, "sample_ids", tuple(self.sample_ids))
        if self.unexplained is not None:
            check_shape(
                "ConceptDictionary.unexplained", np.asarray(self.unexplained), (len(self.sample_ids),), "(n_samples,)"
            )
            object.__setattr__(self, "unexplained", read_only(self.unexplained))

    @property
    def n_concepts(self) -> int:
        """Number of concepts, dead ones included."""
        return len(self.concepts)

    def __repr__(self) -> str:
        return f"ConceptDictionary of {self.source.token!r}: {self.n_concepts} concepts by {self.method} at layer {self.layer}, {len(self.sample_ids)} samples"

    def concept(self, k: int) -> Array:
        """One concept, (d_model,).

        Parameters
        ----------
        k
            Row of the concept, counted from 0.

        Raises
        ------
        MethodError
            There is no such concept.
        """
        if not 0 <= k < self.n_concepts:
            raise MethodError(f"There is no concept {k}; the dictionary has {self.n_concepts}, counted from 0.")
        return self.concepts[k]

    def encode(self, states: Array) -> Array:
        """Activations of new samples at this layer.

        Parameters
        ----------
        states : (n, d_model)
            Residual-stream vectors of the same layer.

        Returns
        -------
        (n, n_concepts) array
            For a training row, exactly its row of ``activations``.
        """
        if self.encoder is None:
            raise NbtoolkitError(
                f"This {self.method} dictionary was stored without its encoder. Decompose the representations again to encode new samples."
            )
        states = np.atleast_2d(np.asarray(states))
        check_shape(
            "states", states, (None, self.concepts.shape[1]), f"(n, d_model) with d_model = {self.concepts.shape[1]}"
        )
        return activations_of(self.encoder, states)


def activations_of(encoder: Encoder, states: Array) -> Array:
    """Activations as the paper defines them: larger is closer, (n, n_concepts).

    A clustering transformer returns distances; the activation is then 1 / (1 + distance), as in the authors' code.

    Parameters
    ----------
    encoder
        A fitted estimator.
    states : (n, d_model)
        States of the estimator's layer.
    """
    values = np.asarray(encoder.transform(np.asarray(states)))
    return 1.0 / (1.0 + values) if hasattr(encoder, "cluster_centers_") else values


@dataclass(frozen=True, eq=False)
class Grounding:
    """Grounding of concepts: words by unembedding, exemplars by activation.

    Attributes
    ----------
    words
        Per concept, its words that pass the filter, best first.
    exemplars
        Per concept, the ids of its most activating samples, strongest first.
    tokens
        Per concept, its top tokens before the filter.
    filter
        Name of the word filter.
    naming
        Rule by which the words were read, with the measurement that chose it.

    Examples
    --------
    >>> Grounding(words=[["sun", "day"]], exemplars=[["photo-7"]])
    Grounding of 1 concepts
      0  sun, day
    """

    words: tuple[tuple[str, ...], ...] | list[list[str]]
    exemplars: tuple[tuple[str, ...], ...] | list[list[str]]
    tokens: tuple[tuple[str, ...], ...] | list[list[str]] = ()
    filter: str = "default"
    naming: Naming = PAPER

    def __post_init__(self) -> None:
        if len(self.words) != len(self.exemplars):
            raise NbtoolkitError(
                f"Grounding has words for {len(self.words)} concepts but exemplars for {len(self.exemplars)}; expected the same number."
            )
        for name in ("words", "exemplars", "tokens"):
            object.__setattr__(self, name, [list(row) for row in getattr(self, name)])

    def __repr__(self) -> str:
        lines = [
            f"{k:3d}  {', '.join(words[:5]) or '(no word passed the filter)'}" for k, words in enumerate(self.words)
        ]
        return "\n".join([f"Grounding of {len(self.words)} concepts", *lines])


@dataclass(frozen=True, eq=False)
class Scores:
    """Scores of one dictionary and its grounding: a number per score.

    :class:`nbtoolkit.types.Score` holds one score: a value per sample or concept, with mean, deviation and interval.

    Attributes
    ----------
    values
        Score name to value (see :func:`nbtoolkit.evaluate` for names and units).
    spread
        Standard deviation over concepts, for scores that have one value per concept.
    baseline
        The same score for random words on the same exemplars.
    per_concept
        Score name to (n_concepts,) values.

    Examples
    --------
    >>> Scores({"overlap": 0.25})["overlap"]
    0.25
    """

    values: Mapping[str, float] = field(default_factory=dict)
    spread: Mapping[str, float] = field(default_factory=dict)
    baseline: Mapping[str, float] = field(default_factory=dict)
    per_concept: Mapping[str, Array] = field(default_factory=dict)

    def __getitem__(self, name: str) -> float:
        return self.values[name]

    def __repr__(self) -> str:
        return "Scores(" + ", ".join(f"{k} {v:.3g}" for k, v in self.values.items()) + ")"
