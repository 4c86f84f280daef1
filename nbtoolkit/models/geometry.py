"""Geometry of an image in the residual stream: which positions hold it, and where each lies in the original image."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from ..errors import DataError, ModelError, NbtoolkitError
from ..types.geometry import Geometry, placed
from .ramps import frames, probes
from .tiles import layout, pixels


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


N_SIZES = 256  # geometries that a model keeps
MIN_SIDE = 16  # pixels: ramps of fewer steps are too coarse
MAX_RATIO = 50  # of an image's sides: the crop of a longer strip may be less than a level of brightness
MAX_PIXELS = 100_000_000  # of an enlarged image: 300 MB as bytes, 1.2 GB as float32


def cached_geometry(model: Any, image: Any) -> Geometry:
    """Geometry of an image, computed once per size and setting of the image processor.

    Parameters
    ----------
    model, image
        As for :func:`image_geometry`.
    """
    images: Any = getattr(model.processor, "image_processor", None)
    settings = repr(images.to_dict()) if hasattr(images, "to_dict") else ""
    size, cache = getattr(image, "size", None), model._geometries
    if not isinstance(size, tuple):
        raise DataError(
            f"image is a {type(image).__name__}; expected a PIL image. nbtoolkit.data.read_image reads others."
        )
    key = (size, settings)
    if key not in cache:
        while len(cache) >= N_SIZES:
            cache.pop(next(iter(cache)))
        cache[key] = image_geometry(model, image)
    return cache[key]


def image_geometry(model: Any, image: Any) -> Geometry:
    """Where each image position lies in an image; :meth:`nbtoolkit.models.Model.geometry` is this function, cached.

    Four grey images of the image's size are sent through the processor: black, white, and two whose brightness is the x
    and the y coordinate. What comes out says which part of the image each tile of pixels was made from, whatever the
    processor does (resize, crop, pad, cut into tiles); :mod:`.tiles` says which patch stands at which position.

    Parameters
    ----------
    model
        The adapter.
    image
        A PIL image, upright as :func:`nbtoolkit.data.read_image` gives it. Only its size matters.

    Returns
    -------
    Geometry
        For the image positions of :func:`image_mask`, in their order.

    Raises
    ------
    ModelError
        The image positions are no patches (a Q-Former or resampler made them), the model has none, or its processor does
        more than resize, crop, pad and cut.
    DataError
        The processor cannot read an image of this size.

    Examples
    --------
    >>> import nbtoolkit as nbt
    >>> from PIL import Image
    >>> nbt.load_model("toy").geometry(Image.new("RGB", (128, 64)))
    Geometry of 64 image positions, 1 tiles, image 128 × 64, seen (0.0, 0.0, 128.0, 64.0)
    """
    size = image.size
    if min(size) < MIN_SIDE:
        return _small(model, size)
    return _measured(model, size)


def _small(model: Any, size: tuple[int, int]) -> Geometry:
    """Geometry of an image of few pixels, whose ramps would have few steps: that of a larger one of its proportions."""
    n = int(image_mask(model, _probe(model, Image.new("RGB", size)).inputs).sum())
    factor = -(-MIN_SIDE // min(size))
    larger = (size[0] * factor, size[1] * factor)
    if larger[0] * larger[1] <= MAX_PIXELS // 10:
        geometry = _measured(model, larger)
        if geometry.n_positions == n:
            return placed(
                geometry.boxes / factor, geometry.tiles, size, geometry.cells, geometry.frames / factor, geometry.grids
            )
    return _measured(model, size)


def _measured(model: Any, size: tuple[int, int]) -> Geometry:
    black, white, across, down = (_probe(model, probe) for probe in probes(*size))
    inputs, mask = black.inputs, black.mask
    if not black.pixels.shape == white.pixels.shape == across.pixels.shape == down.pixels.shape:
        raise _unreadable(model, "it cuts images of one size in different ways")
    places = frames(black.pixels, white.pixels, across.pixels, down.pixels, size)
    if places is None and max(size) > MAX_RATIO * min(size):
        raise DataError(
            f"The image is {size[0]} × {size[1]} pixels, and {model.name} sees too small a part of it to tell which one; expected "
            f"sides of a ratio of at most {MAX_RATIO}. Crop the image."
        )
    if places is None:
        raise _unreadable(model, "it does more to an image than resize, crop, pad and cut it")
    height, width = black.pixels.shape[1:]
    boxes, tiles, cells, places, grids = layout(model, inputs, mask, places, (height, width))
    return placed(boxes, tiles, size, cells, places, grids)


def check_size(model: Any, image: Any) -> None:
    """Refuse an image that the model's processor would enlarge beyond all bounds: a long strip whose short side it scales up.

    Parameters
    ----------
    model
        The adapter.
    image
        A PIL image; others are left to the processor.

    Raises
    ------
    DataError
        The enlarged image would have more than 100 million pixels, and more than the image has.
    """
    images: Any = getattr(model.processor, "image_processor", None)
    size, target = getattr(image, "size", None), getattr(images, "size", None)
    short, longest = (
        target.get(name) if isinstance(target, dict) else getattr(target, name, None)
        for name in ("shortest_edge", "longest_edge")
    )
    if not isinstance(size, tuple) or not short or longest or not getattr(images, "do_resize", True):
        return
    width, height = (round(n * short / max(1, min(size))) for n in size)
    if width * height > max(MAX_PIXELS, size[0] * size[1]):
        raise DataError(
            f"The image is {size[0]} × {size[1]} pixels, and the processor of {model.name} would enlarge it to {width} × {height}; "
            f"expected at most {MAX_PIXELS:,} pixels. Crop the image."
        )


class _Probe(NamedTuple):
    pixels: np.ndarray  # (n_tiles, height, width), channels averaged
    inputs: dict[str, Any]
    mask: Tensor


def _probe(model: Any, image: Any) -> _Probe:
    try:
        inputs = model.prepare([image])
    except NbtoolkitError:
        raise
    except Exception as error:  # processors raise what they like
        width, height = image.size
        raise DataError(
            f"The image is {width} × {height} pixels, which the processor of {model.name} cannot read "
            f"({type(error).__name__}: {error}). Crop or enlarge the image."
        ) from error
    mask = image_mask(model, inputs)
    return _Probe(pixels(model, inputs, mask).mean(1).numpy(), inputs, mask)


def _unreadable(model: Any, what: str) -> ModelError:
    return ModelError(
        f"The processor of {model.name} hides where its pixels come from: {what}. Maps need a processor that resizes, crops, pads "
        "or cuts an image."
    )


def patch_grid(model: Any, inputs: dict[str, Any], n: int) -> tuple[int, tuple[int, int, int]]:
    """Layout of one image's positions: the number of positions before the grid, and (tiles, height, width) of the grid.

    The function of release 0.1; :meth:`nbtoolkit.models.Model.geometry` says more, in pixels of the image.

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
        Number of positions, and the grid's shape in patches: of all tiles where they are equal, else of the first.

    Raises
    ------
    ModelError
        The positions are no patches, or no rule fits their number.
    """
    mask = image_mask(model, inputs)
    tensor = pixels(model, inputs, mask)
    unit = np.tile([0.0, 0.0, 1.0, 1.0], (len(tensor), 1))
    result = layout(model, inputs, mask, unit, (tensor.shape[-2], tensor.shape[-1]))
    before = int(np.argmax(result.tiles >= 0))
    rows, columns = result.grids[0].tolist()
    tiles = len(tensor) if n == len(tensor) * (rows * columns + before) else 1
    return before, (tiles, rows, columns)
