"""How a model family cuts an image into tiles and patches, and the order in which the patches stand at its image positions.

A processor's output is brought to one form, tiles of pixels (:func:`pixels`); :func:`layout` then says which part of
which tile is behind each image position. Families whose positions mix patches (a Q-Former, a resampler) have no layout.
"""

from __future__ import annotations

import inspect
import math
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from ..errors import ModelError

Array = np.ndarray


class Layout(NamedTuple):
    """Patches behind the image positions; boxes are in the unit of the frames that :func:`layout` was given.

    Attributes
    ----------
    boxes : (n_image_positions, 4)
        x0, y0, x1, y1; NaN where a position is no patch.
    tiles, cells, frames, grids
        As for :class:`nbtoolkit.types.Geometry`.
    """

    boxes: Array
    tiles: Array
    cells: Array
    frames: Array
    grids: Array


def pixels(model: Any, inputs: dict[str, Any], mask: Tensor) -> Tensor:
    """Pixels of one image as the model gets them, (n_tiles, channels, height, width) in float32.

    Parameters
    ----------
    model
        The adapter.
    inputs
        From :meth:`nbtoolkit.models.Model.prepare`, for one image.
    mask : (1, n_positions) of bool
        From :func:`nbtoolkit.models.geometry.image_mask`.
    """
    values = inputs.get("pixel_values", inputs.get("image_patches"))
    if isinstance(values, list):
        values = values[0]
    if values is None:
        raise _no_grid(model, int(mask.sum()))
    values = values.float()
    if "image_grid_thw" in inputs:  # blocks of merged patches, each patch (channels, frames, height, width)
        (_, height, width), merge = inputs["image_grid_thw"][0].tolist(), _merge(model)
        side = math.isqrt(values.shape[1] // (3 * _frames(model)))
        blocks = values.reshape(height // merge, width // merge, merge, merge, 3, -1, side, side)[..., 0, :, :]
        return blocks.permute(4, 0, 2, 5, 1, 3, 6).reshape(1, 3, height * side, width * side)
    if "image_token_pooling" in inputs or values.ndim == 2:  # patches (height, width, channels), in rows
        patches = values if values.ndim == 3 else values[None]
        rows, columns = _rows(mask) if values.ndim == 2 else (math.isqrt(values.shape[1]),) * 2
        side = math.isqrt(values.shape[-1] // 3)
        if rows * columns != patches.shape[1] or 3 * side * side != values.shape[-1]:
            raise _no_grid(model, int(mask.sum()))
        grid = patches.reshape(len(patches), rows, columns, side, side, 3)
        return grid.permute(0, 5, 1, 3, 2, 4).reshape(len(patches), 3, rows * side, columns * side)
    if values.ndim < 4:  # patches whose order only the model knows
        raise _no_grid(model, int(mask.sum()))
    return values.reshape(-1, *values.shape[-3:])


def layout(model: Any, inputs: dict[str, Any], mask: Tensor, frames: Array, shape: tuple[int, int]) -> Layout:
    """Which part of an image is behind each image position.

    Parameters
    ----------
    model, inputs, mask
        As for :func:`pixels`.
    frames : (n_tiles, 4)
        Place of each tile in the image, from :func:`nbtoolkit.models.ramps.frames`.
    shape
        Height and width of a tile, in pixels as the model gets them.

    Raises
    ------
    ModelError
        The positions are no patches, or no rule fits their number.
    """
    n = int(mask.sum())
    if not model.family.get("patches", True):
        raise _no_grid(model, n)
    if "image_grid_thw" in inputs:
        _, height, width = inputs["image_grid_thw"][0].tolist()
        return _check(model, _grids(frames, height // _merge(model), width // _merge(model)), n)
    if "image_token_pooling" in inputs:
        return _check(model, _pooled(inputs, frames), n)
    if _packing(model) is not None:
        return _check(model, _packed(model, inputs, frames, shape), n)
    if _mixes_patches(model):
        raise _no_grid(model, n)
    if inputs.get("pixel_values") is None or inputs["pixel_values"].ndim == 2:
        return _check(model, _grids(frames, *_rows(mask)), n)
    return _check(model, _square_patches(frames, shape, n), n)


def _grids(frames: Array, rows: int, columns: int, before: int = 0) -> Layout:
    """Tiles one after the other, each a grid row by row after ``before`` positions that are no patches."""
    x, y = np.linspace(0, 1, columns + 1), np.linspace(0, 1, rows + 1)
    boxes, tiles, cells = [], [], []
    for tile, (x0, y0, x1, y1) in enumerate(frames):
        xs, ys = x0 + x * (x1 - x0), y0 + y * (y1 - y0)
        boxes += [(np.nan,) * 4] * before
        boxes += [(xs[c], ys[r], xs[c + 1], ys[r + 1]) for r in range(rows) for c in range(columns)]
        tiles += [-1] * before + [tile] * (rows * columns)
        cells += [(-1, -1)] * before + [(r, c) for r in range(rows) for c in range(columns)]
    grids = np.tile([rows, columns], (len(frames), 1))
    return Layout(np.array(boxes).reshape(-1, 4), np.array(tiles), np.array(cells).reshape(-1, 2), frames, grids)


def _square_patches(frames: Array, shape: tuple[int, int], n: int) -> Layout | None:
    """Grids of square patches, one per tile, whose number is n; a class token may stand before each."""
    height, width = shape
    for before in (0, 1):
        count, rest = divmod(n, len(frames))
        count -= before
        rows = round(math.sqrt(count * height / width)) if count > 0 else 0
        if rest or not rows or count % rows:
            continue
        columns = count // rows
        if abs(height / rows - width / columns) < min(height / rows, width / columns) * 0.5:
            return _grids(frames, rows, columns, before)
    return None


def _packed(model: Any, inputs: dict[str, Any], frames: Array, shape: tuple[int, int]) -> Layout | None:
    """LLaVA-NeXT's and LLaVA-OneVision's order, by their own code: coordinates are packed as features are.

    Tiles are put together, padding is cut, a newline follows every row, and large grids are resampled.
    """
    pack = _packing(model)
    vision = model.hf.config.vision_config
    side = int(vision.image_size) // int(vision.patch_size)
    single = _grids(frames, side, side)
    facts = np.concatenate([single.boxes, single.tiles[:, None], single.cells], 1)  # (n_tiles · side², 7)
    features = torch.tensor(facts).reshape(len(frames), side * side, -1)
    newline = torch.full((facts.shape[1],), torch.nan, dtype=features.dtype)
    config = model.hf.config
    options = {
        "image_features": [features],
        "image_sizes": inputs["image_sizes"].cpu(),
        "image_newline": newline,
        "vision_feature_select_strategy": getattr(config, "vision_feature_select_strategy", None),
        "vision_aspect_ratio": getattr(config, "vision_aspect_ratio", None),
    }
    takes = inspect.signature(pack).parameters
    try:
        with torch.inference_mode():
            packed = np.asarray(pack(**{k: v for k, v in options.items() if k in takes})[0][0])
    except Exception:  # of another family with a function of this name
        return None
    boxes, patch = packed[:, :4], np.isfinite(packed).all(1)
    tiles = np.where(patch, np.nan_to_num(packed[:, 4]).round(), -1).astype(int)
    cells = np.where(patch[:, None], np.nan_to_num(packed[:, 5:]), -1)
    grids = single.grids.copy()
    if (cells % 1).any():  # resampled: finer tiles have no grid of their own, and patches as wide as their distance
        boxes = _widened(boxes, tiles > 0)
        cells = np.where((tiles > 0)[:, None], -1, cells)
        grids[1:] = 0
    return Layout(boxes, tiles, cells.astype(int), frames, grids)


def _widened(boxes: Array, which: Array) -> Array:
    """Boxes around the same centres, as large as the distance of the centres."""
    boxes = boxes.copy()
    for low in (0, 1):
        centres = (boxes[which, low] + boxes[which, low + 2]) / 2
        steps = np.diff(np.unique(centres))
        steps = steps[steps > 1e-3 * np.ptp(centres)]  # less is rounding
        half = (np.median(steps) if len(steps) else np.ptp(boxes[which][:, [low, low + 2]])) / 2
        boxes[which, low], boxes[which, low + 2] = centres - half, centres + half
    return boxes


def _pooled(inputs: dict[str, Any], frames: Array) -> Layout:
    """Molmo 2's order: each position names the patches that it pools; the downscaled image first, then overlapping tiles."""
    pools = inputs["image_token_pooling"].cpu().numpy()
    per_tile = inputs["pixel_values"].shape[1]
    side = math.isqrt(per_tile)
    single = _grids(frames, side, side).boxes
    parts = np.where((pools >= 0)[..., None], single[pools], np.nan)  # (n, n_pooled, 4)
    boxes = np.concatenate([np.nanmin(parts[..., :2], 1), np.nanmax(parts[..., 2:], 1)], 1)
    tiles = pools.max(1) // per_tile
    rows, columns, *_ = inputs["image_grids"][0].tolist()
    cells, grids = np.full((len(pools), 2), -1), np.zeros((len(frames), 2), int)
    cells[: rows * columns] = [(r, c) for r in range(rows) for c in range(columns)]
    grids[0] = rows, columns
    frames = frames.copy()
    frames[0] = [*boxes[: rows * columns, :2].min(0), *boxes[: rows * columns, 2:].max(0)]
    return Layout(boxes, tiles, cells, frames, grids)


def _rows(mask: Tensor) -> tuple[int, int]:
    """Rows and columns of image positions that a mark ends every row of."""
    places = torch.nonzero(mask[0])[:, 0]
    columns = int((places.diff() == 1).cumprod(0).sum()) + 1
    return len(places) // columns, columns


def _check(model: Any, result: Layout | None, n: int) -> Layout:
    if result is None or len(result.boxes) != n:
        raise _no_grid(model, n)
    return result


def _no_grid(model: Any, n: int) -> ModelError:
    return ModelError(
        f"{model.name} represents an image by {n} positions that are no grid of patches; expected one. Choose a model without a resampler."
    )


def _packing(model: Any) -> Any:
    """The model's own function that orders features of tiles, or None."""
    return getattr(getattr(model.hf, "model", model.hf), "pack_image_features", None)


def _mixes_patches(model: Any) -> bool:
    """Whether a part of the model is one whose queries mix all patches, by its name or by the queries that it learned."""
    parts = (type(part).__name__.lower() for part in model.hf.modules())
    learned = (name.rpartition(".")[2] for name, _ in model.hf.named_parameters())
    return any(mark in name for name in parts for mark in ("resampler", "perceiver", "qformer")) or any(
        name in ("query", "queries", "query_tokens", "latents", "latent_query") for name in learned
    )


def _merge(model: Any) -> int:
    return int(model.hf.config.vision_config.spatial_merge_size)


def _frames(model: Any) -> int:
    return int(getattr(model.hf.config.vision_config, "temporal_patch_size", 1))
