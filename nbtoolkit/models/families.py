"""What differs between model families, as data: one row per family that deviates from what :mod:`.anatomy` detects.

Rows are keyed by ``config.model_type``. A row may hold:

====================  =========================================================================================
``blocks``            dotted path of the decoder blocks, from the Hugging Face model
``head``              dotted path of the unembedding matrix
``norm``              dotted path of the final norm; ``None`` if there is none
``vision``            dotted path of the vision tower
``ask``               format of a prompt if the processor has no chat template; ``{image}`` is the placeholder
``prompt``            the family's default prompt
``equal_lengths``     padding changes the responses (positions count it): batches hold prompts of one length
``cut_end``           the tokenizer closes the prompt with an end token, which is cut before generation
``fill``              value of generated positions, per input that runs along with the ids; 0 by default
``repeat``            inputs whose last row is repeated for generated positions
``patches``           false if queries (a Q-Former, a resampler) make the image positions, which are no patches then
``fewest``            fewest image positions that the model's forward pass takes
``image_key``         configuration key of the id at image positions, or ``prefix`` if the model prepends them
====================  =========================================================================================

To add a family, load one of its checkpoints with ``check=False`` and print ``check_model(model)``. If every check is
ok, it needs no row. Else add a row with the keys above that correct it, and a small random model of the family to
``tests/zoo``, whose tests hold for every family.
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
    "mistral3": {"fewest": 2},
    "mllama": {"repeat": ("cross_attention_mask",), "image_key": None},
    "molmo2": {"image_key": "image_patch_id"},
    "nemotron_h_omni": {"head": "language_model.lm_head"},
    "paligemma": {"ask": "{image}{words}", "prompt": "caption en", "fill": {"token_type_ids": 1}},
    "phi4_multimodal": {"vision": "model.embed_tokens_extend.image_embed.img_processor", "equal_lengths": True},
}  # fmt: skip

# inputs with one entry per id
COMPANIONS = ("token_type_ids", "mm_token_type_ids", "image_embeds_position_mask")
# parts of module names outside the decoder
NOT_A_DECODER_BLOCK = ("vision", "visual", "image", "audio", "speech", "qformer", "resampler", "perceiver", "mtp")
