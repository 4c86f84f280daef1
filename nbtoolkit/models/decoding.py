"""Greedy decoding: the argmax of the model's own logits at every step, whatever its generation configuration asks for."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator, Sequence
from typing import Any

from transformers import GenerationConfig

# what a generation configuration says about the vocabulary and the cache, not about the choice of a token
_VOCABULARY = ("bos_token_id", "eos_token_id", "pad_token_id", "decoder_start_token_id", "use_cache")
# length limits, which max_new_tokens replaces, and entries about the configuration itself
_NO_CHOICE = ("max_length", "max_new_tokens", "transformers_version")
_OUTPUTS = (
    "output_attentions",
    "output_hidden_states",
    "output_scores",
    "output_logits",
)  # no choice either where False
_LONGEST = 8  # entries of a list that are written out
_LOCK = threading.RLock()  # generation configurations belong to the model, which threads may share


@contextlib.contextmanager
def argmax_decoding(hf: Any) -> Iterator[None]:
    """Generate by argmax within the block; the model has its own generation configuration again after it.

    Every configuration in the model is replaced by one that names the vocabulary only: BLIP-2, for example, generates
    with the configuration of its language model.

    Parameters
    ----------
    hf
        A Hugging Face model.
    """
    with _LOCK:
        own = [(module, module.generation_config) for module in _generators(hf)]
        try:
            for module, config in own:
                module.generation_config = _vocabulary_only(config)
            yield
        finally:
            for module, config in own:
                module.generation_config = config


def generation_overrides(hf: Any) -> tuple[str, ...]:
    """Settings of a model's generation configuration that greedy decoding overrides, as ``"name=value"``.

    Parameters
    ----------
    hf
        A Hugging Face model.

    Examples
    --------
    >>> import nbtoolkit as nbt
    >>> hf = nbt.load_model("toy").hf
    >>> hf.generation_config.repetition_penalty = 1.05
    >>> generation_overrides(hf)
    ('repetition_penalty=1.05',)
    """
    overrides: dict[str, None] = {}
    default = GenerationConfig()
    neutral = default.to_dict() | default._get_default_generation_params()
    for module in _generators(hf):
        for name, value in sorted(module.generation_config.to_dict().items()):
            if name in _VOCABULARY + _NO_CHOICE or name.startswith("_") or value in (None, neutral.get(name)):
                continue
            if name in _OUTPUTS and value is False:
                continue
            overrides[f"{name}={_short(value)}"] = None
    return tuple(overrides)


def end_ids(model: Any) -> set[int]:
    """Ids that end a response: those of the generation configuration, and the tokenizer's end and padding ids.

    Parameters
    ----------
    model
        The adapter.
    """
    ends = model.hf.generation_config.eos_token_id
    ends = ends if isinstance(ends, Sequence) else [ends]
    return {int(i) for i in (*ends, model.tokenizer.eos_token_id, model.tokenizer.pad_token_id) if i is not None}


def _generators(hf: Any) -> list[Any]:
    """Modules with a generation configuration of their own."""
    return [module for module in hf.modules() if isinstance(vars(module).get("generation_config"), GenerationConfig)]


def _vocabulary_only(config: Any) -> Any:
    return GenerationConfig(**{name: getattr(config, name, None) for name in _VOCABULARY})


def _short(value: Any) -> str:
    if isinstance(value, list | tuple) and len(value) > _LONGEST:
        return f"[{', '.join(map(str, value[:_LONGEST]))}, …] ({len(value)} entries)"
    return str(value)
