"""Every class that transformers maps from images to text: its parts are found, without weights or memory.

The tables describe the tested release of transformers. A newer release may bring classes that they lack: these are
reported, and the test fails only for classes of the tables.
"""

import warnings
from typing import NamedTuple

import pytest
import torch
import transformers
from transformers.models.auto.configuration_auto import CONFIG_MAPPING
from transformers.models.auto.modeling_auto import MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING as MAPPING
from transformers.models.auto.modeling_auto import MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING_NAMES as NAMES

from nbtoolkit.errors import ModelError
from nbtoolkit.models.anatomy import anatomy

from ..pins import other_releases

KNOWN = {
    "aria", "aya_vision", "blip", "blip-2", "chameleon", "cohere2_vision", "cohere_compass", "cosmos3_edge",
    "cosmos3_omni", "deepseek_ocr2", "deepseek_vl", "deepseek_vl_hybrid", "diffusion_gemma", "dots3_note", "emu3",
    "ernie4_5_vl_moe", "evolla", "exaone4_5", "fast_vlm", "florence2", "fuyu", "gemma3", "gemma3n", "gemma4",
    "gemma4_unified", "git", "glm46v", "glm4v", "glm4v_moe", "glm5_next", "glm_ocr", "glmga", "got_ocr2",
    "granite4_vision", "granite_docling", "hunyuan_vl", "hyperclovax_vision_v2", "idefics", "idefics2", "idefics3",
    "inkling2", "inkling_mm_model", "instructblip", "instructblipvideo", "internvl", "janus", "kimi_k25", "kosmos-2",
    "kosmos-2.5", "lfm2_vl", "lfm3_vl", "lighton_ocr", "llama4", "llava", "llava_next", "llava_next_video",
    "llava_onevision", "minicpm_ocr", "minicpmv4_6", "minicpmv4_7", "minimax_m3_vl", "mistral3", "mistral4",
    "mistral_large4", "mllama", "molmo2", "muse_glimmer", "muse_spark", "nemotron_h_omni", "ovis2", "paddleocr_vl",
    "paligemma", "perception_lm", "pi0", "pix2struct", "pp_chart2table", "pp_formulanet", "qianfan_ocr",
    "qwen2_5_omni_thinker", "qwen2_5_vl", "qwen2_vl", "qwen3_5", "qwen3_5_moe", "qwen3_omni_moe_thinker", "qwen3_vl",
    "qwen3_vl_moe", "qwen4_exp", "shieldgemma2", "smolvlm", "step3p7", "t5gemma2", "udop", "unlimited_ocr",
    "video_llama_3", "video_llava", "vipllava", "vision-encoder-decoder",
}  # fmt: skip
NO_DEFAULT = {"aya_vision", "chameleon", "cohere_compass", "deepseek_ocr2", "diffusion_gemma", "emu3", "granite4_vision", "hunyuan_vl",
              "qwen4_exp"}  # the default configuration builds no model  # fmt: skip
NEEDS_TIMM = {"fast_vlm", "gemma3n", "perception_lm"}
NO_HEAD = {"pi0"}  # a robot's policy: it has no output embeddings
NO_NORM = {"git", "florence2", "vision-encoder-decoder"}  # BERT- and BART-like: each block ends with its norm
NO_TOWER = {"evolla", "fuyu", "gemma4", "gemma4_unified", "mistral4", "pix2struct", "udop",
            "vision-encoder-decoder"}  # none, or one shared with the text  # fmt: skip
OTHER_LENGTH = {"pp_formulanet"}  # its configuration counts encoder layers
IN_TOWER = {"pp_formulanet"}  # its decoder is a part of the tower


class Census(NamedTuple):
    """Classes whose parts are all found, faults of the others, and errors of those that no default configuration builds."""

    whole: set[str]
    faults: dict[str, str]
    unbuilt: dict[str, str]


def fault(name, hf):
    """Give the first part that is not found, or not as the tables describe it; an empty string if all are."""
    try:
        path, blocks, norm, head, vision = anatomy(hf)
    except ModelError as error:
        return "" if name in NO_HEAD and "has no output embeddings" in str(error) else str(error)
    expected = {
        "output embeddings": name not in NO_HEAD,
        "as many blocks as the configuration has layers": name not in OTHER_LENGTH,
        "a final norm": name not in NO_NORM,
        "a matrix as head": True,
        "a vision tower": name not in NO_TOWER,
        "blocks inside the vision tower": name in IN_TOWER,
    }
    actual = {
        "output embeddings": True,
        "as many blocks as the configuration has layers": len(blocks)
        == hf.config.get_text_config(decoder=True).num_hidden_layers,
        "a final norm": type(norm).__name__ != "Identity",
        "a matrix as head": head.weight.ndim == 2,
        "a vision tower": vision is not None,
        "blocks inside the vision tower": vision is not None and any(m is blocks for m in vision.modules()),
    }
    return "; ".join(
        f"{part}: expected {expected[part]}, got {actual[part]} (blocks at {path})"
        for part in expected
        if actual[part] != expected[part]
    )


@pytest.fixture(scope="module")
def census():
    result = Census(set(), {}, {})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for name in NAMES:
            try:
                with torch.device("meta"):
                    config = CONFIG_MAPPING[name]()
                    hf = MAPPING[type(config)](config)
            except (ValueError, TypeError, AttributeError, KeyError, ImportError) as error:
                result.unbuilt[name] = f"{type(error).__name__}: {str(error).strip().splitlines()[0]}"
                continue
            if reason := fault(name, hf):
                result.faults[name] = reason
            else:
                result.whole.add(name)
    return result


def test_blocks_norm_head_and_tower_are_found_in_every_class(census):
    assert not {name: reason for name, reason in census.faults.items() if name in KNOWN}
    assert len(census.whole & KNOWN) >= max(80, 0.85 * len(KNOWN))


def test_the_tables_describe_the_tested_release(census):
    """On a newer release of transformers the differences are listed as the reason of a skip."""
    news = {
        "new": sorted(set(NAMES) - KNOWN),
        "new, and its parts are not found": {n: why for n, why in census.faults.items() if n not in KNOWN},
        "removed": sorted(KNOWN - set(NAMES)),
        "not built from its default configuration": {
            n: why for n, why in census.unbuilt.items() if n not in NO_DEFAULT | NEEDS_TIMM
        },
    }
    news = {what: names for what, names in news.items() if names}
    if news and "transformers" in other_releases():
        pytest.skip(f"transformers {transformers.__version__} differs from the tested release: {news}")
    assert not news
