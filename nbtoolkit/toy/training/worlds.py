"""What training needs of a world: its factors, a sampler of scenes, and captions."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from PIL import Image

from ..world import grammar
from ..world.drawing import render
from ..world.second import grammar as second_grammar
from ..world.second import vocabulary
from ..world.second.drawing import draw

Facts = dict[str, str]


@dataclass(frozen=True)
class World:
    """A world to train on.

    Parameters
    ----------
    values
        Factor to the values that a tower is trained to tell apart.
    sample
        Gives the facts and the image of one training scene from a random state.
    caption
        Captions facts, from a random state.
    words
        Content word to factor and value.
    """

    values: Mapping[str, list[str]]
    sample: Callable[[np.random.Generator], tuple[Facts, Image.Image]]
    caption: Callable[[Mapping[str, str], np.random.Generator], str]
    words: Mapping[str, tuple[str, str]]


def _first(rng: np.random.Generator) -> tuple[Facts, Image.Image]:
    factors = grammar.sample_factors(rng, heldout=False)
    return factors, render(factors, rng)


def _second(rng: np.random.Generator) -> tuple[Facts, Image.Image]:
    scene = second_grammar.sample_scene(rng)
    return dict(scene.factors), draw(scene)


def _values() -> dict[str, list[str]]:
    values = {f: sorted({v for s in grammar.DOMAIN.values() for v in s.get(f, ())}) for f in grammar.FACTORS}
    return values | {"subject": list(grammar.SUBJECTS), "weather": list(grammar.WEATHER), "count": ["one", "two"]}


def _second_values() -> dict[str, list[str]]:
    """Values that captions state; the sense of "bat" is no label, so nothing but its look tells the two apart."""
    values = {f: ["none", *phrases] for f, phrases in vocabulary.PHRASES.items()}
    return values | {"subject": list(vocabulary.SUBJECTS), "count": ["one", "two"]}


FIRST = World(_values(), _first, grammar.caption, grammar.WORDS)
SECOND = World(_second_values(), _second, second_grammar.caption, vocabulary.WORDS)
WORLDS: Mapping[str, World] = {"first": FIRST, "second": SECOND}
