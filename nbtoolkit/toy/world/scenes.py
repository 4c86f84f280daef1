"""Captioned scenes with known factors, as a Hugging Face data set."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import numpy as np

from ...errors import DataError
from .drawing import render
from .grammar import FACTORS, caption, sample_factors

if TYPE_CHECKING:
    import datasets

SPLITS = ("train", "test", "heldout")
N_CAPTIONS = 4


def scenes(n: int, random_state: int = 0, split: str = "train") -> datasets.Dataset:
    """Sample captioned scenes of the embedded world.

    Parameters
    ----------
    n
        Number of scenes.
    random_state
        Seed; the same seed gives the same scenes, and no scene is in two splits.
    split
        ``"train"`` and ``"test"`` follow the training distribution; ``"heldout"`` has only the combinations of
        subject, colour and background that training never shows (about one in seven).

    Returns
    -------
    datasets.Dataset
        ``id``, ``image`` (128 × 128 pixels, RGB), ``captions`` (four per scene) and ``factors`` (subject, colour, action,
        background, weather, prop, count; weather and prop may be ``"none"``).

    Raises
    ------
    DataError
        Unknown split, or a negative number of scenes.

    Examples
    --------
    >>> scenes(1, random_state=3)[0]["factors"]["subject"]
    'car'
    """
    import datasets  # only here: it takes longer to import than all of the world

    if split not in SPLITS:
        raise DataError(f"split is {split!r}; expected one of {', '.join(SPLITS)}.")
    if n < 0:
        raise DataError(f"n is {n}; expected 0 or more scenes.")
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
