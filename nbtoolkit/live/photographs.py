"""Operations about one image, which may be outside the study: its response, and its concepts at the token."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..data.images import first_image, read_image, thumbnail
from ..decomposition import unexplained
from ..errors import NbtoolkitError, NothingFoundError
from ..storage.study import Sample
from ..text.words import split_at_token
from ..widgets import photographs
from ..widgets.thumbnails import LARGEST
from .registry import operation
from .session import Session


@operation
def photograph(session: Session, *, sample: str, at: int) -> dict[str, Any]:
    """Response to one image, and its concepts at the token.

    Parameters
    ----------
    session, sample, at
        The session, the id of the sample, and the layer of the concepts.

    Returns
    -------
    dict
        The response as ``caption``; its ``pieces`` (before the token, the token, after it), and the ``position`` of the
        token among them, None where the response lacks it; the activations of the concepts as ``bytes``, float32, none then; and
        the ``unexplained`` share of the state, 0 to 1, no unit, None where it is not defined.
    """
    cd = session.study.dictionary(at)
    with session.exclusive():
        try:
            target = session.response(sample)
        except NothingFoundError as error:
            (text,) = error.responses
            return {"caption": text, "pieces": [text], "position": None, "bytes": b"", "unexplained": None}
        _, states = target.read([cd.layer])
    activations = cd.encode(states[:, 0])
    rest = float("nan") if cd.decoder is None else float(unexplained(states[:, 0], cd.decode(activations))[0])
    pieces, position = split_at_token(target.captions[0], target.spellings)
    return {
        "caption": target.captions[0],
        "pieces": list(pieces),
        "position": position,
        "bytes": np.ascontiguousarray(activations[0], "<f4").tobytes(),
        "unexplained": rest if np.isfinite(rest) else None,
    }


@operation
def full_image(session: Session, *, sample: str) -> dict[str, Any]:
    """An image in full, for a view that shows it large.

    Parameters
    ----------
    session, sample
        The session, and the id of the sample.

    Returns
    -------
    dict
        ``bytes``, a JPEG of at most 1,024 pixels a side: of the data set where the session has it, else the thumbnail.
    """
    image = first_image(session.image_of(sample))
    return {"bytes": thumbnail(read_image(image), LARGEST)}


@operation
def explain(session: Session, *, at: int, image: bytes | None = None) -> dict[str, Any]:
    """Concepts of an image outside the study.

    Parameters
    ----------
    session, at
        The session, and the layer of the concepts.
    image
        The encoded image; the one that Python gave last if None.

    Returns
    -------
    dict
        ``pieces`` of the response (before the token, the token, after it); ``activations`` per concept; ``unexplained``
        share of the state, 0 to 1, no unit.

    Raises
    ------
    NothingFoundError
        The token is not in the response; the message quotes it.
    """
    encoded = session.image if image is None else image
    if not isinstance(encoded, bytes):
        raise NbtoolkitError(f"image is a {type(encoded).__name__}; expected the bytes of a JPEG or PNG.")
    own = Sample(photographs.number(encoded, taken=session.study.rows), "", image=encoded)
    session.lend(own)
    result = photograph(session, sample=own.id, at=at)
    if result["position"] is None:
        token = session.study.token
        raise NothingFoundError(
            f"{token!r} is in none of 1 responses: the one to the image is {result['caption']!r}. Choose an image whose "
            "response contains it, or give the view's explain a caption that does."
        )
    activations = np.frombuffer(result["bytes"], "<f4").astype(float).tolist()
    return {"pieces": result["pieces"], "activations": activations, "unexplained": result["unexplained"]}
