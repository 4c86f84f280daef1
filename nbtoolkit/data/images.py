"""The one image boundary: decoding to upright RGB, at a fraction of the size where that suffices; sizes without decoding.

Every image that reaches the package, from a data set, a study, a page or an argument, is opened by
:func:`nbtoolkit.data.image_files.open_image`.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any

import numpy as np
from PIL import Image

from ..errors import DataError
from .image_files import open_image, unreadable

LARGE = 2**24  # pixels; only images above may be decoded at a reduced size
GAP = 2  # a reduced image keeps so many times the side that is needed
NO_IMAGE = (160, 160, 160)  # grey, in place of an image that is missing or damaged
_STRIP = 2**20  # pixels that are converted at once
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_ORIENTATION = 0x0112  # EXIF


def read_image(cell: Any, side: int | None = None) -> Image.Image:
    """Decode one image: upright, three channels, whatever it was stored as.

    Parameters
    ----------
    cell
        A PIL image, encoded bytes, a path, or the ``{"bytes", "path"}`` of an undecoded data set; or a list of one.
    side
        Side in pixels that suffices: an image of more than :data:`LARGE` pixels is decoded at a fraction (one half, one
        third, …) of its size, whose shorter side is still at least twice as long. Full size where not given.

    Returns
    -------
    PIL.Image.Image
        RGB; EXIF rotation applied, transparency over white, 16-bit grey scaled to 8 bits.

    Raises
    ------
    DataError
        The image is missing, truncated or not an image, has too many pixels; or there are several.
    """
    if isinstance(cell, list | tuple) and len(cell) == 1:
        cell = cell[0]
    if isinstance(cell, list | tuple):
        raise DataError(
            f"The image is a list of {len(cell)} images; expected one. Give the image, such as the first of the list."
        )
    image = open_image(cell)
    try:
        factor = 1
        if side is not None and fraction(image.size, side) > 1:
            if image is not cell:
                image.draft(None, (GAP * side, GAP * side))  # JPEG decodes at a half, a quarter or an eighth
            factor = max(1, min(image.size) // (GAP * side))
        image.load()
        result = _as_rgb(image, factor)
        turn = _TURNS.get(image.getexif().get(_ORIENTATION, 1))
        return result if turn is None else result.transpose(turn)
    except Exception as error:  # as above
        raise unreadable(error) from error


def read_images(cell: Any, side: int | None = None) -> Any:
    """Decode what a row holds: its image, or a list of its images, in order.

    Parameters
    ----------
    cell
        As for :func:`read_image`, or a list of these.
    side
        As for :func:`read_image`.

    Raises
    ------
    DataError
        An image is missing, truncated or not an image; or the list is empty.
    """
    if not isinstance(cell, list | tuple):
        return read_image(cell, side)
    if not cell:
        raise DataError("The row cannot be read: it has an empty list of images.")
    return [read_image(one, side) for one in cell]


def fraction(size: tuple[int, int], side: int) -> int:
    """Number by which both sides of an image may be divided on decoding; 1 for an image of ordinary size.

    Parameters
    ----------
    size
        Width and height, in pixels.
    side
        Side in pixels that suffices.

    Examples
    --------
    >>> fraction((8000, 6000), 336), fraction((4000, 3000), 336)
    (8, 1)
    """
    return max(1, min(size) // (GAP * side)) if size[0] * size[1] > LARGE else 1


def first_image(cell: Any) -> Any:
    """The undecoded image of a row; the first of several.

    Parameters
    ----------
    cell
        As for :func:`read_images`.
    """
    return cell[0] if isinstance(cell, list | tuple) and cell else cell


def image_size(cell: Any) -> tuple[int, int]:
    """Width and height in pixels, from the file's header; (0, 0) where it cannot be read; sums for several images.

    Parameters
    ----------
    cell
        As for :func:`read_images`.
    """
    if isinstance(cell, list | tuple):
        sizes = [image_size(one) for one in cell]
        return sum(width for width, _ in sizes), sum(height for _, height in sizes)
    try:
        image = open_image(cell)
    except DataError:  # read_image reports it by id
        return (0, 0)
    if image is not cell:
        image.close()
    return image.size


def thumbnail(image: Image.Image, side: int = 256) -> bytes:
    """Encode an image as a JPEG.

    Parameters
    ----------
    image
        The image; it is left as it is.
    side
        Longest side of the JPEG, in pixels; smaller images keep their size.
    """
    small = image.copy()
    small.thumbnail((side, side), Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    small.save(buffer, "JPEG", quality=85, optimize=True)
    return buffer.getvalue()


def square(jpeg: bytes, size: int | None = None) -> Image.Image:
    """Cut the middle square out of an encoded image.

    Parameters
    ----------
    jpeg
        The encoded image.
    size
        As for :func:`middle_square`.

    Raises
    ------
    DataError
        The image cannot be read.
    """
    return middle_square(read_image(jpeg), size)


def middle_square(image: Image.Image, size: int | None = None) -> Image.Image:
    """Cut the middle square out of an image.

    Parameters
    ----------
    image
        The image; it is left as it is.
    size
        Side of the result, in pixels; the square's own where not given.
    """
    side = min(image.size)
    left, top = (image.width - side) // 2, (image.height - side) // 2
    box = (left, top, left + side, top + side)
    return image.crop(box) if size is None else image.resize((size, size), Image.Resampling.LANCZOS, box=box)


# --- converting ------------------------------------------------------------------------------------------


def _as_rgb(image: Image.Image, factor: int) -> Image.Image:
    """Convert a decoded image to RGB and divide its sides, a strip at a time: modes of four bytes are copied once only."""
    width, height = image.size
    result = Image.new("RGB", (-(-width // factor), -(-height // factor)))
    brightest = _brightest(image) if _is_grey(image) else 255.0
    for top, strip in _strips(image, factor):
        rgb = _strip_as_rgb(strip, brightest)
        result.paste(rgb.reduce(factor) if factor > 1 else rgb, (0, top // factor))
    return result


def _strips(image: Image.Image, factor: int = 1) -> Iterator[tuple[int, Image.Image]]:
    rows = max(1, _STRIP // (image.width * factor)) * factor
    for top in range(0, image.height, rows):
        yield top, image.crop((0, top, image.width, min(image.height, top + rows)))


def _strip_as_rgb(image: Image.Image, brightest: float) -> Image.Image:
    if _is_grey(image):
        grey = _numbers(image) / brightest * 255
        image = Image.fromarray(grey.clip(0, 255).astype(np.uint8))
    if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
        rgba = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", rgba.size, "white"), rgba)
    return image.convert("RGB")


def _is_grey(image: Image.Image) -> bool:
    """Whether the image has one channel of more than 8 bits."""
    return image.mode.startswith("I") or image.mode == "F"


def _brightest(image: Image.Image) -> float:
    """The value that becomes white: 65535 where any is above 255."""
    return 65535.0 if any(_numbers(strip).max() > 255 for _, strip in _strips(image)) else 255.0


def _numbers(image: Image.Image) -> np.ndarray:
    """Values of a strip with one channel, (height, width); NaN is black."""
    return np.nan_to_num(np.asarray(image, dtype=np.float64), posinf=65535.0, neginf=0.0)
