"""What differs between model families, as data: a row for each odd one, keyed by ``config.model_type``; the rest is detected.

=================  =========================================================================================
``blocks, head, vision``  dotted paths from the Hugging Face model
``norm``           dotted path of the final norm; ``None`` where there is none
``ask``            how a prompt is written where the processor has no chat template; ``{image}`` is the placeholder
``prompt``         what the family is asked by default
``equal_lengths``  padded batches give other answers (positions count the padding): batches hold one length only
``cut_end``        the tokenizer closes the prompt with an end token, which must go before the model can go on
``fill``           what generated positions get in an input that goes along with the ids; 0 where not said
``repeat``         inputs whose last row is repeated for generated positions
``patches``        false where the picture's positions are made by queries, and lie nowhere in the picture
``image_key``      configuration key of the id at picture positions, or ``prefix`` where the model puts them in front
=================  =========================================================================================
"""

from __future__ import annotations

from typing import Any

OVERRIDES: dict[str, dict[str, Any]] = {
    "blip": {"head": "text_decoder.cls.predictions.decoder", "norm": "text_decoder.cls.predictions.transform", "ask": "{words}",
             "prompt": "a photo of", "cut_end": True, "equal_lengths": True, "image_key": None},
    "blip-2": {"ask": "{words}", "prompt": "a photo of", "equal_lengths": True, "patches": False},
    "florence2": {"norm": None, "ask": "{words}", "prompt": "<CAPTION>"},
    "fuyu": {"ask": "{words}", "prompt": "Generate a coco-style caption.\n", "equal_lengths": True},
    "gemma3n": {"norm": "model.language_model.norm"},
    "gemma4": {"norm": "model.language_model.norm"},
    "git": {"vision": "git.image_encoder", "norm": None, "ask": "{words}", "prompt": "", "cut_end": True, "equal_lengths": True, "image_key": "prefix"},
    "idefics2": {"patches": False},
    "instructblip": {"ask": "{words}", "prompt": "Write a short description for the image.", "equal_lengths": True, "patches": False},
    "kosmos-2": {"ask": "{words}", "prompt": "An image of", "equal_lengths": True, "patches": False},
    "mllama": {"repeat": ("cross_attention_mask",), "image_key": None},
    "molmo2": {"image_key": "image_patch_id"},
    "nemotron_h_omni": {"head": "language_model.lm_head"},
    "paligemma": {"ask": "{image}{words}", "prompt": "caption en", "fill": {"token_type_ids": 1}},
    "phi4_multimodal": {"vision": "model.embed_tokens_extend.image_embed.img_processor", "equal_lengths": True},
}  # fmt: skip

COMPANIONS = (
    "token_type_ids",
    "mm_token_type_ids",
    "image_embeds_position_mask",
)  # one entry an id, in every family that has them
NOT_A_DECODER_BLOCK = ("vision", "visual", "image", "audio", "speech", "qformer", "resampler", "perceiver", "mtp")
