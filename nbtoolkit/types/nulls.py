"""Nulls: what a number is without the thing that it claims, each with what it preserves."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Null:
    """Name of a null, and what it preserves.

    Attributes
    ----------
    name
        A short noun, as views and reports show it.
    preserves
        What is the same as in the data, as the end of the sentence "it preserves …".

    Examples
    --------
    >>> print(RANDOM_WORDS)
    random words: preserves the number of words, the word filter and the exemplars
    """

    name: str
    preserves: str

    def __str__(self) -> str:
        return f"{self.name}: preserves {self.preserves}"


RANDOM_MIXTURES = Null(
    "random mixtures",
    "mean and covariance of the concepts (random rotation) or the values of every coordinate (exchange); the stricter counts",
)
RANDOM_ACTIVATIONS = Null(
    "random mixtures",
    "mean and covariance of the activations (random rotation) or the activations themselves (other samples); the stricter counts",
)
RANDOM_ROWS = Null("random rows", "the distribution of the states; nothing is learnt")
OTHER_ROWS = Null("dictionary of other rows", "the method, its settings and the layer; no sample is shared")
RANDOM_DIRECTION = Null("random direction, same length", "the length of the change of the state at every position")
OTHER_CONCEPT = Null(
    "other concepts, same length", "the length of the change at every position; the directions are other concepts"
)
RANDOM_ORDER = Null("random order", "the concepts that each sample uses, and their parts")
RANDOM_WORDS = Null("random words", "the number of words, the word filter and the exemplars")
SHUFFLED_WORDS = Null(
    "words of the dictionary", "the number of words, the vocabulary of the dictionary and the exemplars"
)
CONSTANT_WORD = Null("token alone", "the word that all samples share, as a list of one word, and the exemplars")
OTHER_SOURCES = Null(
    "other sources", "the number of sources that are cut, the targets and the layers; the sources are others"
)
PLACEBO_IMAGE = Null(
    "placebo image", "the model, the question, the response and the positions; the image is an unrelated one"
)
EMPTY_IMAGE = Null(
    "another empty image", "the model, the question, the response and the positions; neither image shows anything"
)
RANDOM_PATCHES = Null("random order", "the patches, their number at every step and the baseline; their order is random")
SHUFFLED_MAP = Null("shuffled map", "the values of the map; its patches are shuffled")
OTHER_IMAGE = Null(
    "image without content",
    "the model, the question, the response, and the size of the image: its negative mixed with noise",
)
UNIFORM_ATTENTION = Null("uniform attention", "the positions that each head can read")
RANDOM_PIECES = Null(
    "random sub-tokens", "the parts, the frozen norms and the kind of the quantity; the words are random"
)
