"""The zoo with processors as shipped: full-size images, crops and tiles, odd sizes, and a budget for images."""

import functools

import numpy as np
import pytest
import torch
from PIL import Image

import nbtoolkit as nbt
from nbtoolkit.extraction.image_batches import REFUSALS
from nbtoolkit.models.budget import PROBES, image_positions, limited, most_positions

from ..vision import why_not
from ..zoo.shipped import REAL, SHIPPED, build_real, build_shipped
from .test_zoo import UPSTREAM

FAMILIES = [*SHIPPED, *REAL]
# positions of an image of 640 × 480 pixels with the processor as shipped, then with max_image_tokens=100 or the fewest possible
POSITIONS = {
    **dict.fromkeys(("llava", "llava-mistral", "llava-qwen2", "llava-1.5"), (576, 576, 576)),
    **dict.fromkeys(("qwen2-vl", "qwen2.5-vl", "glm-4v"), (391, 100, 88)),
    **dict.fromkeys(("blip-2", "blip-2-t5", "instructblip"), (32, 100, 32)),
    "aya-vision": (2197, 169, 169),
    "cohere2-vision": (768, 256, 256),
    "florence-2": (577, 577, 577),
    "fuyu": (352, 100, 70),
    "gemma3": (256, 256, 256),
    "git": (197, 197, 197),
    "granite-docling": (832, 100, 64),
    "idefics2": (320, 100, 64),
    "idefics3": (2197, 169, 169),
    "internvl": (3328, 256, 256),
    "kosmos-2": (64, 100, 64),
    "llama4": (720, 144, 144),
    "llava-next": (2340, 1608, 1368),
    "llava-onevision": (2929, 1485, 1317),
    "mistral3": (414, 100, 80),
    "mllama": (3202, 1601, 1601),
    "molmo2": (725, 392, 392),
    "ovis2": (1280, 256, 256),
    "paligemma": (256, 256, 256),
    "pixtral": (1200, 100, 80),
    "qwen3-vl": (300, 100, 88),
    "smolvlm": (832, 100, 64),
}


@functools.cache
def load(name):
    try:
        hf, processor = build_real(name) if name in REAL else build_shipped(name)
    except ImportError as error:
        pytest.skip(f"{why_not() or error}")
    except FileNotFoundError as error:
        pytest.skip(f"the processor of {name} is not there: {error}")
    try:
        return nbt.load_model(hf, processor=processor)
    except nbt.NbtoolkitError as error:
        fault = UPSTREAM.get(name, ("", ""))[1]
        if fault and fault in str(error.__cause__):
            pytest.skip(f"this transformers cannot run {name} ({fault})")
        raise


def photo(width=640, height=480, seed=0):
    blocks = np.random.default_rng(seed).integers(0, 256, (3, 4, 3), dtype=np.uint8)
    return Image.fromarray(blocks).resize((width, height), Image.Resampling.BICUBIC)


def logits(model, image):
    with torch.inference_mode():
        return model.hf(**model.extend(model.inputs([image]), [[]])).logits[0, -1]


@pytest.mark.parametrize("name", FAMILIES)
def test_the_checks_hold_with_the_processor_as_shipped(name):
    model = load(name)
    images = [photo(), photo(480, 640, 1)] if not model.equal_lengths else [photo(), photo(seed=1)]
    report = nbt.check_model(model, images, max_new_tokens=3)
    assert report.ok, report


@pytest.mark.parametrize("name", FAMILIES)
def test_a_limit_holds_for_every_shape_and_fits_the_model(name):
    model = load(name)
    shipped, budget, expected = POSITIONS[name]
    processor, image = model.processor, photo()
    before = processor.image_processor.to_dict()
    assert image_positions(model, model.prepare([image])) == [shipped]
    if budget > 1 and budget != 100:
        with pytest.raises(
            nbt.NbtoolkitError, match=rf"max_image_tokens is {budget - 1}; expected at least {budget}: "
        ):
            limited(model, budget - 1)
    small = limited(model, budget)
    assert image_positions(small, small.prepare([image])) == [expected]
    assert max(image_positions(small, small.prepare([photo(*size)]))[0] for size in PROBES[:4]) <= budget
    assert (logits(small, image) - logits(small, photo(seed=1))).abs().max() > 0
    assert small.image_limit.options != {} or most_positions(model) <= budget
    assert (
        model.processor is processor
        and processor.image_processor.to_dict() == before
        and model.image_limit.tokens is None
    )
    assert limited(small, None) is model and limited(small, budget) is small


MANY = ("qwen2-vl", "qwen3-vl", "glm-4v")  # thousands of positions, as qwen2.5-vl has


@pytest.mark.parametrize(
    "size", [(1, 1), pytest.param((4000, 3000), marks=pytest.mark.slow), (1, 10_000), (10_000, 1)], ids=str
)
@pytest.mark.parametrize("name", FAMILIES)
def test_an_odd_size_works_or_is_refused_with_a_reason(name, size):
    if size == (4000, 3000) and name in MANY:
        size = (1600, 1200)
    model = load(name)
    image = photo(*size)
    try:
        inputs = model.inputs([image])
    except REFUSALS as error:
        assert str(error), "refused without a reason"
        return
    with torch.inference_mode():
        out = model.hf(**model.extend(inputs, [[]])).logits[0, -1]
    assert torch.isfinite(out).all()


def test_an_image_beyond_the_limit_is_refused_with_its_size():
    small = limited(load("qwen2-vl"), 4)
    with pytest.raises(
        nbt.NbtoolkitError, match="An image of 3000 × 20 pixels takes [0-9]+ positions; expected at most 4"
    ):
        small.prepare([photo(3000, 20)])


@pytest.mark.parametrize("value", [0, -1, 2.5, True, "100"])
def test_a_limit_that_is_no_count_is_refused(value):
    with pytest.raises(nbt.NbtoolkitError, match=r"max_image_tokens is .*; expected a whole number of at least 1"):
        limited(load("llava"), value)
