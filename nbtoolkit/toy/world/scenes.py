"""Captioned scenes with known factors, as a Hugging Face data set."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from ...errors import DataError
from ...types.arguments import checked
from .drawing import render
from .grammar import FACTORS, Factors, caption, sample_factors
from .second.grammar import SPLITS as SECOND_SPLITS
from .second.scenes import second_factors, second_scene
from .second.vocabulary import FACTORS as SECOND_FACTORS
from .second.vocabulary import NUMBERS

if TYPE_CHECKING:
    import datasets

SPLITS = ("train", "test", "heldout")
N_CAPTIONS = 4
_FIRST = 20_000  # scenes without a match, after which there is none


@checked
def scenes(n: int, random_state: int = 0, split: str = "train", world: str = "first") -> datasets.Dataset:
    """Sample captioned scenes of an embedded world.

    Parameters
    ----------
    n
        Number of scenes.
    random_state
        Seed; the same seed gives the same scenes, and no scene is in two splits.
    split
        ``"train"`` and ``"test"`` follow the training distribution; ``"heldout"`` has only the combinations of
        subject, colour and background that training never shows (about one in seven). ``"shifted"``, of the second world
        only, has its spurious pairs in half of the scenes with the prop, not in 95 %.
    world
        ``"first"``, or ``"second"``: with spurious pairs (a frisbee on grass, a traffic light on a street), two senses of
        "bat", a hierarchy (``snow`` is ``outdoors``, ``running`` is ``moving``), graded factors and untold distractors.

    Returns
    -------
    datasets.Dataset
        ``id``, ``image`` (128 × 128 pixels, RGB), ``captions`` (four per scene) and ``factors`` (subject, colour, action,
        background, weather, prop, count; weather and prop may be ``"none"``). The second world has the factors ``sense,
        motion, place, size, light`` too; ``numbers`` (size, darkness, shade, position; 0 to 1, no unit), of which words
        tell extremes of size and darkness, and nothing tells the others; and ``seed``, for :func:`nbtoolkit.toy.render`.

    Raises
    ------
    DataError
        Unknown split or world, or a negative number of scenes.

    Examples
    --------
    >>> scenes(1, random_state=3)[0]["factors"]["subject"]
    'car'
    """
    import datasets  # only here: it takes longer to import than all of the world

    if world not in WORLDS:
        raise DataError(f"world is {world!r}; expected one of {', '.join(WORLDS)}.")
    splits, scene = WORLDS[world]
    if split not in splits:
        raise DataError(f"split is {split!r}; expected one of {', '.join(splits)}.")
    if n < 0:
        raise DataError(f"n is {n}; expected 0 or more scenes.")
    text = datasets.Value("string")
    features: dict[str, Any] = {"id": text, "image": datasets.Image(), "captions": datasets.List(text)}
    if world == "first":
        features["factors"] = dict.fromkeys(FACTORS, text)
    else:
        features["factors"] = dict.fromkeys(SECOND_FACTORS, text)
        features["numbers"] = dict.fromkeys(NUMBERS, datasets.Value("float64"))
        features["seed"] = datasets.Value("int64")
    rows = [_encoded(scene(random_state, split, i)) for i in range(n)]
    columns = {name: [row[name] for row in rows] for name in features}
    return datasets.Dataset.from_dict(columns, features=datasets.Features(features))


def scenes_with(n: int, random_state: int, split: str, world: str, **factors: str) -> list[dict[str, Any]]:
    """Rows of the first scenes that have given values of factors; only these are drawn.

    Parameters
    ----------
    n
        Number of scenes.
    random_state, split, world
        As for :func:`scenes`, whose rows these are.
    **factors
        Factor to value.

    Returns
    -------
    list of dict
        As the rows of :func:`scenes`, with ``image`` as drawn.

    Raises
    ------
    DataError
        No scene has them.

    Examples
    --------
    >>> scenes_with(1, 0, "test", "second", subject="bat", count="one")[0]["factors"]["subject"]
    'bat'
    """
    _, scene = WORLDS[world]
    sampled = _first_factors if world == "first" else second_factors
    rows: list[dict[str, Any]] = []
    i = 0
    while len(rows) < n:
        if factors.items() <= dict(sampled(random_state, split, i)).items():
            rows.append(scene(random_state, split, i))
        i += 1
        if i == _FIRST and not rows:
            raise DataError(
                f"None of {_FIRST:,} scenes of the {world} world has {factors}; expected values that it has."
            )
    return rows


def _first_rng(random_state: int, split: str, i: int) -> np.random.Generator:
    return np.random.default_rng([random_state, SPLITS.index(split), i])


def _first_factors(random_state: int, split: str, i: int) -> Factors:
    return sample_factors(_first_rng(random_state, split, i), heldout=split == "heldout")


def _first_scene(random_state: int, split: str, i: int) -> dict[str, Any]:
    """Row of one scene of the first world, its image as drawn."""
    rng = _first_rng(random_state, split, i)
    factors = sample_factors(rng, heldout=split == "heldout")
    image = render(factors, rng)
    captions = [caption(factors, rng) for _ in range(N_CAPTIONS)]
    return {"id": f"{split}-{random_state}-{i:05d}", "image": image, "captions": captions, "factors": factors}


def _encoded(row: dict[str, Any]) -> dict[str, Any]:
    buffer = io.BytesIO()
    row["image"].save(buffer, "JPEG", quality=92, subsampling=0)
    return {**row, "image": {"bytes": buffer.getvalue(), "path": None}}


# world to its splits, and to the row of a scene
WORLDS: dict[str, tuple[tuple[str, ...], Callable[[int, str, int], dict[str, Any]]]] = {
    "first": (SPLITS, _first_scene),
    "second": (SECOND_SPLITS, second_scene),
}
