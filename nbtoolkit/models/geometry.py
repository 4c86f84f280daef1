"""Geometry of an image in the residual stream: which positions hold it, and the grid of patches that they form."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from ..errors import ModelError


def image_mask(model: Any, inputs: dict[str, Any]) -> Tensor:
    """Mark the positions of the residual stream that hold the image.

    Parameters
    ----------
    model
        The adapter.
    inputs
        From :meth:`nbtoolkit.models.Model.inputs`.

    Returns
    -------
    (n, positions) bool Tensor

    Raises
    ------
    ModelError
        The image reaches the decoder's blocks another way (cross-attention, an encoder).
    """
    config, ids = model.hf.config, inputs["input_ids"]
    if "image_embeds_position_mask" in inputs:
        marks: Tensor = inputs["image_embeds_position_mask"]
        return marks.bool()
    if model.family.get("image_key") == "prefix":
        n = (config.vision_config.image_size // config.vision_config.patch_size) ** 2 + 1
        ones = torch.ones(len(ids), n, dtype=torch.bool, device=ids.device)
        return torch.cat([ones, torch.zeros_like(ids, dtype=torch.bool)], 1)
    keys = (model.family["image_key"],) if "image_key" in model.family else ("image_token_id", "image_token_index")
    placeholder = next((getattr(config, k) for k in keys if k and getattr(config, k, None) is not None), None)
    if placeholder is None or model.encoder_decoder:
        raise ModelError(
            f"{model.name} has no image positions in its decoder's residual stream; expected a model that puts image tokens among the text tokens."
        )
    mask: Tensor = ids == placeholder
    return mask


def patch_grid(model: Any, inputs: dict[str, Any], n: int) -> tuple[int, tuple[int, int, int]]:
    """Layout of one image's positions: the number of positions before the grid, and (tiles, height, width) of the grid.

    Parameters
    ----------
    model
        The adapter.
    inputs
        From :meth:`nbtoolkit.models.Model.inputs` for one image.
    n
        Number of image positions.

    Returns
    -------
    tuple
        Number of positions, and the grid's shape in patches.

    Raises
    ------
    ModelError
        The positions are no patches, or no rule fits their number.
    """
    config = model.hf.config
    vision: Any = getattr(config, "vision_config", None)
    no_grid = ModelError(
        f"{model.name} represents an image by {n} positions that are no grid of patches; expected one. Choose a model without a resampler."
    )
    if not model.family.get("patches", True):
        raise no_grid
    if "image_grid_thw" in inputs:
        merge = int(vision.spatial_merge_size)
        _, height, width = inputs["image_grid_thw"][0].tolist()
        return 0, (1, height // merge, width // merge)
    if "image_grids" in inputs:  # Molmo 2: the downscaled image first
        height, width = inputs["image_grids"][0, :2].tolist()
        return 0, (1, height, width)
    if "image_sizes" in inputs:
        height, width = inputs["image_sizes"][0].tolist()
        step = int(vision.patch_size) * int(getattr(config, "spatial_merge_size", 1))
        if (height // step) * (width // step) == n:
            return 0, (1, height // step, width // step)
        side = int(vision.image_size) // int(vision.patch_size)
        if side * side <= n:  # LLaVA-NeXT, LLaVA-OneVision: the downscaled image, then tiles with newline tokens
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
