"""A concept dictionary: concepts, activations, and the decoder that leads back to states."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Protocol

import numpy as np

from ..errors import MethodError, NbtoolkitError
from .arguments import checked_array
from .copies import CopiedByFields
from .decoder import CODINGS, FromDecoder, coefficients_of, decode
from .representations import Array, Source, check_shape, read_only
from .rows import checked_occurrences
from .rules import ANY, Rule

_ERROR: Any = FromDecoder(float("nan"))
_REST: Any = FromDecoder(None)


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
class ConceptDictionary(CopiedByFields):
    """A concept dictionary: the concepts, how strongly each sample uses them, and the decoder.

    A state is reconstructed as ẑ = coefficients · D + b. Everything that is about parts of a state (reconstruction, words,
    concept maps, ablation, contributions) uses D and the coefficients; a method without a decoder is refused there.

    Attributes
    ----------
    concepts : (n_concepts, d_model)
        One concept per row: the rows of the decoder D, or of ``components_`` where the method has no decoder.
    activations : (n_samples, n_concepts)
        V, no unit; signed for methods that allow it.
    sample_ids : (n_samples,)
        Ids of the samples of the rows of ``activations``.
    layer
        Layer whose states were decomposed.
    method, parameters
        Name and parameters of the decomposition.
    encoder
        The fitted estimator behind :meth:`encode`.
    reconstruction_error
        ‖Z − Ẑ‖² / ‖Z‖², no unit: 0 is perfect, 1 explains nothing. Reading it raises ``MethodError`` without a decoder.
    unexplained : (n_samples,)
        ‖z − ẑ‖² / ‖z‖² per sample, no unit. Reading it raises ``MethodError`` without a decoder.
    source
        Provenance of the states.
    offset : (d_model,)
        b; zeros where not given, None without a decoder.
    coding
        How coefficients follow from activations: ``"activations"`` (they are the same), ``"one-hot"`` (clustering) or
        ``"least-squares"`` (activations are inner products with the concepts).
    missing_decoder
        Why the method has no decoder; empty where it has one.
    occurrences : (n_samples,)
        Number of each row among the rows of its sample, from 0; counted where not given.

    Raises
    ------
    NbtoolkitError
        Shapes that do not match, or an unknown coding.

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
    reconstruction_error: float = _ERROR
    source: Source = field(default_factory=Source)
    unexplained: Array | None = _REST
    offset: Array | None = None
    coding: str = "activations"
    missing_decoder: str = ""
    occurrences: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        concepts, activations = np.asarray(self.concepts), np.asarray(self.activations)
        check_shape("ConceptDictionary.concepts", concepts, (None, None), "(n_concepts, d_model)")
        check_shape("ConceptDictionary.activations", activations, (len(self.sample_ids), len(concepts)),
               f"(n_samples, n_concepts) = ({len(self.sample_ids)}, {len(concepts)})")  # fmt: skip
        object.__setattr__(self, "concepts", read_only(concepts))
        object.__setattr__(self, "activations", read_only(activations))
        object.__setattr__(self, "sample_ids", tuple(self.sample_ids))
        object.__setattr__(
            self, "occurrences", checked_occurrences("ConceptDictionary", self.sample_ids, self.occurrences)
        )
        rest = self.__dict__["unexplained"]
        if rest is not None:
            check_shape("ConceptDictionary.unexplained", np.asarray(rest), (len(self.sample_ids),), "(n_samples,)")
            object.__setattr__(self, "unexplained", read_only(rest))
        if self.coding not in CODINGS:
            raise NbtoolkitError(f"coding is {self.coding!r}; expected one of {', '.join(map(repr, CODINGS))}.")
        offset = np.zeros(concepts.shape[1], np.float32) if self.offset is None else np.asarray(self.offset)
        check_shape("ConceptDictionary.offset", offset, concepts.shape[1:], f"(d_model,) = ({concepts.shape[1]},)")
        object.__setattr__(self, "offset", None if self.missing_decoder else read_only(offset))

    @property
    def n_concepts(self) -> int:
        """Number of concepts, dead ones included."""
        return len(self.concepts)

    @property
    def row_keys(self) -> tuple[tuple[str, int], ...]:
        """What identifies each row: (sample id, occurrence)."""
        return tuple(zip(self.sample_ids, self.occurrences, strict=True))

    @property
    def decoder(self) -> Array | None:
        """D, (n_concepts, d_model): its rows are the concepts; None where the method has no decoder."""
        return None if self.missing_decoder else self.concepts

    @cached_property
    def coefficients(self) -> Array:
        """Coefficients of the training samples in ẑ = coefficients · D + b, (n_samples, n_concepts)."""
        return read_only(self.coefficients_of(self.activations))

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

        Raises
        ------
        NbtoolkitError
            The dictionary has no encoder, or states of another width.
        MethodError
            NaN or infinity.
        """
        if self.encoder is None:
            raise NbtoolkitError(
                f"This {self.method} dictionary was stored without its encoder. Decompose the representations again to encode new samples."
            )
        states = np.atleast_2d(checked_array("states", states, ANY))
        check_shape(
            "states", states, (None, self.concepts.shape[1]), f"(n, d_model) with d_model = {self.concepts.shape[1]}"
        )
        broken = np.flatnonzero(~np.isfinite(states).all(1))
        if len(broken):
            raise MethodError(
                f"states has NaN or infinity in row {broken[0]}; expected finite numbers. Leave the row out."
            )
        checked_array("states", states, Rule())
        if not len(states):
            return np.zeros((0, self.n_concepts), self.activations.dtype)
        return activations_of(self.encoder, states)

    def require_decoder(self, purpose: str) -> Array:
        """D, (n_concepts, d_model), or the reason why there is none.

        Parameters
        ----------
        purpose
            What needs it, for the message.

        Raises
        ------
        MethodError
            The method has no decoder.
        """
        if self.missing_decoder:
            raise MethodError(
                f"{self.method} at layer {self.layer} has no decoder ({self.missing_decoder}); {purpose} needs one. Decompose "
                "with a method whose inverse_transform is affine or that has components_, such as nbt.SemiNMF(20)."
            )
        return self.concepts

    def coefficients_of(self, activations: Array) -> Array:
        """Coefficients of the concepts for activations, (n, n_concepts).

        Parameters
        ----------
        activations : (n, n_concepts)
            For example of :meth:`encode`.

        Raises
        ------
        MethodError
            The method has no decoder.
        """
        return coefficients_of(np.asarray(activations), self.require_decoder("a coefficient"), self.coding)

    def decode(self, activations: Array) -> Array:
        """Reconstruction ẑ = coefficients · D + b of activations, (n, d_model) float64.

        Parameters
        ----------
        activations : (n, n_concepts)
            For example of :meth:`encode`.

        Raises
        ------
        MethodError
            The method has no decoder.
        """
        D = self.require_decoder("a reconstruction")
        return decode(self.coefficients_of(np.asarray(activations)), D, np.asarray(self.offset, np.float64))

    def reconstruct(self, states: Array) -> Array:
        """Reconstruction ẑ = coefficients · D + b of states of this layer.

        Parameters
        ----------
        states : (n, d_model)
            Residual-stream vectors of the dictionary's layer.

        Returns
        -------
        (n, d_model) float64 array
            Ẑ, in the unit of the states.

        Raises
        ------
        MethodError
            The method has no decoder.
        """
        self.require_decoder("a reconstruction")
        return self.decode(np.asarray(self.encode(states), np.float32))


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
    return 1.0 / (1.0 + values) if hasattr(last_step(encoder), "cluster_centers_") else values


def last_step(encoder: Any) -> Any:
    """The last step of a pipeline; any other estimator itself.

    Parameters
    ----------
    encoder
        A fitted estimator.
    """
    return encoder.steps[-1][1] if hasattr(encoder, "steps") else encoder
