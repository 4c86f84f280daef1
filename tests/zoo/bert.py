"""A tiny BERT with a tokenizer of its own, for BERTScore."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import transformers as hf


def tiny_bert(texts: Sequence[str], n_pieces: int) -> tuple[hf.BertModel, hf.BertTokenizer]:
    """Make a random encoder of two layers whose pieces were learnt from these texts."""
    tokenizer = hf.BertTokenizer().train_new_from_iterator(texts, n_pieces, show_progress=False)
    tokenizer.model_max_length = 64
    torch.manual_seed(0)
    config = hf.BertConfig(vocab_size=len(tokenizer), hidden_size=32, num_hidden_layers=2, num_attention_heads=4, intermediate_size=64,
                           max_position_embeddings=64)  # fmt: skip
    return hf.BertModel(config).eval(), tokenizer
