"""Captioned scenes with known factors, as a Hugging Face data set."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import numpy as np

from ...errors import DataError
from .drawing import render
from .grammar import FACTORS, caption, sample_factors
from .second.scenes import second_scenes

if TYPE_CHECKING:
    import datasets

SPLITS = ("train", "test", "heldout")
N_CAPTIONS = 4
WORLDS = ("first", "second")


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
    if n < 0:
        raise DataError(f"n is {n}; expected 0 or more scenes.")
    if world == "second":
        return second_scenes(n, random_state, split)
    if split not in SPLITS:
        raise DataError(f"split is {split!r}; expected one of {', '.join(SPLITS)}.")
    rows: dict[str, list[object]] = {"id": [], "image": [], "captions": [], "factors": []}
    for i in range(n):
        rng = np.random.default_rng([random_state, SPLITS.index(split), i])
        factors = sample_factors(rng, heldout=split == "heldout")
        buffer = io.BytesIO()
        render(factors, rng).save(buffer, "JPEG", quality=92, subsampling=0)
        rows["id"].append(f"{split}-{random_state}-{i:05d}")
        rows["image"].append({"bytes": buffer.getvalue(), "path": None})
        rows["captions"].append([caption(factors, rng) for _ in range(N_CAPTIONS)])
        rows["factors"].append(factors)
    text = datasets.Value("string")
    features = datasets.Features(
        {
            "id": text,
            "image": datasets.Image(),
            "captions": datasets.List(text),
            "factors": dict.fromkeys(FACTORS, text),
        }
    )
    return datasets.Dataset.from_dict(rows, features=features)
