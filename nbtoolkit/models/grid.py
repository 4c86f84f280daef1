"""Where a picture's positions lie in the picture: the grid of patches of each family's processor."""

from __future__ import annotations

import math
from typing import Any

from ..errors import ModelError
from .adapter import Model


def patch_grid(model: Model, inputs: dict[str, Any], n: int) -> tuple[int, tuple[int, int, int]]:
    """Give the layout of one picture's positions: how many come before the grid, and (tiles, height, width).

    Parameters
    ----------
    model, inputs
        The adapter, and what its ``encode`` gave for one picture.
    n
        Number of picture positions.

    Raises
    ------
    ModelError
        The positions are no patches, or no rule fits their number.
    """
    config = model.hf.config
    vision: Any = getattr(config, "vision_config", None)
    no_grid = ModelError(
        f"{model.name} shows a picture at {n} positions that are no grid of patches; a saliency map needs one."
    )
    if not model.family.get("patches", True):
        raise no_grid
    if "image_grid_thw" in inputs:
        merge = int(vision.spatial_merge_size)
        _, height, width = inputs["image_grid_thw"][0].tolist()
        return 0, (1, height // merge, width // merge)
    if "image_grids" in inputs:  # Molmo 2: the small whole picture first
        height, width = inputs["image_grids"][0, :2].tolist()
        return 0, (1, height, width)
    if "image_sizes" in inputs:
        height, width = inputs["image_sizes"][0].tolist()
        step = int(vision.patch_size) * int(getattr(config, "spatial_merge_size", 1))
        if (height // step) * (width // step) == n:
            return 0, (1, height // step, width // step)
        side = int(vision.image_size) // int(vision.patch_size)
        if (
            side * side <= n
        ):  # LLaVA-NeXT, LLaVA-OneVision: the small whole picture first, then tiles with marks of a new line
            return 0, (1, side, side)
    before = int(model.family.get("image_key") == "prefix")  # GIT's class token
    tiles = 1
    pixels = inputs.get("pixel_values")
    if pixels is not None and pixels.ndim >= 4:
        tiles = int(pixels.shape[1] if pixels.ndim == 5 else pixels.shape[0])
    side = math.isqrt((n - before) // tiles)
    if tiles * side * side != n - before:
        raise no_grid
    return before, (tiles, side, side)
