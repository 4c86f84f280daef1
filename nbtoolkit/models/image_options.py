"""Options of image processors that change how many positions an image takes, as data: one row per image processor.

Rows of :data:`LADDERS` are keyed by the class of the image processor, without ``Fast`` or ``Pil``; families share them. A row
maps the image processor and a budget to its settings, from the fewest positions to the most; the last one, ``{}``, is the
processor as shipped. A setting holds attributes of the image processor; ``side`` is none: an image is shrunk to that many
pixels on its longest side before the processor sees it. That is for families whose *model* repeats the choice of tiles from
its own configuration, so that other options of the processor would no longer fit the model.

An image processor without a row has a fixed number of positions: CLIP's and SigLIP's square images, queries of a Q-Former.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

Setting = dict[str, Any]


@dataclass(frozen=True)
class ImageLimit:
    """Limit of a model's images; see :func:`nbtoolkit.models.budget.limited`.

    Attributes
    ----------
    tokens
        The most positions that an image may take; None for no limit.
    options
        Options of the image processor that keep to it, where they differ from the shipped ones.
    base
        The model without the limit.
    """

    tokens: int | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    base: Any = field(default=None, repr=False, compare=False)


Ladder = Callable[[Any, int, int], Sequence[Setting]]


def _pixels(images: Any, budget: int, merge: int) -> list[Setting]:
    """Qwen-VL, GLM-4V: ``size`` holds the fewest and the most pixels of an image; a position has merge² patches."""
    unit = (_side(images.patch_size) * int(images.merge_size)) ** 2
    # GLM-4V counts the frames of a still image, too
    frames = int(images.temporal_patch_size) if type(images).__name__.startswith("Glm") else 1
    least, most = int(images.size["shortest_edge"]), int(images.size["longest_edge"])
    areas = [unit * k for k in range(1, min(most // unit, budget * frames) + 1)]
    steps: list[Setting] = [{"size": {"shortest_edge": min(least, area), "longest_edge": area}} for area in areas]
    return [*steps, {}] if budget * frames * unit >= most else steps


def _longest_edge(images: Any, budget: int, merge: int) -> list[Setting]:
    """Pixtral, Mistral 3: the longest edge, in pixels; the processor knows how many patches are merged."""
    unit, most = _side(images.patch_size) * merge, int(images.size["longest_edge"])
    return [{"size": {"longest_edge": unit * k}} for k in range(min(merge, 2), math.ceil(most / unit))] + [{}]


def _tiles(name: str) -> Ladder:
    """InternVL, Aya Vision, Cohere 2 Vision, Ovis 2, Llama 4, Molmo 2: the most tiles of an image."""

    def ladder(images: Any, budget: int, merge: int) -> list[Setting]:
        least = getattr(images, "min_patches", None)
        fewer = [
            {name: k} | ({} if least is None else {"min_patches": min(least, k)})
            for k in range(1, getattr(images, name))
        ]
        return [*fewer, {}]

    return ladder


def _split_edge(images: Any, budget: int, merge: int) -> list[Setting]:
    """Idefics 3, SmolVLM: one tile, or tiles of ``max_image_size`` and the whole image."""
    tile, most = int(images.max_image_size["longest_edge"]), int(images.size["longest_edge"])
    if not images.do_image_splitting:
        return [{}]
    fewer: list[Setting] = [{"size": {"longest_edge": tile * k}} for k in range(2, math.ceil(most / tile))]
    return [{"do_image_splitting": False}, *fewer, {}]


def _switch(name: str) -> Ladder:
    """Idefics 2, Gemma 3: further views of an image, or none."""
    return lambda images, budget, merge: [{name: False}, {}] if getattr(images, name, False) else [{}]


def _canvas(images: Any, budget: int, merge: int) -> list[Setting]:
    """Fuyu: the largest height and width, in their shipped ratio."""
    unit, height, width = _side(images.patch_size), int(images.size["height"]), int(images.size["width"])
    heights = [unit * k for k in range(1, math.ceil(height / unit))]
    widths = [max(unit, h * width // height // unit * unit) for h in heights]
    return [{"size": {"height": h, "width": w}} for h, w in zip(heights, widths, strict=True)] + [{}]


def _shrunk(images: Any, budget: int, merge: int) -> list[Setting]:
    """LLaVA-NeXT, LLaVA-OneVision: the smallest canvas that a small image needs; the model chooses it by the image's size."""
    edges = [max(pair) for pair in images.image_grid_pinpoints]
    step = max(1, min(min(pair) for pair in images.image_grid_pinpoints) // 4)
    return [{"side": step * k} for k in range(1, math.ceil(2 * max(edges) / step))] + [{}]


def _fitted(images: Any, budget: int, merge: int) -> list[Setting]:
    """Llama 3.2 Vision: the fewest tiles that a small image needs; the model numbers aspect ratios by the most of them."""
    step = max(1, int(images.size["height"]) // 4)
    return [{"side": step * k} for k in range(1, 4 * int(images.max_image_tiles))] + [{}]


def _side(patch: Any) -> int:
    """Side of a patch in pixels, of a number or a mapping with height and width."""
    return int(patch if isinstance(patch, int) else patch["height"])


LADDERS: dict[str, Ladder] = {
    "Cohere2VisionImageProcessor": _tiles("max_patches"),
    "FuyuImageProcessor": _canvas,
    "Gemma3ImageProcessor": _switch("do_pan_and_scan"),
    "Glm4vImageProcessor": _pixels,
    "Glm46VImageProcessor": _pixels,
    "GotOcr2ImageProcessor": _tiles("max_patches"),
    "Idefics2ImageProcessor": _switch("do_image_splitting"),
    "Idefics3ImageProcessor": _split_edge,
    "Llama4ImageProcessor": _tiles("max_patches"),
    "LlavaNextImageProcessor": _shrunk,
    "LlavaOnevisionImageProcessor": _shrunk,
    "MllamaImageProcessor": _fitted,
    "Molmo2ImageProcessor": _tiles("max_crops"),
    "Ovis2ImageProcessor": _tiles("max_patches"),
    "PixtralImageProcessor": _longest_edge,
    "Qwen2VLImageProcessor": _pixels,
    "SmolVLMImageProcessor": _split_edge,
}


def ladder(processor: Any, budget: int) -> Sequence[Setting]:
    """Settings of an image processor, from the fewest positions to the most.

    Parameters
    ----------
    processor
        The processor of a model.
    budget
        The most positions of an image, which bounds the length of the list.
    """
    images = getattr(processor, "image_processor", None)
    name = type(images).__name__.removesuffix("Fast").removesuffix("Pil")
    merge = int(getattr(processor, "spatial_merge_size", 1))
    return LADDERS[name](images, budget, merge) if name in LADDERS else [{}]
