"""What differs between model families, as data: a row of overrides for each odd one; everything else is detected.

Keys: ``blocks`` and ``norm`` are dotted paths from the Hugging Face model. The next families to come
are rows here, never subclasses.
"""

from __future__ import annotations

from typing import Any

OVERRIDES: dict[str, dict[str, Any]] = {}

ENCODER_DECODERS = frozenset({"florence2", "udop", "pix2struct", "vision-encoder-decoder", "t5gemma2", "donut-swin"})
NOT_A_DECODER_BLOCK = ("vision", "visual", "image", "audio", "qformer", "resampler", "perceiver", "encoder")
