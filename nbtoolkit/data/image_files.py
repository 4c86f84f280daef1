"""Opening of images: the formats that are read, the limit of pixels, and regular files only; nothing is decoded here."""

from __future__ import annotations

import functools
import io
import os
import struct
from pathlib import Path
from typing import Any

from PIL import Image

from ..errors import DataError
from ..files import regular_file, user_path

FORMATS = ("JPEG", "MPO", "PNG", "WEBP", "GIF", "BMP", "TIFF", "PPM", "JPEG2000", "AVIF")  # none starts a program
MAX_PIXELS = 2**26  # 8192 × 8192; the decoded image takes four bytes per pixel


def open_image(cell: Any) -> Image.Image:
    """Open one image without decoding it: one of :data:`FORMATS`, of at most :data:`MAX_PIXELS`, from a regular file.

    Parameters
    ----------
    cell
        A PIL image, encoded bytes, a path, an open file, or the ``{"bytes", "path"}`` of an undecoded data set.

    Raises
    ------
    DataError
        The image is missing, has another format or too many pixels, or its path is no regular file.
    """
    try:
        image = cell if isinstance(cell, Image.Image) else _first_that_fits(_source(cell))
    except DataError as error:
        raise DataError(f"The image cannot be read: {error}") from error
    except Exception as error:  # PIL raises many types for damaged files; extraction.image_batches reports the sample
        raise unreadable(error) from error
    if image is None:
        raise DataError(
            f"The image cannot be read: it is damaged, or of another format than {', '.join(_formats())}. Convert it to PNG."
        )
    if image.width * image.height > MAX_PIXELS:
        size = f"{image.width} × {image.height}"
        if image is not cell:
            image.close()
        raise DataError(
            f"The image cannot be read: it has {size} pixels; expected at most {MAX_PIXELS:,} pixels. Shrink it."
        )
    return image


def unreadable(error: Exception) -> DataError:
    """Error for an image that PIL opens or decodes with an exception of whatever type.

    Parameters
    ----------
    error
        The exception.
    """
    return DataError(f"The image cannot be read ({type(error).__name__}: {error}).")


@functools.cache
def _formats() -> tuple[str, ...]:
    Image.init()
    return tuple(name for name in FORMATS if name in Image.OPEN)  # AVIF, for example, is not in every build of PIL


def _source(cell: Any) -> Any:
    """The file or path to open; of paths only those of regular files, because a pipe would wait for ever."""
    if isinstance(cell, dict):
        cell = cell.get("bytes") or cell.get("path")
    if isinstance(cell, bytes | bytearray | memoryview):
        return io.BytesIO(cell)
    if isinstance(cell, str | os.PathLike):
        return regular_file(user_path(cell, DataError))
    if not hasattr(cell, "read"):
        given = "none" if cell is None else f"of type {type(cell).__name__}"
        raise DataError(f"it is {given}; expected a path, a PIL image, encoded bytes or an open file.")
    return cell if hasattr(cell, "seek") else io.BytesIO(cell.read())


def _first_that_fits(source: Any) -> Any:
    """The image as the first of the formats that recognises it; None where none does.

    As ``PIL.Image.open`` does, but for its check of pixels: that one warns at a limit that is not ours, and a filter of
    warnings would be one for all threads.
    """
    if isinstance(source, Path):
        with source.open("rb") as file:
            prefix = file.read(16)
        given: Any = str(source)  # which PIL opens, and closes when it is decoded
    else:
        source.seek(0)
        prefix, given = source.read(16), source
    for kind in _formats():
        factory, accept = Image.OPEN[kind]
        if accept is not None and accept(prefix) is not True:
            continue
        if given is source:
            source.seek(0)
        try:
            return factory(given, "")
        except (SyntaxError, IndexError, TypeError, struct.error):
            continue
    return None
