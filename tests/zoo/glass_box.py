"""A glass box: a LLaVA whose weights are set by hand, so that it is known where each of its words comes from.

An image of 4 × 4 patches is black but for a red and a blue one, in its left and in its right half; ``"What is left ?"`` is
answered with the colour of the left one. In layer 1 the last position reads the word of the side; in layer 2 one head reads
the coloured patch of that side. A map of what is salient shows the same patch for both questions and scores 50 %.
"""

from __future__ import annotations

from itertools import product
from typing import Any, NamedTuple

import numpy as np
import torch
import transformers
from PIL import Image

from .parts import PATCH, SIDE, Zoo
from .recipes import _llava

COLOURS = {"red": (255, 0, 0), "blue": (0, 0, 200)}  # red is brighter
SIDES = ("left", "right")
CELLS = {"left": 5, "right": 6}  # patches of the second row, both nearest to the centre
CONSTANT, RED, BLUE, PLACE, IS_SIDE, SIDE_WORD, SIDE_ASKED, SAYS_RED, SAYS_BLUE, DONE = range(10)  # entries of a state
LARGE = 10.0  # a constant entry, which fixes the scale of every norm
SHARPNESS = 8.0  # attention score of one match; two of them name the patch
LOGIT = 20.0
FREE = (2, 3)  # entries of a head whose rotation is negligible with a base of 1e12


class Case(NamedTuple):
    """An image, a question, and what is true of them."""

    image: Image.Image
    question: str
    word: str
    foil: str
    named: int  # index of the patch whose colour is the response
    other: int


def cases() -> list[Case]:
    """Both questions about both arrangements."""
    result = []
    for side, left in product(SIDES, COLOURS):
        right = next(c for c in COLOURS if c != left)
        shown = {"left": left, "right": right}
        far = next(s for s in SIDES if s != side)
        image = picture(left, right)
        result.append(Case(image, f"What is {side} ?", shown[side], shown[far], CELLS[side], CELLS[far]))
    return result


def picture(left: str, right: str) -> Image.Image:
    """A black image with a coloured patch in each half."""
    pixels = np.zeros((SIDE, SIDE, 3), np.uint8)
    for side, colour in zip(SIDES, (left, right), strict=True):
        pixels[mask(CELLS[side])] = COLOURS[colour]
    return Image.fromarray(pixels)


def mask(patch: int) -> np.ndarray:
    """Pixels of a patch."""
    row, column = divmod(patch, SIDE // PATCH)
    result = np.zeros((SIDE, SIDE), bool)
    result[row * PATCH : (row + 1) * PATCH, column * PATCH : (column + 1) * PATCH] = True
    return result


def glass_box() -> tuple[Any, Any]:
    """The Hugging Face model and its processor."""
    zoo = Zoo("<image>")
    sizes = {"num_hidden_layers": 2, "num_key_value_heads": 4, "rope_parameters": _rope()}
    hf, processor = _llava(zoo, transformers.LlamaConfig(**zoo.text(**sizes)))
    processor.image_processor.image_mean, processor.image_processor.image_std = [0.0] * 3, [1.0] * 3
    with torch.no_grad():
        for name, p in hf.named_parameters():
            p.fill_(1.0 if "norm" in name.lower() and name.endswith("weight") else 0.0)
        _see(hf.model.vision_tower, hf.model.multi_modal_projector)
        _read(hf, zoo)
    return hf.eval(), processor


def _rope() -> dict[str, Any]:
    return {"rope_type": "default", "rope_theta": 1e12}


def _see(tower: Any, projector: Any) -> None:
    """Patch states of redness, blueness and half of the image; entries in pairs of opposite sign, as a norm subtracts the mean."""
    vision = getattr(tower, "vision_model", tower)
    patches, places = vision.embeddings.patch_embedding.weight, vision.embeddings.position_embedding.weight
    for entry, channel in ((0, 0), (2, 2)):
        patches[entry, channel], patches[entry + 1, channel] = 1 / PATCH**2, -1 / PATCH**2
    columns = torch.arange(SIDE // PATCH).repeat(SIDE // PATCH)
    half = torch.where(columns < SIDE // PATCH // 2, 1.0, -1.0)
    places[1:, 4], places[1:, 5] = half, -half
    places[:, 6], places[:, 7] = LARGE, -LARGE
    scale = (2 * (LARGE**2 + 1) / places.shape[1]) ** 0.5  # of the norm before the vision tower's blocks
    for entry, source in ((RED, 0), (BLUE, 2), (PLACE, 4)):
        projector.linear_1.weight[entry, source], projector.linear_1.bias[entry] = scale, LARGE  # where GELU is linear
        projector.linear_2.weight[entry, entry], projector.linear_2.bias[entry] = 1.0, -LARGE
    projector.linear_2.bias[CONSTANT] = LARGE


def _read(hf: Any, zoo: Zoo) -> None:
    """Which side is asked for, in layer 1; which colour is there, in layer 2; and the words of both."""
    text = hf.model.language_model
    words = text.embed_tokens.weight
    words[:, CONSTANT] = LARGE
    for word, sign in zip(SIDES, (1.0, -1.0), strict=True):
        words[zoo[word], IS_SIDE], words[zoo[word], SIDE_WORD] = 1.0, sign
    scale = LARGE / words.shape[1] ** 0.5  # of the norms: the constant is the largest entry by far
    width = words.shape[1] // text.config.num_attention_heads
    match = SHARPNESS * width**0.5 * scale  # of a query of this size with a key of 1 / scale
    first, second = (layer.self_attn for layer in text.layers)
    first.q_proj.weight[FREE[0], CONSTANT] = 2 * match * scale / LARGE
    first.k_proj.weight[FREE[0], IS_SIDE] = 1.0
    first.v_proj.weight[0, SIDE_WORD] = scale
    first.o_proj.weight[SIDE_ASKED, 0] = 1.0
    second.q_proj.weight[FREE[0], SIDE_ASKED] = match * scale
    second.q_proj.weight[FREE[1], CONSTANT] = match * scale / LARGE
    second.k_proj.weight[FREE[0], PLACE] = 1.0
    for entry, (colour, says) in enumerate(((RED, SAYS_RED), (BLUE, SAYS_BLUE))):
        second.k_proj.weight[FREE[1], colour] = 1.0
        second.v_proj.weight[entry, colour] = scale
        second.o_proj.weight[says, entry] = 1.0
    for word, entries in {"red": (RED, SAYS_RED), "blue": (BLUE, SAYS_BLUE), "</s>": (DONE,)}.items():
        hf.lm_head.weight[zoo[word], list(entries)] = LOGIT
    for word in COLOURS:
        words[zoo[word], DONE] = 1.0
    hf.generation_config.update(pad_token_id=zoo["<pad>"], eos_token_id=zoo["</s>"])
