"""Word lists that the scorer is trained on, and the grade of a text and a scene. Without torch."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np

from ..world import grammar
from .worlds import World

LONGEST = 15  # words of a list
FALSE_WEIGHT, LOWEST = 0.25, -0.25  # what a false fact costs, in true ones; the lowest grade
_FILLERS = tuple("a the with on in of photo there day next".split())  # words of captions that state nothing


def scene_facts(factors: grammar.Factors, world: World) -> set[tuple[str, str]]:
    """Facts of a scene that words of a list can state: all values but ``"none"``, and of the counts only "two".

    Parameters
    ----------
    factors
        Factor to value.
    world
        The world of the scene.
    """
    return {(f, factors[f]) for f in world.values if factors[f] not in ("none", "one")}


def text_facts(text: str, world: World) -> set[tuple[str, str]]:
    """Facts that the words of a text state, contradictory ones included, with those of the upper level that they imply.

    Parameters
    ----------
    text
        A caption or a list of words.
    world
        The world whose words are read; other words state nothing.
    """
    facts = {world.words[w] for w in re.findall(r"[a-z]+", text.lower()) if w in world.words}
    return facts | {(upper, v[b]) for a, b in facts for upper, v in [world.above.get(a, ("", {}))] if b in v}


def grades(texts: Sequence[str], scenes: Sequence[grammar.Factors], world: World) -> np.ndarray:
    """Share of the facts of each scene that each text states, less a quarter for each false one.

    Parameters
    ----------
    texts
        Captions or lists of words.
    scenes
        Factor to value, per scene.
    world
        The world of the scenes.

    Returns
    -------
    (n_texts, n_scenes) float32
        (true - false / 4) / facts of the scene, at least -0.25 and at most 1, no unit.

    Examples
    --------
    >>> scene = dict(subject="dog", colour="brown", action="sitting", background="snow", weather="none", prop="none",
    ...              count="one")
    >>> from nbtoolkit.toy.training.worlds import FIRST
    >>> grades(["dog", "dog, snow", "dog, beach"], [scene], FIRST).astype(float).round(2).ravel().tolist()
    [0.25, 0.5, 0.19]
    """
    stated, true = [text_facts(t, world) for t in texts], [scene_facts(s, world) for s in scenes]
    column = {fact: i for i, fact in enumerate(sorted(set().union(*stated, *true)))}
    rows = [np.zeros((len(sets), len(column)), np.float32) for sets in (stated, true)]
    for matrix, sets in zip(rows, (stated, true), strict=True):
        for i, facts in enumerate(sets):
            matrix[i, [column[f] for f in facts]] = 1
    a, b = rows
    right = a @ b.T
    values = (right - FALSE_WEIGHT * (a.sum(1)[:, None] - right)) / np.maximum(b.sum(1), 1)
    return np.maximum(values, LOWEST)


def sample_list(factors: grammar.Factors, world: World, rng: np.random.Generator) -> str:
    """Sample a list of 1 to ``LONGEST`` words: of some facts of a scene, with synonyms, and a random share of false words.

    Parameters
    ----------
    factors
        Factor to value.
    world
        The world of the scene.
    rng
        Random state; it is advanced.
    """
    facts = sorted(scene_facts(factors, world))
    some = {facts[i] for i in rng.permutation(len(facts))[: rng.integers(1, len(facts) + 1)]}
    true = [w for w, fact in world.words.items() if fact in some]
    false = [w for w, (f, v) in world.words.items() if factors[f] != v]
    n = int(rng.integers(1, LONGEST + 1))
    wrong = rng.binomial(n, rng.random()) if rng.random() < 0.6 else 0
    words = [*rng.permutation(true)[: n - wrong], *rng.permutation(false)[:wrong]]
    if rng.random() < 0.15:
        words += list(rng.permutation(_FILLERS)[: rng.integers(1, 4)])
    return ", ".join(rng.permutation(words))
