"""Thumbnails: square middles of images, alone or side by side in one JPEG."""

from __future__ import annotations

import io
from collections.abc import Sequence

from PIL import Image

from ..data.images import square
from ..storage.study import Sample

TILE = 112  # pixels: side of a thumbnail in a strip
NO_IMAGE = (160, 160, 160)  # grey, for a sample without an image


def strip(samples: Sequence[Sample], size: int = TILE, quality: int = 82) -> bytes:
    """One JPEG with the square middles of the images side by side.

    Parameters
    ----------
    samples
        The samples.
    size
        Side of an image, in pixels.
    quality
        JPEG quality, 1 to 95.
    """
    sheet = Image.new("RGB", (size * max(1, len(samples)), size), "white")
    for i, sample in enumerate(samples):
        sheet.paste(square(sample.image, size) if sample.image else NO_IMAGE, (i * size, 0, (i + 1) * size, size))
    buffer = io.BytesIO()
    sheet.save(buffer, "JPEG", quality=quality)
    return buffer.getvalue()


def aspect(sample: Sample) -> float:
    """Width of an image over its height, 1 without an image; nothing is decoded.

    Parameters
    ----------
    sample
        The sample.
    """
    if not sample.image:
        return 1.0
    width, height = Image.open(io.BytesIO(sample.image)).size
    return round(width / height, 4)
