"""The two models of the embedded world, from Hugging Face classes: a LLaVA captioner and a CLIP scorer."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch
from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from transformers import (
    CLIPConfig,
    CLIPImageProcessorPil,
    CLIPModel,
    CLIPProcessor,
    CLIPVisionConfig,
    GenerationConfig,
    LlamaConfig,
    LlavaConfig,
    LlavaForConditionalGeneration,
    LlavaProcessor,
    PreTrainedTokenizerFast,
)

SIZE, PATCH, WIDTH = 64, 8, 128
PAD, BOS, IMAGE, EOS = 0, 1, 2, 3
SPECIALS = ["<pad>", "<s>", "<image>", "</s>"]
# The captioner responds to every prompt with a caption, so its template drops the prompt's words; a caption starts
# behind the image, which lets several captions share one image prefix in training.
CHAT_TEMPLATE = (
    "{% for m in messages %}{% for c in m['content'] %}{% if c['type'] == 'image' %}<image>{% endif %}"
    "{% endfor %}{% endfor %}{{ bos_token }}"
)


def tokenizer(corpus: Iterable[str], *, close: bool = False, lists: bool = False) -> PreTrainedTokenizerFast:
    """Train a byte-level BPE tokenizer in which every content word is one token with its leading space.

    Parameters
    ----------
    corpus
        Captions.
    close
        Wrap every text in ``<s> … </s>``, as a CLIP text tower expects it.
    lists
        Read capitals as small letters and commas as spaces, so that a list of words is as short as it can be.
    """
    bpe = Tokenizer(models.BPE())
    if lists:
        spaces = normalizers.Replace(Regex(r"[,\s]+"), " ")
        bpe.normalizer = normalizers.Sequence([spaces, normalizers.Strip(), normalizers.Lowercase()])
    bpe.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    bpe.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(vocab_size=1200, min_frequency=8, special_tokens=SPECIALS, show_progress=False,
                                  initial_alphabet=pre_tokenizers.ByteLevel.alphabet())  # fmt: skip
    bpe.train_from_iterator(corpus, trainer)
    if close:
        bpe.post_processor = processors.TemplateProcessing(
            single="<s> $A </s>", special_tokens=[("<s>", BOS), ("</s>", EOS)]
        )
    return PreTrainedTokenizerFast(tokenizer_object=bpe, pad_token="<pad>", bos_token="<s>", eos_token="</s>",
                                   extra_special_tokens={"image_token": "<image>"}, model_max_length=256,
                                   padding_side="right" if close else "left", clean_up_tokenization_spaces=False)  # fmt: skip


def image_processor() -> CLIPImageProcessorPil:
    """Make the image processor of both models: it averages scenes of 128 pixels down to 64."""
    return CLIPImageProcessorPil(size={"height": SIZE, "width": SIZE}, resample=4, do_center_crop=False,
                                 image_mean=[0.5] * 3, image_std=[0.5] * 3, do_convert_rgb=True)  # fmt: skip


def _vision_config() -> CLIPVisionConfig:
    return CLIPVisionConfig(hidden_size=WIDTH, intermediate_size=4 * WIDTH, num_hidden_layers=4, num_attention_heads=4,
                            image_size=SIZE, patch_size=PATCH, projection_dim=WIDTH)  # fmt: skip


def captioner(vocab_size: int) -> LlavaForConditionalGeneration:
    """Build the untrained captioner: about 2 million parameters, five language-model blocks of width 128.

    Parameters
    ----------
    vocab_size
        Number of tokens.
    """
    text = LlamaConfig(vocab_size=vocab_size, hidden_size=WIDTH, intermediate_size=336, num_hidden_layers=5,
                       num_attention_heads=4, num_key_value_heads=4, max_position_embeddings=256, tie_word_embeddings=False,
                       pad_token_id=PAD, bos_token_id=BOS, eos_token_id=EOS)  # fmt: skip
    config = LlavaConfig(vision_config=_vision_config(), text_config=text, image_token_index=IMAGE, vision_feature_layer=-1,
                         vision_feature_select_strategy="default", image_seq_length=(SIZE // PATCH) ** 2,
                         tie_word_embeddings=False)  # fmt: skip
    model = LlavaForConditionalGeneration(config)
    model.generation_config = GenerationConfig(
        bos_token_id=BOS, eos_token_id=EOS, pad_token_id=PAD, do_sample=False, max_new_tokens=40
    )
    return model


def scorer(vocab_size: int) -> CLIPModel:
    """Build the untrained scorer: a CLIP of about 1.5 million parameters, independent of the captioner.

    Parameters
    ----------
    vocab_size
        Number of tokens.
    """
    text = {"vocab_size": vocab_size, "hidden_size": WIDTH, "intermediate_size": 4 * WIDTH, "num_hidden_layers": 2,
            "num_attention_heads": 4, "max_position_embeddings": 48, "pad_token_id": PAD, "bos_token_id": BOS, "eos_token_id": EOS}  # fmt: skip
    config = CLIPConfig(text_config=text, vision_config=_vision_config().to_dict(), projection_dim=WIDTH)
    return CLIPModel(config)


def save(model: Any, tokens: PreTrainedTokenizerFast, folder: Path) -> None:
    """Write a Hugging Face folder, weights in float16.

    Parameters
    ----------
    model
        The captioner or the scorer.
    tokens
        Its tokenizer.
    folder
        Where to write.
    """
    if isinstance(model, CLIPModel):
        processor: Any = CLIPProcessor(image_processor(), tokens)
    else:
        processor = LlavaProcessor(image_processor(), tokens, patch_size=PATCH, vision_feature_select_strategy="default",
                                   num_additional_image_tokens=1, chat_template=CHAT_TEMPLATE)  # fmt: skip
    model.to(torch.float16).save_pretrained(folder)
    model.to(torch.float32)
    processor.save_pretrained(folder)
