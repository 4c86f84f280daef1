"""Causal selectivity: the fact that a concept names leaves the captions as the concept is ablated, and the others stay."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ...interventions import causal_selectivity
from ...models.adapter import Model
from ...types import Score
from ..world.facts import parse
from .dictionaries import Candidate
from .scores import Truth
from .truth import Fact, with_upper

Array = np.ndarray
N_IMAGES = 60  # of which each concept has those that state what it names
N_PER_CONCEPT = 8


def selectivity(
    model: Model,
    truth: Truth,
    candidate: Candidate,
    V: Array,
    *,
    world: str,
    n_per_concept: int = N_PER_CONCEPT,
    random_state: int = 0,
) -> Score:
    """Selectivity of each concept that is used: share of the named fact that goes, less that of the other facts.

    Facts are those that the grammar's parser reads from generated captions. A concept is 0 where its first word names no
    fact of any caption.

    Parameters
    ----------
    model
        The captioner.
    truth
        The truth, with the test images.
    candidate
        The concepts.
    V : (n_test_rows, n_concepts)
        Activations of the test rows.
    world
        The captioner's world.
    n_per_concept
        Images per concept.
    random_state
        Seed of the choice of images.
    """
    names = [_named(words[0], truth.meaning) if len(words) else set() for words in candidate.words]
    images: list[Any] = [scene["image"] for scene in truth.test.scenes[:N_IMAGES]]
    result = causal_selectivity(
        model,
        images,
        candidate.directions("causal", truth.mean),
        names,
        layer=truth.layer,
        facts=lambda text: {_text(fact) for fact in parse(text, world).items()},
        n_images=n_per_concept,
        n_null=0,
        random_state=random_state,
    )
    values = np.where(np.ptp(V, axis=0) > 0, 0.0, np.nan)
    values[list(result.concepts)] = result.score.values
    return Score(values, "selectivity")


def _named(word: str, meaning: Mapping[str, Fact]) -> set[str]:
    """The fact that a word names, and that of the level above, which goes with it."""
    return {_text(fact) for fact in with_upper(meaning[word])} if word in meaning else set()


def _text(fact: Fact) -> str:
    return "=".join(fact)
