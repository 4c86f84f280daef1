"""What to do where a checkpoint cannot be loaded: its native twin, the right function, or the package to install."""

from __future__ import annotations

import re
from typing import Any

from transformers import AutoModelForImageTextToText, AutoModelForMultimodalLM, PretrainedConfig
from transformers.models.auto.modeling_auto import (
    MODEL_FOR_CAUSAL_LM_MAPPING_NAMES,
    MODEL_FOR_ZERO_SHOT_IMAGE_CLASSIFICATION_MAPPING_NAMES,
)

from ..errors import ModelError

# model type of checkpoints with code of their own: checkpoints of the same models in a class of transformers
TWINS = {
    "florence2": "florence-community/Florence-2-base and its sisters",
    "internvl_chat": "the checkpoints whose name ends in -hf, such as OpenGVLab/InternVL3-1B-hf",
    "llava_llama": "llava-hf/llava-1.5-7b-hf and its sisters",
    "llava_mistral": "llava-hf/llava-v1.6-mistral-7b-hf",
    "llava_qwen": "llava-hf/llava-onevision-qwen2-0.5b-ov-hf and its sisters",
    "molmo": "allenai/Molmo2-8B, its successor",
    "multi_modality": "deepseek-community/deepseek-vl-1.3b-chat or deepseek-community/Janus-Pro-1B",
    "ovis": "thisisiam/Ovis2-1B-hf",
    "phi4mm": "microsoft/Phi-4-multimodal-instruct with revision='refs/pr/70'",
}
# how errors write a package: its name for pip
PACKAGES = {
    "sentencepiece": "sentencepiece",
    "tiktoken": "tiktoken",
    "mistral[-_]common": "mistral-common",
    "accelerate": "accelerate",
    "torchvision": "torchvision",
}
_OFFLINE = ("OfflineModeIsEnabled", "LocalEntryNotFoundError", "ConnectionError", "ConnectError")  # errors of the hub
_DEEPEST = 9  # causes of an error that are looked at


def to_install(error: BaseException) -> str:
    """Sentence that names the packages that an error says are missing; empty where it names none.

    Parameters
    ----------
    error
        An error of transformers.

    Examples
    --------
    >>> to_install(ImportError("LlamaTokenizer requires the SentencePiece library but it was not found"))
    ' Install what is missing: pip install sentencepiece.'
    """
    text = str(error)
    missing = isinstance(error, ImportError) or re.search(r"install|not found|requires? ", text, re.IGNORECASE)
    names = [pip for word, pip in PACKAGES.items() if re.search(word, text, re.IGNORECASE)] if missing else []
    return f" Install what is missing: pip install {' '.join(names)}." if names else ""


def with_own_code(source: Any, **version: str) -> str:
    """Sentence for a checkpoint that brings Python files; empty for others.

    Parameters
    ----------
    source
        A folder or hub id.
    **version
        ``revision``: a commit of the hub.
    """
    try:
        config, _ = PretrainedConfig.get_config_dict(source, **version)
    except (OSError, ValueError):  # no config.json, or none in reach
        return ""
    kind = config.get("model_type", "")
    if not (config.get("auto_map") or kind in TWINS):
        return ""
    twin = f" Load {TWINS[kind]}." if kind in TWINS else ""
    return (
        f" Its model type {kind!r} needs Python files that come with the weights, which are never run here.{twin} Or load it "
        "yourself, and give load_model(model, processor=processor)."
    )


def out_of_reach(error: BaseException, name: str) -> str:
    """Sentence for an error that means that the hub cannot be reached; empty for others.

    Parameters
    ----------
    error
        An error of transformers.
    name
        The hub id.
    """
    chain: list[str] = []
    cause: BaseException | None = error
    while cause is not None and len(chain) < _DEEPEST:
        chain.append(type(cause).__name__)
        cause = cause.__cause__ or cause.__context__
    if not set(chain) & set(_OFFLINE) and not re.search(r"couldn't connect|offline mode", str(error)):
        return ""
    return (
        f" The hub is out of reach (offline), and its cache here has no {name!r}. Download it where there is a network (hf download "
        f"{name}), and give the folder."
    )


def check_kind(config: Any, name: str, class_name: str | None = None) -> None:
    """Refuse a model that reads no images, or writes no text.

    Parameters
    ----------
    config
        Its configuration; one of an image-text-to-text class passes.
    name
        Folder or hub id, for the message.
    class_name
        Class of a loaded model; only the text and CLIP classes of transformers are refused.

    Raises
    ------
    ModelError
        It is a text model, or a CLIP-like model.
    """
    if any(type(config) in auto._model_mapping for auto in (AutoModelForImageTextToText, AutoModelForMultimodalLM)):
        return
    kind = config.model_type
    if class_name is not None and class_name not in (
        MODEL_FOR_CAUSAL_LM_MAPPING_NAMES.get(kind),
        MODEL_FOR_ZERO_SHOT_IMAGE_CLASSIFICATION_MAPPING_NAMES.get(kind),
    ):
        return
    if kind in MODEL_FOR_ZERO_SHOT_IMAGE_CLASSIFICATION_MAPPING_NAMES:
        raise ModelError(
            f"{name!r} is a {kind!r} model, which scores texts against images and writes none; expected an image-text-to-text "
            "model. Load it with load_scorer."
        )
    if kind in MODEL_FOR_CAUSAL_LM_MAPPING_NAMES:
        raise ModelError(
            f"{name!r} is a {kind!r} model, which reads text only; expected an image-text-to-text model, such as "
            "'llava-hf/llava-1.5-7b-hf'."
        )
