"""The zoo with processors as shipped: each family's own image sizes, crops, tiles and patches, around models of tiny widths.

:data:`SHIPPED` holds what differs from the recipe of a family: the vision tower's configuration (``vision``), the model's
(``config``), the image processor (``images``) and attributes of the processor (``processor``). Widths, depths and vocabulary stay
tiny, and only widths: a pass over an image of 640 × 480 takes at most two CPU seconds, so that no image size is reduced.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import transformers as hf

from .parts import END, WORDS, awaken
from .recipes import FAMILIES

PROCESSORS = Path(__file__).parents[2].parent / "shared" / "data" / "processors"


def _clip(side: int) -> Any:
    return hf.CLIPImageProcessor(size={"shortest_edge": side}, crop_size={"height": side, "width": side})


def _square(name: str, side: int, **more: Any) -> Any:
    return getattr(hf, name + "ImageProcessor")(size={"height": side, "width": side}, **more)


def _seen(side: int, patch: int, **more: Any) -> dict[str, Any]:
    return {"image_size": side, "patch_size": patch} | more


def _llava() -> dict[str, Any]:
    return {
        "vision": _seen(336, 14),
        "config": {"image_seq_length": 576},
        "images": _clip(336),
        "processor": {"patch_size": 14},
    }


def _next() -> dict[str, Any]:
    images = hf.LlavaNextImageProcessor(size={"shortest_edge": 336}, crop_size={"height": 336, "width": 336})
    grid = [list(pair) for pair in images.image_grid_pinpoints]
    return {
        "vision": _seen(336, 14),
        "config": {"image_grid_pinpoints": grid},
        "images": images,
        "processor": {"patch_size": 14},
    }


def _onevision() -> dict[str, Any]:
    images = hf.LlavaOnevisionImageProcessor()
    grid = [list(pair) for pair in images.image_grid_pinpoints]
    return {
        "vision": _seen(384, 14),
        "config": {"image_grid_pinpoints": grid},
        "images": images,
        "processor": {"num_image_tokens": 729},
    }


def _qwen(patch: int = 14, least: int = 56 * 56, most: int = 28 * 28 * 16384, **vision: Any) -> dict[str, Any]:
    size = {"shortest_edge": least, "longest_edge": most}
    return {"vision": {"patch_size": patch} | vision, "images": hf.Qwen2VLImageProcessor(size=size, patch_size=patch)}


def _idefics3(name: str, tile: int, patch: int, merge: int) -> dict[str, Any]:
    images = getattr(hf, name + "ImageProcessor")(
        size={"longest_edge": 4 * tile}, max_image_size={"longest_edge": tile}
    )
    n = (tile // patch // merge) ** 2
    return {
        "vision": _seen(tile, patch),
        "config": {"scale_factor": merge},
        "images": images,
        "processor": {"image_seq_len": n},
    }


def _queries(n: int) -> dict[str, Any]:
    vision, config = _seen(224, 14), {"num_query_tokens": n}
    return {"vision": vision, "config": config, "images": _square("Blip", 224), "processor": config}


def _florence() -> dict[str, Any]:
    vision = {"embed_dim": [16, 16, 32, 32], "depths": [1] * 4, "num_heads": [2] * 4, "num_groups": [2] * 4, "patch_size": [7, 3, 3, 3],
              "patch_stride": [4, 2, 2, 2], "patch_padding": [3, 1, 1, 1], "patch_prenorm": [False, True, True, True], "window_size": 12,
              "max_position_embeddings": 50}  # fmt: skip
    images = hf.CLIPImageProcessor(size={"height": 768, "width": 768}, do_center_crop=False)
    images.image_seq_length = 577
    text = {"text_config": {"max_position_embeddings": 1024}}
    return {
        "vision": vision,
        "config": text,
        "images": images,
        "processor": {"num_image_tokens": 577, "image_seq_length": 577},
    }


def _mllama() -> dict[str, Any]:
    ratios = [[1, 1], [1, 2], [1, 3], [1, 4], [2, 1], [2, 2], [3, 1], [4, 1]]
    return {"vision": _seen(560, 14, max_num_tiles=4, supported_aspect_ratios=ratios), "images": _square("Mllama", 560)}


def _paligemma() -> dict[str, Any]:
    images = _square("Siglip", 224)
    images.image_seq_length = 256
    return {"vision": _seen(224, 14), "images": images, "processor": {"image_seq_length": 256}}


SHIPPED: dict[str, Callable[[], dict[str, Any]]] = {
    "llava": _llava,
    "llava-mistral": _llava,
    "llava-qwen2": _llava,
    "pixtral": lambda: {"vision": _seen(1024, 16), "images": hf.PixtralImageProcessor(), "processor": {"patch_size": 16}},
    "mistral3": lambda: {"vision": _seen(1540, 14), "processor": {"patch_size": 14},
                         "images": hf.PixtralImageProcessor(size={"longest_edge": 1540}, patch_size={"height": 14, "width": 14})},
    "llava-next": _next,
    "llava-onevision": _onevision,
    "qwen2-vl": _qwen,
    "qwen2.5-vl": lambda: _qwen(window_size=112),
    "qwen3-vl": lambda: _qwen(16, 65536, 16777216, num_position_embeddings=2304),
    "glm-4v": lambda: {"vision": _seen(336, 14), "images": hf.Glm4vImageProcessor()},
    "idefics2": lambda: {"vision": _seen(980, 14), "config": {"perceiver_config": {"resampler_n_latents": 64}}, "processor": {"image_seq_len": 64},
                         "images": hf.Idefics2ImageProcessor(size={"shortest_edge": 378, "longest_edge": 980}, do_image_splitting=True)},
    "idefics3": lambda: _idefics3("Idefics3", 364, 14, 2),
    "smolvlm": lambda: _idefics3("SmolVLM", 512, 16, 4),
    "paligemma": _paligemma,
    "gemma3": lambda: {"vision": _seen(896, 14), "config": {"mm_tokens_per_image": 256}, "images": _square("Gemma3", 896), "processor": {
        "image_seq_length": 256, "full_image_sequence": f"\n\n<start_of_image>{'<image_soft_token>' * 256}<end_of_image>\n\n"}},
    "internvl": lambda: {"vision": _seen([448, 448], [14, 14]), "config": {"image_seq_length": 256}, "images": _square("GotOcr2", 448),
                         "processor": {"image_seq_length": 256}},
    "aya-vision": lambda: {"vision": _seen(364, 14), "images": _square("GotOcr2", 364, crop_to_patches=True),
                           "processor": {"patch_size": 28, "img_size": 364}},
    "cohere2-vision": lambda: {"vision": _seen(512, 16), "images": hf.Cohere2VisionImageProcessor(), "processor": {"patch_size": 16}},
    "llama4": lambda: {"vision": _seen(336, 14), "images": hf.Llama4ImageProcessor(), "processor": {"patch_size": 14}},
    "blip-2": lambda: _queries(32),
    "blip-2-t5": lambda: _queries(32),
    "instructblip": lambda: _queries(32),
    "mllama": _mllama,
    "kosmos-2": lambda: {"vision": _seen(224, 14), "config": {"latent_query_num": 64}, "images": _clip(224), "processor": {"num_image_tokens": 64}},
    "git": lambda: {"vision": _seen(224, 16), "images": _clip(224)},
    "fuyu": lambda: {"config": {"patch_size": 30, "image_size": 1080}, "images": hf.FuyuImageProcessor()},
    "florence-2": _florence,
    "ovis2": lambda: {"vision": _seen(448, 14), "images": _square("Ovis2", 448, crop_to_patches=True, max_patches=9),
                      "processor": {"image_seq_length": 256}},
    "molmo2": lambda: {"vision": _seen([378, 378], 14, num_position_embeddings=729), "images": hf.Molmo2ImageProcessor()},
}  # fmt: skip


def build_shipped(name: str) -> tuple[Any, Any]:
    """A tiny model of the family that takes images of the shipped size, and its processor as shipped."""
    torch.manual_seed(0)
    model, processor = FAMILIES[name]()
    changes = SHIPPED[name]()
    settings = _merged(
        model.config.to_dict(),
        changes.get("config", {}) | ({"vision_config": changes["vision"]} if "vision" in changes else {}),
    )
    grown = type(model)(type(model.config).from_dict(settings))
    grown.generation_config = model.generation_config
    processor.image_processor = changes["images"]
    for attribute, value in changes.get("processor", {}).items():
        setattr(processor, attribute, value)
    words = set(processor.tokenizer.convert_tokens_to_ids(list(WORDS)))
    size = grown.get_output_embeddings().weight.shape[0]
    return awaken(grown, [i for i in range(size) if i not in words and i != END]), processor


def _merged(old: dict[str, Any], new: dict[str, Any]) -> dict[str, Any]:
    result = copy.copy(old)
    for key, value in new.items():
        result[key] = _merged(old[key], value) if isinstance(value, dict) and isinstance(old.get(key), dict) else value
    return result


REAL = {"llava-1.5": (336, 14), "granite-docling": (512, 16)}  # side of a tile and of a patch, in pixels


def build_real(name: str) -> tuple[Any, Any]:
    """A tiny model of a checkpoint's own configuration, vocabulary and ids, and its real processor; FileNotFoundError where absent."""
    folder = PROCESSORS / name
    if not folder.is_dir():
        raise FileNotFoundError(folder)
    processor = hf.AutoProcessor.from_pretrained(folder)
    settings = json.loads((folder / "config.json").read_text("utf-8"))
    side, patch = REAL[name]
    text = {
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "head_dim": 8,
    }
    vision = {
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "image_size": side,
        "patch_size": patch,
    }
    settings = _merged(settings, {"text_config": text, "vision_config": vision})
    settings.pop("torch_dtype", None)
    settings.pop("dtype", None)
    torch.manual_seed(0)
    config = hf.AutoConfig.for_model(**settings)
    model = hf.AutoModelForImageTextToText.from_config(config).float()
    special = [i for i in processor.tokenizer.all_special_ids if i < config.get_text_config().vocab_size]
    return awaken(model, special), processor
