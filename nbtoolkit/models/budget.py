"""A budget for images: the most positions that one may take, through the options of the family's own image processor."""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from PIL import Image
from torch.utils._pytree import tree_leaves

from ..errors import DataError, ModelError
from .geometry import image_mask
from .image_options import ImageLimit, Setting, ladder

# width and height in pixels: large images take the most positions, small ones are enlarged by some processors
PROBES = ((2048, 2048), (2048, 1152), (1152, 2048), (2048, 683), (640, 480), (480, 640))


def image_positions(model: Any, inputs: dict[str, Any]) -> list[int]:
    """Number of positions that each row's image takes in what the language model reads.

    For most families these are positions of the residual stream. Where the image reaches the decoder through an encoder
    (Florence-2, BLIP-2 with T5) or by cross-attention (Llama 3.2 Vision, BLIP), its positions there are counted.

    Parameters
    ----------
    model
        The adapter.
    inputs
        From :meth:`nbtoolkit.models.Model.prepare`.

    Returns
    -------
    list of int
        One number per row.
    """
    config: Any = model.hf.config
    vision: Any = getattr(config, "vision_config", None)
    n = len(inputs["input_ids"])
    if "aspect_ratio_mask" in inputs:  # Llama 3.2 Vision: patches and a class embedding per tile
        per_tile = (int(vision.image_size) // int(vision.patch_size)) ** 2 + 1
        return [int(k) * per_tile for k in inputs["aspect_ratio_mask"].flatten(1).sum(1).tolist()]
    try:
        return [int(k) for k in image_mask(model, inputs).sum(1).tolist()]
    except ModelError:
        ids = [getattr(config, name, None) for name in ("image_token_id", "image_token_index")]
        placeholder = next((k for k in ids if k is not None), None)
        counts = [0] * n if placeholder is None else (inputs["input_ids"] == placeholder).sum(1).tolist()
        if not any(counts) and hasattr(vision, "image_size") and hasattr(vision, "patch_size"):
            return [(int(vision.image_size) // int(vision.patch_size)) ** 2 + 1] * n
        return [int(k) for k in counts]


def limited(model: Any, max_image_tokens: int | None) -> Any:
    """Give a model whose images take at most so many positions; the model and its processor are left as they are.

    Parameters
    ----------
    model
        The adapter.
    max_image_tokens
        The most positions of an image; None removes the limit.

    Returns
    -------
    Model
        A copy over the same Hugging Face module, with a processor of its own. Its ``image_limit``
        has the options that differ from the shipped ones: those with the most positions that are within the limit for
        images of common shapes; an image that takes more all the same is refused when it is prepared.

    Raises
    ------
    ModelError
        The limit is no whole number of at least 1, or the family takes more positions at its smallest.

    Examples
    --------
    >>> import nbtoolkit as nbt
    >>> limited(nbt.load_model("toy"), 100).image_limit.tokens
    100
    """
    base = model.image_limit.base or model
    if max_image_tokens == model.image_limit.tokens:
        return model
    if max_image_tokens is None:
        return base
    if isinstance(max_image_tokens, bool) or not isinstance(max_image_tokens, int | np.integer) or max_image_tokens < 1:
        raise ModelError(
            f"max_image_tokens is {max_image_tokens!r}; expected a whole number of at least 1, or None for no limit."
        )
    steps = ladder(base.processor, int(max_image_tokens))
    low, high = -1, len(steps)  # the last setting that is within the limit, and the first that is not
    while high - low > 1:
        middle = (low + high) // 2
        fits = most_positions(_with_setting(base, steps[middle]), max_image_tokens) <= max_image_tokens
        low, high = (middle, high) if fits else (low, middle)
    if low < 0:
        least = most_positions(_with_setting(base, steps[0]))
        raise ModelError(
            f"max_image_tokens is {max_image_tokens}; expected at least {least}: {base.name} takes so many positions per image "
            f"{'with the smallest options of' if len(steps) > 1 else 'always, with'} its {type(base.processor).__name__}."
        )
    result = _with_setting(base, steps[low])
    result.image_limit = ImageLimit(int(max_image_tokens), steps[low], base)
    if base.origin is not None:
        source, settings = base.origin
        result.origin = source, settings | {"max_image_tokens": int(max_image_tokens)}
    return result


def most_positions(model: Any, limit: int | None = None) -> int:
    """Largest number of positions that an image of common shapes takes, up to 2048 pixels on its longest side.

    Parameters
    ----------
    model
        The adapter; only its processor is run.
    limit
        Stop at the first shape that takes more.
    """
    most = 0
    for size in PROBES:
        inputs = model.prepare([Image.new("RGB", size)])
        most = max(most, *image_positions(model, inputs))
        if limit is not None and most > limit:
            break
    return most


def sufficient_side(model: Any) -> int | None:
    """Side of a square with as many pixels as the model gets of a large image; None where its processor does not shrink one.

    Parameters
    ----------
    model
        The adapter; only its processor is run.

    Examples
    --------
    >>> import nbtoolkit as nbt
    >>> sufficient_side(nbt.load_model("toy"))
    64
    """
    size = PROBES[0]
    inputs = model.prepare([Image.new("RGB", size)])
    values = inputs.get("pixel_values", inputs.get("image_patches"))
    n = 0 if values is None else sum(v.numel() for v in tree_leaves(values)) // 3
    return math.isqrt(n - 1) + 1 if 0 < n < size[0] * size[1] else None


def _with_setting(base: Any, setting: Setting) -> Any:
    """A copy of a model whose image processor has other options; ``side`` is the copy's own."""
    result = copy.copy(base)
    result._geometries = {}
    result.image_limit, options = ImageLimit(None, setting), {k: v for k, v in setting.items() if k != "side"}
    if options:
        result.processor = copy.copy(base.processor)
        images = result.processor.image_processor = copy.deepcopy(base.processor.image_processor)
        for name, value in options.items():
            kind = type(getattr(images, name))
            setattr(images, name, kind(**value) if isinstance(value, dict) else value)
    return result


def check_budget(model: Any, inputs: dict[str, Any], rows: Sequence[Sequence[Any]]) -> None:
    """Refuse images that take more positions than the model's limit, or fewer than its family can read.

    Long strips may exceed a limit where a processor keeps the aspect ratio.

    Parameters
    ----------
    model
        The adapter, with its ``image_limit``.
    inputs
        From :meth:`nbtoolkit.models.Model.prepare`.
    rows
        The images of each row.

    Raises
    ------
    DataError
        An image takes more or fewer positions; the message has its size and their number.
    """
    limit, fewest = model.image_limit.tokens, int(model.family.get("fewest", 0))
    if limit is None and not fewest:
        return
    for row, n in zip(rows, image_positions(model, inputs), strict=True):
        sizes = ", ".join(f"{image.size[0]} × {image.size[1]}" for image in row if hasattr(image, "size"))
        if n < fewest:
            raise DataError(
                f"An image of {sizes} pixels takes {n} position; expected at least {fewest} for {model.name}. Enlarge the image."
            )
        if limit is not None and n > limit * len(row):
            raise DataError(
                f"An image of {sizes} pixels takes {n} positions; expected at most {limit * len(row)} "
                "(max_image_tokens). Crop the image, or raise max_image_tokens."
            )


def shrunk(image: Any, side: int | None) -> Any:
    """Shrink an image to a longest side; smaller images, and images that are not of PIL, are returned as they are.

    Parameters
    ----------
    image
        A PIL image.
    side
        Longest side, in pixels; no limit where None.
    """
    if side is None or not isinstance(image, Image.Image) or max(image.size) <= side:
        return image
    scale = side / max(image.size)
    width, height = (max(1, round(n * scale)) for n in image.size)
    return image.resize((width, height), Image.Resampling.LANCZOS)
