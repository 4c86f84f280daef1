"""Painting tests of a geometry: which positions change where an image is painted outside the seen region, or in a patch's box.

``python -m tests.benchmarks.geometry`` prints the table of all families of the zoo.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
import transformers
from PIL import Image

import nbtoolkit as nbt
from nbtoolkit.models.hooks import watching

from .text.real_tokenizers import SHARED
from .zoo import build
from .zoo.parts import SIDE

LANDSCAPE, PORTRAIT = (96, 64), (40, 100)
FILTER = 2  # a resampling filter reaches this many pixels of the image (or of the smaller result) beyond the crop


WITHOUT_A_GRID = {"blip-2", "blip-2-t5", "instructblip", "kosmos-2", "idefics2", "mllama", "florence-2"}
REAL = ("llava-1.5", "granite-docling")


def as_shipped(name: str) -> Any:
    """A family of the zoo with the settings of its image processor that checkpoints come with: the centre crop is on."""
    hf, processor = build(name)
    images = processor.image_processor
    if "CLIP" in type(images).__name__:
        images.do_resize, images.do_center_crop = True, True
        images.size = type(images)(size={"shortest_edge": SIDE}).size
        images.crop_size = type(images)(crop_size={"height": SIDE, "width": SIDE}).crop_size
    return nbt.load_model(hf, processor=processor, check=False)


def real(name: str) -> Any:
    """A tiny random model of a real checkpoint's configuration, with its processor as it is; None where the files are absent."""
    folder = SHARED / name
    if not folder.exists():
        return None
    config = transformers.AutoConfig.from_pretrained(folder)
    small = {"hidden_size": 32, "intermediate_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "num_key_value_heads": 2,
             "head_dim": 16, "projection_dim": 32}  # fmt: skip
    for part in (config.text_config, config.vision_config):
        for key, value in small.items():
            if hasattr(part, key):
                setattr(part, key, value)
    torch.manual_seed(0)
    hf = transformers.AutoModelForImageTextToText.from_config(config)
    return nbt.load_model(hf, processor=transformers.AutoProcessor.from_pretrained(folder), check=False)


class Painted(NamedTuple):
    """One row of the table: n positions and patches, share seen, change outside, share of patches that move most."""

    n: int
    patches: int
    seen: float
    outside: float | None
    most: float


class _Enough(Exception):
    pass


@contextlib.contextmanager
def without_attention(model: Any) -> Iterator[None]:
    """Zero what attention adds in the vision tower: with random weights it mixes all patches with each other."""
    tower = [] if model.vision is None else model.vision.named_modules()
    parts = [m for name, m in tower if type(m).__name__.endswith("Attention") and "pool" not in name]

    def nothing(_module: Any, _inputs: Any, output: Any) -> Any:
        first = output[0] if isinstance(output, tuple) else output
        zero = torch.zeros_like(first)
        return (zero, *output[1:]) if isinstance(output, tuple) else zero

    handles = [part.register_forward_hook(nothing) for part in parts]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def image_states(model: Any, images: Sequence[Image.Image]) -> np.ndarray:
    """States at the image positions at the input of the first block, (n_images, n_image_positions, d_model)."""
    states: list[np.ndarray] = []
    for image in images:
        inputs = model.extend(model.inputs([image]), [[]])
        mask, here = model.image_mask(inputs), states

        def keep(layer: int, hidden: Any, mask: Any = mask, here: list[np.ndarray] = here) -> None:
            if layer == 0:
                here.append(hidden[mask].float().numpy())
                raise _Enough

        with contextlib.suppress(_Enough), watching(model.blocks, keep):
            model.forward(inputs)
    return np.stack(states)


def noise(size: tuple[int, int], seed: int = 0) -> Image.Image:
    """An image of independent pixels."""
    return Image.fromarray(np.random.default_rng(seed).integers(0, 256, (*size[::-1], 3), dtype=np.uint8))


def paint(image: Image.Image, box: Sequence[float], seed: int = 1) -> Image.Image:
    """The image with a box filled with other noise."""
    x0, y0, x1, y1 = (round(v) for v in box)
    out = image.copy()
    if x1 > x0 and y1 > y0:
        out.paste(noise((x1 - x0, y1 - y0), seed), (x0, y0))
    return out


def paint_outside(image: Image.Image, seen: Sequence[float], margin: float) -> Image.Image | None:
    """Other noise everywhere but in the seen region and ``margin`` pixels around it; None where nothing is left."""
    x0, y0 = (max(0, int(np.floor(v - margin))) for v in seen[:2])
    x1, y1 = (min(n, int(np.ceil(v + margin))) for v, n in zip(seen[2:], image.size, strict=True))
    if (x0, y0, x1, y1) == (0, 0, *image.size):
        return None
    out = noise(image.size, 2)
    out.paste(image.crop((x0, y0, x1, y1)), (x0, y0))
    return out


def painted(model: Any, size: tuple[int, int], n_patches: int | None = None) -> Painted:
    """Paint an image of one size outside the seen region, and in the boxes of (some) patches, one after the other."""
    image = noise(size)
    geometry = model.geometry(image)
    patches = np.flatnonzero(np.isfinite(geometry.boxes[:, 0]))
    some = patches if n_patches is None else patches[np.linspace(0, len(patches) - 1, n_patches).astype(int)]
    (plain,) = image_states(model, [image])
    assert len(plain) == geometry.n_positions
    scale = np.nanmax(geometry.boxes[:, 2:] - geometry.boxes[:, :2]) / 8
    other = paint_outside(image, geometry.seen, FILTER * max(1.0, scale))
    outside = None if other is None else float(np.abs(image_states(model, [other])[0] - plain).max())
    most = 0
    with without_attention(model):
        (plain,) = image_states(model, [image])
        for i in sorted(set(some.tolist())):
            (states,) = image_states(model, [paint(image, geometry.boxes[i])])
            change = np.linalg.norm(states - plain, axis=1)
            here = np.flatnonzero(geometry.tiles == geometry.tiles[i])
            most += bool(change[i] > 0 and here[change[here].argmax()] == i)
    return Painted(len(plain), len(patches), geometry.share, outside, most / len(set(some.tolist())))
