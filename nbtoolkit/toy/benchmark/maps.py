"""Localisation: maps of the concept of each fact against the pixels that show its factor."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...models.adapter import Model
from ...models.generation import states_at
from ...types import Score
from ..world.second.scenes import masks
from .truth import Group, group_labels

Array = np.ndarray
_BATCH = 32


@dataclass(frozen=True, eq=False)
class Patches:
    """States of the patches of images, and the patches that show each fact's factor.

    Attributes
    ----------
    states : (n_images, n_patches, d_model)
        At one layer.
    visible : (n_images, n_groups, n_patches)
        Patches that have at least half the coverage of the best covered one.
    truth : (n_images, n_groups)
        Whether the image shows the fact.
    side
        Patches per row; the grid is square.
    """

    states: Array
    visible: Array
    truth: Array
    side: int


def patches_of(model: Model, scenes: Sequence[Mapping[str, Any]], groups: Sequence[Group], layer: int) -> Patches:
    """Patches of scenes of the second world.

    Parameters
    ----------
    model
        The captioner; its patches are a square grid over the whole image.
    scenes
        The scenes.
    groups
        The facts.
    layer
        The layer.
    """
    states = []
    for start in range(0, len(scenes), _BATCH):
        inputs = model.inputs([scene["image"] for scene in scenes[start : start + _BATCH]])
        states += [s[0].cpu().numpy() for s in states_at(model, inputs, [layer], model.image_mask(inputs))]
    side = round(float(np.sqrt(len(states[0]))))
    visible = []
    for scene in scenes:
        coverage = {factor: _coverage(mask, side) for factor, mask in masks(scene).items()}
        visible.append([_covered(coverage[group.facts[0][0]]) for group in groups])
    truth = group_labels(groups, [scene["factors"] for scene in scenes])
    return Patches(np.stack(states), np.array(visible), truth, side)


def _coverage(mask: Array, side: int) -> Array:
    step = mask.shape[0] // side
    shares: Array = mask.reshape(side, step, side, step).mean((1, 3)).ravel()
    return shares


def _covered(coverage: Array) -> Array:
    covered: Array = (coverage >= 0.5 * coverage.max()) & (coverage > 0)
    return covered


def localisation(patches: Patches, directions: Array, concept: Array) -> dict[str, Score]:
    """``pointing``: whether the largest value of the map is on the fact's pixels; ``iou`` of the map's largest values with them.

    A map is as large as the pixels that it is compared with. A value per fact: the mean over the images that show it. A
    fact without a concept has a constant map, which counts as 0.

    Parameters
    ----------
    patches
        Of test images.
    directions : (n_concepts, d_model)
        Directions of the concepts.
    concept : (n_groups,)
        Concept of each fact; -1 where there is none.
    """
    maps = patches.states @ directions.T  # (n_images, n_patches, n_concepts)
    result = np.full((2, len(concept)), np.nan)
    for g, k in enumerate(concept):
        images = [i for i in np.flatnonzero(patches.truth[:, g]) if patches.visible[i, g].any()]
        if images:
            scores = [_hits(maps[i, :, k], patches.visible[i, g]) for i in images] if k >= 0 else [(0.0, 0.0)]
            result[:, g] = np.mean(scores, 0)
    return {"pointing": Score(result[0], "pointing"), "iou": Score(result[1], "iou")}


def centre_prior(patches: Patches) -> dict[str, Score]:
    """The same scores for a map that is largest in the middle of every image: what no knowledge of the image gives.

    Parameters
    ----------
    patches
        Of test images.
    """
    axis = np.arange(patches.side) - (patches.side - 1) / 2
    prior = -np.hypot(*np.meshgrid(axis, axis)).ravel()
    fixed = Patches(
        np.tile(prior[None, :, None], (len(patches.states), 1, 1)), patches.visible, patches.truth, patches.side
    )
    return localisation(fixed, np.ones((1, 1)), np.zeros(patches.truth.shape[1], int))


def _hits(scores: Array, visible: Array) -> tuple[float, float]:
    """Whether the largest score is on a region, and intersection over union of the region and as many of the largest scores."""
    if np.ptp(scores) == 0:
        return 0.0, 0.0
    order = np.argsort(-scores, kind="stable")
    both = int(visible[order[: visible.sum()]].sum())
    return float(visible[order[0]]), both / (2 * int(visible.sum()) - both)
