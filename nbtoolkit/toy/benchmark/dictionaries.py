"""How a method is read: oriented concepts in the model's stream, their words, and an encoder."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from scipy.stats import skew
from threadpoolctl import threadpool_limits

from ...decomposition import decompose
from ...grounding import ground
from ...models.adapter import Model
from ...types import ConceptDictionary, Naming, Representations
from .rows import subset
from .streams import Stream

Array = np.ndarray
N_WORDS = 5


@dataclass(frozen=True, eq=False)
class Candidate:
    """Concepts as the scores see them: directions of the model's stream, activations of any rows, words.

    Signed concepts are read in the direction in which their training activations have positive skewness: the rarer, stronger
    side is the concept.

    Attributes
    ----------
    concepts : (n_concepts, d_model)
        Rows of the decoder, mapped back to the model's stream.
    train : (n_rows, n_concepts)
        Activations of the training rows.
    encode
        From states of the model to activations (n_rows, n_concepts).
    words
        Words of each concept, best first.
    along
        Score to other directions than ``concepts``: for oracles.
    warnings
        What the method warned of.
    """

    concepts: Array
    train: Array
    encode: Callable[[Array], Array]
    words: Sequence[Sequence[str]]
    along: Mapping[str, Array] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()

    def directions(self, score: str, mean: Array) -> Array:
        """Directions of the concepts less their part along the mean state, (n_concepts, d_model) float64.

        The concepts of a method that does not centre all contain the mean state, which tells nothing about a concept.

        Parameters
        ----------
        score
            The score that they are for.
        mean : (d_model,)
            Mean training state.
        """
        if score in self.along:
            return np.asarray(self.along[score], np.float64)
        D, unit = np.asarray(self.concepts, np.float64), np.asarray(mean, np.float64)
        unit = unit / np.linalg.norm(unit)
        result: Array = D - np.outer(D @ unit, unit)
        return result

    def with_words(self, words: Sequence[Sequence[str]]) -> Candidate:
        """The same concepts with other words.

        Parameters
        ----------
        words
            Words of each concept.
        """
        return replace(self, words=words)


@dataclass(frozen=True)
class Reader:
    """How the words of concepts are read.

    Parameters
    ----------
    model
        The captioner.
    vocabulary
        Words that count.
    naming
        The naming rule.
    """

    model: Model
    vocabulary: frozenset[str]
    naming: Naming

    def words(self, directions: Array, layer: int) -> list[list[str]]:
        """Words of directions of the model's stream.

        Parameters
        ----------
        directions : (n_concepts, d_model)
            Directions.
        layer
            Their layer.
        """
        D = np.asarray(directions, np.float32)
        cd = ConceptDictionary(D, np.ones((1, len(D)), np.float32), ("0",), layer, "directions")
        g = ground(cd, self.model, n_words=N_WORDS, vocabulary=self.vocabulary, naming=self.naming)
        return [list(words) for words in g.words]


def learn(
    method: Any,
    reps: Representations,
    layer: int,
    reader: Reader,
    stream: Stream,
) -> Candidate:
    """Learn concepts of one layer of representations.

    Parameters
    ----------
    method
        A transformer, with its settings.
    reps
        Training rows.
    layer
        The layer.
    reader
        Reads the words.
    stream
        From the model's states to those that are decomposed, and back.

    Raises
    ------
    MethodError
        The method cannot decompose the states, or has no decoder.
    """
    forward, back = stream
    index = reps.resolve(layer)
    states = forward(reps.layer(index))
    seen = Representations(
        states[:, None], reps.sample_ids, reps.captions, reps.positions, reps.references, (index,), reps.n_layers
    )
    with warnings.catch_warnings(record=True) as caught, threadpool_limits(1):
        warnings.simplefilter("always")
        cd = decompose(seen, method, layer=index)
    D = np.asarray(back(cd.require_decoder("a score of the benchmark").astype(np.float64)))
    sign = np.ones(cd.n_concepts)
    if (cd.activations < 0).any():
        sign = np.where(np.nan_to_num(skew(cd.activations.astype(np.float64), axis=0)) < 0, -1.0, 1.0)
    messages = tuple(dict.fromkeys(str(w.message).split("\n")[0] for w in caught))
    words = reader.words(D * sign[:, None], index)
    return Candidate(
        D * sign[:, None], cd.activations * sign, lambda Z: cd.encode(forward(Z)) * sign, words, warnings=messages
    )


def half(reps: Representations, rng: np.random.Generator) -> Representations:
    """A random half of the rows.

    Parameters
    ----------
    reps
        Representations.
    rng
        Random state; it is advanced.
    """
    return subset(reps, sorted(rng.permutation(len(reps))[: len(reps) // 2].tolist()))
