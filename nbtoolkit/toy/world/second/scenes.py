"""Captioned scenes of the second world; scenes drawn again, and their masks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import numpy as np
from PIL import Image

from ....errors import DataError
from ....types.arguments import checked
from ..drawing import SIZE
from .drawing import GROUND, LUMINARY, PROP, RAIN, SKY, SUBJECT, draw, regions
from .grammar import SPLITS, Scene, caption, change, sample_scene
from .vocabulary import FACTORS, NUMBERS

N_CAPTIONS = 4
_WORLD = 2  # part of the seed: no scene shares its random state with one of the first world
_SURROUNDINGS = (SKY, GROUND, LUMINARY)


def second_scene(random_state: int, split: str, i: int) -> dict[str, Any]:
    """Row of one scene of the second world, its image as drawn.

    Parameters
    ----------
    random_state
        Seed.
    split
        ``"train"``, ``"test"``, ``"heldout"`` or ``"shifted"``.
    i
        Number of the scene in the split.
    """
    rng = _rng(random_state, split, i)
    scene = sample_scene(rng, split)
    captions = [caption(scene.factors, rng) for _ in range(N_CAPTIONS)]
    return {"id": f"second-{split}-{random_state}-{i:05d}", "image": draw(scene), "captions": captions, **asdict(scene)}


def second_factors(random_state: int, split: str, i: int) -> Mapping[str, str]:
    """Factors of a scene of the second world, which is not drawn.

    Parameters
    ----------
    random_state, split, i
        As for :func:`second_scene`.
    """
    return sample_scene(_rng(random_state, split, i), split).factors


def _rng(random_state: int, split: str, i: int) -> np.random.Generator:
    return np.random.default_rng([random_state, _WORLD, SPLITS.index(split), i])


def _scene(row: Mapping[str, Any], changes: Mapping[str, Any]) -> Scene:
    missing = [k for k in ("factors", "numbers", "seed") if k not in row]
    if missing:
        raise DataError(
            f"The row has no {', '.join(missing)}; expected a row of toy.scenes(…, world='second'), whose drawing can be repeated."
        )
    return change(Scene(row["factors"], row["numbers"], row["seed"]), **changes)


@checked
def render(row: Mapping[str, Any], **changes: str | float) -> Image.Image:
    """Draw a scene of the second world again, with some factors changed and everything else equal.

    The images of :func:`nbtoolkit.toy.scenes` are these after JPEG compression; compare drawings with drawings.

    Parameters
    ----------
    row
        A row of ``toy.scenes(…, world="second")``.
    **changes
        Factor to value: ``subject, sense, colour, action, background, weather, prop, count``, or a number between 0 and 1
        for ``size, darkness, shade, position``.

    Returns
    -------
    PIL.Image.Image
        RGB, 128 × 128 pixels.

    Raises
    ------
    DataError
        A row of another kind, an unknown factor, or a value that the rest of the scene does not allow.

    Examples
    --------
    >>> import nbtoolkit as nbt
    >>> row = nbt.toy.scenes(1, random_state=3, world="second")[0]
    >>> nbt.toy.render(row, shade=0.9).size
    (128, 128)
    """
    return draw(_scene(row, changes))


@checked
def masks(row: Mapping[str, Any], **changes: str | float) -> dict[str, np.ndarray]:
    """Pixels that show each factor of a scene of the second world.

    The subject's factors (subject, sense, colour, action, motion, count, size, shade, position) have the subject's visible
    pixels, and a hat moves with them; the prop has its own; background and place have what neither covers, and so has the
    light; the weather has sky, sun or moon and rain, at night the ground too. Two masks are equal where one region shows
    both factors.

    Parameters
    ----------
    row, **changes
        As for :func:`nbtoolkit.toy.render`.

    Returns
    -------
    dict
        Factor to (128, 128) bool, for every text factor and for ``darkness, shade, position``.

    Examples
    --------
    >>> import nbtoolkit as nbt
    >>> row = nbt.toy.scenes(1, random_state=3, world="second")[0]
    >>> nbt.toy.masks(row)["subject"].shape
    (128, 128)
    """
    scene = _scene(row, changes)
    shapes = regions(scene)
    surroundings = shapes[list(_SURROUNDINGS)].any(0)
    subject = shapes[SUBJECT]
    weather = shapes[[SKY, LUMINARY, RAIN]].any(0)
    if scene.factors["weather"] == "none":
        weather = np.zeros((SIZE, SIZE), dtype=bool)
    elif scene.factors["weather"] == "night":
        weather = weather | shapes[GROUND]
    result = dict.fromkeys((*FACTORS, *NUMBERS), subject)
    result |= dict.fromkeys(("background", "place", "light", "darkness"), surroundings)
    return result | {"prop": shapes[PROP], "weather": weather}
