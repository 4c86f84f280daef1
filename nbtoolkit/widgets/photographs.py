"""Photographs of the reader: images outside the study that a view of it holds as samples, with ids of their own."""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Collection, Mapping
from pathlib import PurePath
from typing import Any

from ..data.image_files import open_image
from ..data.images import read_image, thumbnail
from ..errors import NbtoolkitError
from ..storage.study import Sample
from ..strict_json import encodable
from .arguments import MAX_TEXT
from .thumbnails import LARGEST

MAX_PHOTOS = 12  # of one view
MAX_BYTES = 4_000_000  # of one JPEG of at most 1,024 pixels a side
MAX_NAME = 80  # characters
PREFIX = "photo:"  # of an id; what follows are the first digits of a hash
PARTS = ("id", "name", "jpeg", "caption")
UNNAMED = "image"


def checked(photos: Any, taken: Collection[str] = ()) -> list[dict[str, str]]:
    """Validate photographs and bring them into one form.

    Parameters
    ----------
    photos
        Dicts with ``jpeg`` (an encoded image as base64), and optionally ``name``, ``caption`` (a text that is read as the
        response) and ``id`` (as an earlier call gave it).
    taken
        Ids that are in use, those of the study's samples.

    Returns
    -------
    list of dict
        The same, all with ``id``, ``name``, ``jpeg`` and ``caption`` ("" where the model responds). What is no upright
        JPEG of at most 1,024 pixels a side is encoded as one; the id is that of the image and the caption.

    Raises
    ------
    NbtoolkitError
        Too many, an unknown part, or an image that cannot be read.

    Examples
    --------
    >>> import io
    >>> from PIL import Image
    >>> buffer = io.BytesIO()
    >>> Image.new("RGB", (2000, 1000), "red").save(buffer, "PNG")
    >>> [photo] = checked([{"name": "red.png", "jpeg": base64.b64encode(buffer.getvalue()).decode()}])
    >>> photo["id"].startswith("photo:"), read_image(base64.b64decode(photo["jpeg"])).size
    (True, (1024, 512))
    """
    if not isinstance(photos, list | tuple) or len(photos) > MAX_PHOTOS:
        given = f"{len(photos)} entries" if isinstance(photos, list | tuple) else f"a {type(photos).__name__}"
        raise NbtoolkitError(f"photos is {given}; expected a list of at most {MAX_PHOTOS} dicts.")
    rows = {photo["id"]: photo for photo in (_one(i, photo, taken) for i, photo in enumerate(photos))}
    return list(rows.values())  # one that is given twice is one


def photograph(jpeg: bytes, name: str = UNNAMED, caption: str = "", taken: Collection[str] = ()) -> dict[str, str]:
    """An entry of ``photos``.

    Parameters
    ----------
    jpeg
        The encoded image, at most 1,024 pixels a side.
    name
        What it is called: of a path its last part.
    caption
        A text that is read as the response; the model responds where it is empty.
    taken
        Ids that are in use.
    """
    caption = encodable(caption).strip()
    short = PurePath(encodable(name).replace("\\", "/")).name.strip() or UNNAMED
    return {
        "id": number(jpeg, caption, taken),
        "name": short if len(short) <= MAX_NAME else f"…{short[1 - MAX_NAME :]}",  # its end tells the format
        "jpeg": base64.b64encode(jpeg).decode(),
        "caption": caption,
    }


def number(jpeg: bytes, caption: str = "", taken: Collection[str] = ()) -> str:
    """Id of an image outside the study, which follows from its bytes: the same image has the same one in every view.

    Parameters
    ----------
    jpeg, caption
        The encoded image, and the text that is read as its response.
    taken
        Ids that are in use.
    """
    digest = hashlib.sha256(jpeg + b"\0" + caption.encode()).hexdigest()
    return next(PREFIX + digest[:n] for n in (8, 16, 64) if PREFIX + digest[:n] not in taken)


def as_sample(photo: Mapping[str, str]) -> Sample:
    """A photograph as a sample; its caption is the one that was given, if any.

    Parameters
    ----------
    photo
        An entry of ``photos``.
    """
    return Sample(photo["id"], photo["caption"], image=base64.b64decode(photo["jpeg"]))


def _one(i: int, photo: Any, taken: Collection[str]) -> dict[str, str]:
    place = f"photos[{i}]"
    if not isinstance(photo, Mapping) or "jpeg" not in photo or not set(photo) <= set(PARTS):
        parts = list(photo) if isinstance(photo, Mapping) else type(photo).__name__
        raise NbtoolkitError(f"{place} is {str(parts)[:200]}; expected a dict with 'jpeg', 'name' and 'caption'.")
    texts = {part: photo.get(part) or "" for part in PARTS}
    for part, text in texts.items():
        limit = 2 * MAX_BYTES if part == "jpeg" else MAX_TEXT
        if not isinstance(text, str) or len(text) > limit:
            raise NbtoolkitError(f"{part} of {place} is no text of at most {limit:,} characters.")
    try:
        jpeg = small(base64.b64decode(encodable(texts["jpeg"]), validate=True))
    except (binascii.Error, ValueError) as error:  # an error of the package is a ValueError, too
        reason = error if isinstance(error, NbtoolkitError) else "it is no base64."
        raise NbtoolkitError(f"jpeg of {place} is not an image: {reason}") from None
    result = photograph(jpeg, texts["name"], texts["caption"], taken)
    if texts["id"] not in ("", result["id"]):
        raise NbtoolkitError(
            f"id of {place} is {texts['id'][:80]!r}; expected {result['id']!r}, which follows from the image and its caption. Leave it out."
        )
    return result


def small(data: bytes) -> bytes:
    """The same bytes if they are an upright JPEG of at most 1,024 pixels a side, else such a JPEG.

    Parameters
    ----------
    data
        The encoded image.

    Raises
    ------
    DataError
        It cannot be read.
    """
    image = read_image({"bytes": data})
    with open_image(data) as file:
        fits = file.format == "JPEG" and max(file.size) <= LARGEST and file.getexif().get(0x0112, 1) == 1
    return data if fits and len(data) <= MAX_BYTES else thumbnail(image, LARGEST)
