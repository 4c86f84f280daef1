"""What training needs of a world: its factors, a sampler of scenes, and captions."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
from PIL import Image

from ..world import grammar
from ..world.drawing import render
from ..world.second import grammar as second_grammar
from ..world.second import vocabulary
from ..world.second.drawing import draw


@dataclass(frozen=True)
class World:
    """A world to train on.

    Parameters
    ----------
    values
        Factor to the values that a tower is trained to tell apart.
    sample
        Gives one training scene from a random state.
    draw
        Draws a scene, from a random state of what it leaves open.
    facts
        Gives factor to value of a scene.
    caption
        Captions facts, from a random state.
    words
        Content word to factor and value.
    above
        Factor to the factor of the level above it, and value to the value above it.
    """

    values: Mapping[str, list[str]]
    sample: Callable[[np.random.Generator], Any]
    draw: Callable[[Any, np.random.Generator], Image.Image]
    facts: Callable[[Any], grammar.Factors]
    caption: Callable[[Mapping[str, str], np.random.Generator], str]
    words: Mapping[str, tuple[str, str]]
    above: Mapping[str, tuple[str, Mapping[str, str]]] = field(default_factory=dict)

    def corpus(self, n: int, random_state: int) -> Iterator[str]:
        """Captions that a tokenizer is trained on.

        Parameters
        ----------
        n
            Number of captions.
        random_state
            Seed.
        """
        rng = np.random.default_rng([random_state, 11])
        for _ in range(n):
            yield self.caption(self.facts(self.sample(rng)), rng)


def _values() -> dict[str, list[str]]:
    values = {f: sorted({v for s in grammar.DOMAIN.values() for v in s.get(f, ())}) for f in grammar.FACTORS}
    return values | {"subject": list(grammar.SUBJECTS), "weather": list(grammar.WEATHER), "count": ["one", "two"]}


def _second_values() -> dict[str, list[str]]:
    """Values that captions state; the sense of "bat" is no label, so nothing but its look tells the two apart."""
    values = {f: ["none", *phrases] for f, phrases in vocabulary.PHRASES.items()}
    return values | {"subject": list(vocabulary.SUBJECTS), "count": ["one", "two"]}


FIRST = World(_values(), partial(grammar.sample_factors, heldout=False), render, dict, grammar.caption, grammar.WORDS)
SECOND = World(
    _second_values(),
    second_grammar.sample_scene,
    lambda scene, rng: draw(scene),  # its seed settles all that the facts leave open
    lambda scene: dict(scene.factors),
    second_grammar.caption,
    vocabulary.WORDS,
    vocabulary.ABOVE,
)
WORLDS: Mapping[str, World] = {"first": FIRST, "second": SECOND}
