"""Images: decoding whatever was stored to upright RGB, sizes without decoding, thumbnails."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
from PIL import Image, ImageOps

from ..errors import DataError


def read_image(cell: Any) -> Image.Image:
    """Decode one image: upright, three channels, whatever it was stored as.

    Parameters
    ----------
    cell
        A PIL image, encoded bytes, a path, or the ``{"bytes", "path"}`` of an undecoded data set; or a list of one.

    Returns
    -------
    PIL.Image.Image
        RGB; EXIF rotation applied, transparency over white, 16-bit grey scaled to 8 bits.

    Raises
    ------
    DataError
        The image is missing, truncated or not an image; or there are several.
    """
    if isinstance(cell, list | tuple) and len(cell) == 1:
        cell = cell[0]
    if isinstance(cell, list | tuple):
        raise DataError(
            f"The image is a list of {len(cell)} images; expected one. Give the image, such as the first of the list."
        )
    if isinstance(cell, dict):
        cell = cell.get("bytes") or cell.get("path")
    try:
        if isinstance(cell, Image.Image):
            image = cell
        elif isinstance(cell, bytes):
            image = Image.open(io.BytesIO(cell))
        else:
            image = Image.open(cell)
        image.load()
        image = ImageOps.exif_transpose(image)
        if image.mode.startswith("I") or image.mode == "F":
            grey = np.asarray(image, dtype=np.float64)
            grey = grey / max(255.0, 65535.0 if grey.max() > 255 else 255.0) * 255
            image = Image.fromarray(grey.clip(0, 255).astype(np.uint8))
        if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
            rgba = image.convert("RGBA")
            image = Image.alpha_composite(Image.new("RGBA", rgba.size, "white"), rgba)
        return image.convert("RGB")
    except Exception as error:  # PIL raises many types for damaged files; extraction.image_batches reports the sample
        raise DataError(f"The image cannot be read ({type(error).__name__}: {error}).") from error


def read_images(cell: Any) -> Any:
    """Decode what a row holds: its image, or a list of its images, in order.

    Parameters
    ----------
    cell
        As for :func:`read_image`, or a list of these.

    Raises
    ------
    DataError
        An image is missing, truncated or not an image; or the list is empty.
    """
    if not isinstance(cell, list | tuple):
        return read_image(cell)
    if not cell:
        raise DataError("The row cannot be read: it has an empty list of images.")
    return [read_image(one) for one in cell]


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
    source: Any = (cell.get("bytes") or cell.get("path")) if isinstance(cell, dict) else cell
    try:
        with Image.open(io.BytesIO(source) if isinstance(source, bytes) else source) as image:
            return image.size
    except Exception:  # whatever the fault is, read_image reports it by id
        return (0, 0)


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
        Side of the result, in pixels; the square's own where not given.
    """
    image = Image.open(io.BytesIO(jpeg)).convert("RGB")
    side = min(image.size)
    left, top = (image.width - side) // 2, (image.height - side) // 2
    box = (left, top, left + side, top + side)
    return image.crop(box) if size is None else image.resize((size, size), Image.Resampling.LANCZOS, box=box)
