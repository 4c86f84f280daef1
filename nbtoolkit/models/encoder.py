"""A text encoder for BERTScore: any encoder of Hugging Face behind one call."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..errors import ModelError, first_line
from .loading import SAFE, quiet
from .threads import fitting_threads

DEFAULT_LAYERS = {
    "roberta-large": 17,
    "FacebookAI/roberta-large": 17,
    "roberta-base": 10,
    "bert-base-uncased": 9,
    "google-bert/bert-base-uncased": 9,
}


class TextEncoder:
    """From texts to unit embeddings of their tokens, and the weight of each token (0 for what the tokenizer puts around a text).

    Parameters
    ----------
    hf, tokenizer
        The loaded pair.
    layer
        Whose hidden states are taken; negative ones count from the last.
    """

    def __init__(self, hf: Any, tokenizer: Any, layer: int = -1) -> None:
        self.hf, self.tokenizer, self.layer = hf.eval(), tokenizer, layer
        n = hf.config.num_hidden_layers
        if not -n - 1 <= layer <= n:
            raise ModelError(
                f"layer is {layer}; expected one between 0 and {n} (or negative, from the last) of {type(hf).__name__}."
            )

    def __call__(self, texts: Sequence[str], batch_size: int = 64) -> list[tuple[np.ndarray, np.ndarray]]:
        """Embeddings (n_tokens, d) and weights (n_tokens,) of each text."""
        import torch

        around = {
            self.tokenizer.cls_token_id,
            self.tokenizer.sep_token_id,
            self.tokenizer.bos_token_id,
            self.tokenizer.eos_token_id,
        }
        out = []
        with torch.inference_mode(), fitting_threads(self.hf):
            for start in range(0, len(texts), batch_size):
                part = [t.strip() for t in texts[start : start + batch_size]]
                inputs = self.tokenizer(
                    part, padding=True, truncation=True, max_length=self._longest(), return_tensors="pt"
                ).to(self.hf.device)
                states = self.hf(**inputs, output_hidden_states=True).hidden_states[self.layer].float()
                states = torch.nn.functional.normalize(states, dim=-1).cpu().numpy()
                for ids, live, rows in zip(
                    inputs["input_ids"].tolist(), inputs["attention_mask"].bool().cpu().numpy(), states, strict=True
                ):
                    weights = np.array([float(i not in around) for i in ids])
                    out.append((rows[live], weights[live]))
        return out

    def _longest(self) -> int:
        limit = int(getattr(self.hf.config, "max_position_embeddings", 512))
        return min(
            limit - (2 if self.hf.config.model_type in ("roberta", "xlm-roberta", "camembert") else 0),
            int(self.tokenizer.model_max_length),
        )


def load_text_encoder(source: Any, *, layer: int | None = None) -> TextEncoder:
    """Load a text encoder for :func:`nbtoolkit.metrics.bert_score`.

    Parameters
    ----------
    source
        A hub id such as ``"roberta-large"`` (the paper's judge) or a folder.
    layer
        Layer to take; that of the reference implementation for the encoders it recommends, else the last.

    Raises
    ------
    ModelError
        No encoder there, or no such layer.

    References
    ----------
    Zhang et al., "BERTScore", ICLR 2020, appendix B (best layers).
    """
    import torch
    from transformers import AutoModel, AutoTokenizer

    try:
        with quiet(True):
            hf: Any = AutoModel.from_pretrained(source, dtype=torch.float32, **SAFE)
        tokenizer: Any = AutoTokenizer.from_pretrained(source, **SAFE)
    except Exception as error:
        raise ModelError(f"{str(source)!r} cannot be loaded as a text encoder ({first_line(error)}).") from error
    return TextEncoder(hf, tokenizer, DEFAULT_LAYERS.get(str(source), -1) if layer is None else layer)
