"""Thumbnails of a study as views may show them: encoded again, alone or side by side; a damaged one is grey."""

from __future__ import annotations

import io
from collections.abc import Sequence

from PIL import Image

from ..data.image_files import open_image
from ..data.images import LARGE, NO_IMAGE, middle_square, read_image, thumbnail
from ..errors import DataError
from ..storage.study import Sample

TILE = 112  # pixels: side of a thumbnail in a strip
LARGEST = 1024  # pixels: longest side of an image that a page gets


def strip(samples: Sequence[Sample], size: int = TILE, quality: int = 82) -> bytes:
    """One JPEG with the square middles of the images side by side; a missing or damaged one is grey.

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
        image = decoded(sample)
        sheet.paste(NO_IMAGE if image is None else middle_square(image, size), (i * size, 0, (i + 1) * size, size))
    buffer = io.BytesIO()
    sheet.save(buffer, "JPEG", quality=quality)
    return buffer.getvalue()


def decoded(sample: Sample) -> Image.Image | None:
    """Image of a sample in RGB; None where there is none, or where it is damaged or larger than 16,777,216 pixels.

    Parameters
    ----------
    sample
        The sample.
    """
    try:
        return read_image(sample.image) if pictured(sample) else None
    except DataError:  # one thumbnail costs itself, not the view
        return None


def encoded(sample: Sample, side: int = LARGEST) -> bytes:
    """JPEG of a sample's image, encoded again so that no byte of a study's file reaches a page; empty where there is none.

    Parameters
    ----------
    sample
        The sample.
    side
        Longest side, in pixels; smaller images keep their size.
    """
    image = decoded(sample)
    return b"" if image is None else thumbnail(image, side)


def pictured(sample: Sample) -> bool:
    """Whether a sample has an image whose header can be read; nothing is decoded.

    Parameters
    ----------
    sample
        The sample.
    """
    return _size(sample) is not None


def aspect(sample: Sample) -> float:
    """Width of an image over its height, 1 without an image; nothing is decoded.

    Parameters
    ----------
    sample
        The sample.
    """
    width, height = _size(sample) or (1, 1)
    return round(width / height, 4)


def _size(sample: Sample) -> tuple[int, int] | None:
    try:
        size = open_image(sample.image).size if sample.image else (0, 0)
    except DataError:
        return None
    return size if 0 < size[0] * size[1] <= LARGE else None
