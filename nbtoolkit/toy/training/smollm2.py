"""Train the projector of ``toy-smollm2``: next-token cross-entropy of captions, through a frozen language model.

Several captions share one prefix of prompt and image (see ``packing``), the head is read at labelled positions only, and
the frozen language model runs in bfloat16: 0.45 CPU-seconds per image with four captions, instead of 0.9 per caption.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn import functional
from transformers import (
    CLIPVisionConfig,
    GenerationConfig,
    LlamaConfig,
    LlamaForCausalLM,
    LlavaConfig,
    LlavaProcessor,
    PreTrainedTokenizerFast,
)

from ..smollm2 import IMAGE, LANGUAGE, find_gguf, write_language
from ..world.grammar import Factors
from . import architecture
from .images import augment, sample_rows
from .loop import run_stage
from .packing import pack
from .worlds import SECOND

BATCH, CAPTIONS = 8, 4
SCALE = 0.2  # standard deviation of an untrained projector at standardised features
EOS = 2  # <|im_end|>
LEAD = "The picture shows"  # the response begins behind it
# The question has its usual place; half of the batches have the toolkit's default one.
QUESTIONS = ("Describe the image in one sentence.",) * 3 + ("What is in the image?", "Describe the picture.", "")
CHAT_TEMPLATE = (
    "{% for m in messages %}{{ '<|im_start|>' + m['role'] + '\n' }}{% for c in m['content'] %}"
    "{% if c['type'] == 'image' %}{{ '<image>\n' }}{% elif c['type'] == 'text' %}{{ c['text'] }}{% endif %}"
    "{% endfor %}{{ '<|im_end|>\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n" + LEAD + "' }}{% endif %}"
)
_TEXT: dict[str, Any] = {"vocab_size": 49152, "hidden_size": 576, "intermediate_size": 1536, "num_hidden_layers": 30,
         "num_attention_heads": 9, "num_key_value_heads": 3, "head_dim": 64, "max_position_embeddings": 8192,
         "rms_norm_eps": 1e-5, "rope_parameters": {"rope_theta": 100000.0, "rope_type": "default"},
         "bos_token_id": 1, "eos_token_id": EOS, "pad_token_id": EOS, "tie_word_embeddings": True}  # fmt: skip


class Projector(nn.Module):
    """LLaVA's projector, trained between standardised tower features and outputs of the size of token embeddings.

    Parameters
    ----------
    mean, std : (width,)
        Of the tower's features.
    embeddings : (n_vocabulary, d_model)
        Token embeddings of the language model, for their size.
    """

    mean: Tensor
    std: Tensor
    scale: Tensor

    def __init__(self, mean: Tensor, std: Tensor, embeddings: Tensor) -> None:
        super().__init__()
        width, d_model = len(mean), embeddings.shape[1]
        # "projection" in a name: the loop trains these matrices with AdamW
        self.projection_1, self.projection_2 = nn.Linear(width, d_model), nn.Linear(d_model, d_model)
        for name, value in {"mean": mean, "std": std, "scale": embeddings.float().std()}.items():
            self.register_buffer(name, value.clone())

    def forward(self, features: Tensor) -> Tensor:
        """Project features: (…, width) to (…, d_model).

        Parameters
        ----------
        features : (…, width)
            Of the vision tower.
        """
        hidden = functional.gelu(self.projection_1((features - self.mean) / self.std))
        return self.projection_2(hidden) * (self.scale / SCALE)

    def folded(self) -> dict[str, Tensor]:
        """Weights of a ``LlavaMultiModalProjector`` that computes the same."""
        w1, b1 = self.projection_1.weight / self.std, self.projection_1.bias
        scale = self.scale / SCALE
        return {"linear_1.weight": w1, "linear_1.bias": b1 - w1 @ self.mean,
                "linear_2.weight": self.projection_2.weight * scale, "linear_2.bias": self.projection_2.bias * scale}  # fmt: skip


def language_model(folder: Path, dtype: torch.dtype, device: str) -> Any:
    """Frozen SmolLM2, dequantised into the folder if it is not there yet.

    Parameters
    ----------
    folder
        Folder of the run.
    dtype
        Floating-point type.
    device
        A torch device.
    """
    if not (folder / LANGUAGE).exists():
        folder.mkdir(exist_ok=True)
        write_language(find_gguf(), folder)
    model: Any = LlamaForCausalLM(LlamaConfig(**_TEXT))
    weights = {n.replace("model.language_model.", "model."): t for n, t in load_file(folder / LANGUAGE).items()}
    model.load_state_dict(weights, strict=False)
    model.tie_weights()
    return model.to(device, dtype).requires_grad_(False).eval()


def tokenizer(folder: Path) -> PreTrainedTokenizerFast:
    """SmolLM2's tokenizer, with an image token in place of an unused one.

    Parameters
    ----------
    folder
        Folder with ``tokenizer.json``.
    """
    return PreTrainedTokenizerFast(tokenizer_file=str(folder / "tokenizer.json"), bos_token="<|im_start|>", eos_token="<|im_end|>",
                                   unk_token="<|endoftext|>", pad_token="<|im_end|>", extra_special_tokens={"image_token": "<image>"},
                                   padding_side="left", clean_up_tokenization_spaces=False, model_max_length=8192)  # fmt: skip


def caption_loss(
    lm: Any, projector: nn.Module, features: Tensor, tokens: Any, captions: Sequence[Sequence[str]], question: str
) -> Tensor:
    """Cross-entropy of the next token, in nats, over all tokens of the captions and their end token; nothing is added.

    Parameters
    ----------
    lm
        The language model, with its head.
    projector
        Maps tower features to token embeddings.
    features : (batch, n_patches, width)
        Of the vision tower.
    tokens
        The tokenizer.
    captions
        Captions per image.
    question
        The question of the prompt.
    """
    device = features.device
    before, after = f"<|im_start|>user\n<image>\n{question}<|im_end|>\n<|im_start|>assistant\n{LEAD}".split("<image>")
    head_ids, tail_ids = (tokens(t, add_special_tokens=False).input_ids for t in (before, after))
    # a caption's first word is predicted at the prompt's last token, which each caption therefore repeats
    groups = [[[tail_ids[-1], *tokens(f" {t}", add_special_tokens=False).input_ids, EOS] for t in g] for g in captions]
    embed = lm.get_input_embeddings()
    batch = len(captions)

    def embedded(ids: list[int]) -> Tensor:
        vectors: Tensor = embed(torch.tensor(ids, device=device)).expand(batch, -1, -1)
        return vectors

    image = projector(features).to(embed.weight.dtype)
    prefix = torch.cat([embedded(head_ids), image, embedded(tail_ids[:-1])], 1)
    packed = pack(groups, prefix.shape[1], str(device))
    mask = packed["mask"]
    bias = torch.zeros(mask.shape, device=device, dtype=image.dtype).masked_fill_(~mask, torch.finfo(image.dtype).min)
    states = lm.model(inputs_embeds=torch.cat([prefix, embed(packed["ids"])], 1), attention_mask=bias,
                      position_ids=packed["positions"], use_cache=False).last_hidden_state[:, prefix.shape[1] :]  # fmt: skip
    labelled = packed["labels"] != -100
    return functional.cross_entropy(lm.lm_head(states[labelled]).float(), packed["labels"][labelled])


def tower_features(tower: Any, pixels: Tensor) -> Tensor:
    """Features that LLaVA projects: the tower's last hidden states without the class position.

    Parameters
    ----------
    tower
        The vision tower.
    pixels : (batch, 3, 64, 64)
        Images.
    """
    with torch.no_grad():
        states: Tensor = tower(pixel_values=pixels).last_hidden_state[:, 1:]
    return states


def train_projector(
    tower: Any,
    images: np.ndarray,
    factors: Sequence[Factors],
    out: Path,
    *,
    n_steps: int,
    random_state: int,
    device: str,
) -> None:
    """Train the projector and write ``smollm2/``: all of the model but its language model.

    Parameters
    ----------
    tower
        The trained vision tower; it is not changed.
    images : (n_images, 64, 64, 3) uint8
        Training images.
    factors
        Factor to value, per image.
    out
        Folder of the run.
    n_steps
        Number of steps, of ``BATCH`` images and ``CAPTIONS`` captions each.
    random_state
        Seed.
    device
        A torch device.
    """
    lm, tokens = language_model(out / "language", torch.bfloat16, device), tokenizer(out / "language")
    rows = sample_rows(len(images), min(512, len(images)), np.random.default_rng([random_state, 1]))
    features = tower_features(tower, augment(images[rows], np.random.default_rng([random_state, 2]), device))
    torch.manual_seed(random_state)
    projector = Projector(features.mean((0, 1)), features.std((0, 1)), lm.get_input_embeddings().weight).to(device)

    def step(rng: np.random.Generator) -> tuple[Tensor, str]:
        rows = sample_rows(len(images), BATCH, rng)
        question = QUESTIONS[rng.integers(len(QUESTIONS))]
        captions = [[SECOND.caption(factors[r], rng) for _ in range(CAPTIONS)] for r in rows]
        features = tower_features(tower, augment(images[rows], rng, device))
        return caption_loss(lm, projector, features, tokens, captions, question), ""

    run_stage("projector", out, [projector], step, n_steps=n_steps, lr=2e-3, random_state=random_state, save_every=50,
              warm_up=50, log_every=10)  # fmt: skip
    write_model(tower, projector, tokens, out / "smollm2")


def write_model(tower: Any, projector: Projector, tokens: Any, folder: Path) -> None:
    """Write the Hugging Face folder without language model and tokenizer, weights in float16.

    Parameters
    ----------
    tower, projector
        The trained parts.
    tokens
        The tokenizer, for the processor's files.
    folder
        Where to write.
    """
    folder.mkdir(parents=True, exist_ok=True)
    config = LlavaConfig(vision_config=CLIPVisionConfig(**tower.config.to_diff_dict()), text_config=LlamaConfig(**_TEXT),
                         image_token_index=IMAGE, vision_feature_layer=-1, vision_feature_select_strategy="default",
                         image_seq_length=(architecture.SIZE // architecture.PATCH) ** 2, tie_word_embeddings=True)  # fmt: skip
    config.architectures = ["LlavaForConditionalGeneration"]
    config.save_pretrained(folder)
    GenerationConfig(
        bos_token_id=1, eos_token_id=EOS, pad_token_id=EOS, do_sample=False, max_new_tokens=40
    ).save_pretrained(folder)
    processor = LlavaProcessor(architecture.image_processor(), tokens, patch_size=architecture.PATCH, num_additional_image_tokens=1,
                               vision_feature_select_strategy="default", chat_template=CHAT_TEMPLATE)  # fmt: skip
    processor.save_pretrained(folder)
    (folder / "tokenizer.json").unlink()  # it comes with the language model
    tensors = {f"model.vision_tower.{n}": t for n, t in tower.state_dict().items()}
    tensors |= {f"model.multi_modal_projector.{n}": t for n, t in projector.folded().items()}
    tensors = {
        n: t.detach().to("cpu", torch.float16 if t.is_floating_point() else t.dtype).contiguous()
        for n, t in tensors.items()
    }
    save_file(tensors, folder / "vision.safetensors", metadata={"format": "pt"})
    size = sum(t.numel() * t.element_size() for t in tensors.values())
    names = dict.fromkeys(tensors, "vision.safetensors")
    with torch.device("meta"):
        language = LlamaForCausalLM(LlamaConfig(**_TEXT)).model
    names |= {f"model.language_model.{n}": LANGUAGE for n in language.state_dict()}
    size += sum(2 * t.numel() for t in language.state_dict().values())
    index = {"metadata": {"total_size": size}, "weight_map": dict(sorted(names.items()))}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index, indent=1), "utf-8")
