"""Parts that the tiny families share: a tokenizer, sizes, and how random weights are made awake."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import PreTrainedTokenizerFast

WORDS = ("Describe the image in one sentence . a an and on with of two three red blue green brown white black small big dog cat bear baby bus train "
         "car cake hotdog carrot dogs cats grass snow beach street table ball hat sun moon rain night day sits stands runs sleeps "
         "What is this ? near under over left right long short word another more words here there now then").split()  # fmt: skip
SPECIAL = ["<pad>", "<s>", "</s>", "<unk>"]
PAD, BOS, END = 0, 1, 2
SIDE, PATCH = 32, 8  # pixels

TEXT = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 4, "num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 8,
        "max_position_embeddings": 512, "pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2}  # fmt: skip
VISION = {
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "image_size": SIDE,
    "patch_size": PATCH,
}
PIXELS = {"size": {"height": SIDE, "width": SIDE}, "do_center_crop": False}


class Zoo:
    """A word-level tokenizer with a family's own special tokens; ``zoo["<image>"]`` is an id."""

    def __init__(
        self, *extra: str, named: dict[str, str] | None = None, plain: Sequence[str] = (), wrap: str = "$A"
    ) -> None:
        special = [*SPECIAL, *dict.fromkeys([*(named or {}).values(), *extra])]
        core = Tokenizer(models.WordLevel({w: i for i, w in enumerate([*special, *plain, *WORDS])}, unk_token="<unk>"))
        core.pre_tokenizer = pre_tokenizers.Whitespace()
        core.post_processor = processors.TemplateProcessing(single=wrap, special_tokens=[("<s>", BOS), ("</s>", END)])
        options: dict[str, Any] = {"extra_special_tokens": named} if named else {}
        self.tokenizer = PreTrainedTokenizerFast(
            tokenizer_object=core, pad_token="<pad>", bos_token="<s>", eos_token="</s>", unk_token="<unk>", padding_side="left", **options
        )  # fmt: skip
        self.tokenizer.add_tokens(special[4:], special_tokens=True)

    def __getitem__(self, token: str) -> int:
        return int(self.tokenizer.convert_tokens_to_ids(token))

    def __len__(self) -> int:
        return len(self.tokenizer)

    def text(self, **more: Any) -> dict[str, Any]:
        """Sizes of the text model."""
        return TEXT | {"vocab_size": len(self)} | more


def template(image: str, before: str = "", after: str = "") -> str:
    """A one-line chat template that writes ``image`` where the picture is."""
    return (
        f"{before}{{% for m in messages %}}{{% for c in m['content'] %}}{{% if c['type'] == 'image' %}}{image}"
        f"{{% else %}} {{{{ c['text'] }}}}{{% endif %}}{{% endfor %}}{{% endfor %}}{after}"
    )


def awaken(hf: Any, never: Sequence[int], gain: float = 3.0, seed: int = 0) -> Any:
    """Make random weights worth testing with; ``never`` are ids that a caption must not contain (all but words and the end)."""
    queries = any("qformer" in name or "image_pooling" in name for name, _ in hf.named_parameters())
    draw = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, p in hf.named_parameters():
            if "norm" in name.lower() and p.ndim == 1 and name.endswith("weight"):
                p.copy_(0.5 + torch.rand(p.shape, generator=draw))
            elif not p.any() and not name.endswith("bias"):
                p.copy_(0.5 * torch.randn(p.shape, generator=draw))
            elif p.ndim > 1:
                p.mul_(gain)
            if queries and p.ndim > 1 and ("qformer" in name or "vision" in name or "projection" in name):
                p.copy_(0.4 * torch.randn(p.shape, generator=draw))  # else all pictures look alike to the queries
        head = hf.get_output_embeddings()
        head.weight[sorted(set(never))] = 0  # their logits are 0, those of the best words above it
        if hf.config.is_encoder_decoder:
            head.weight[END] = 0  # its decoder starts from it, and would end at once
        if getattr(head, "bias", None) is not None:
            head.bias[sorted(set(never))] = 0
    for part in (hf, getattr(hf, "language_model", hf)):  # BLIP-2 generates with the language model's own settings
        if hasattr(part, "generation_config"):
            part.generation_config.update(pad_token_id=PAD, eos_token_id=END)
    return hf.eval()
