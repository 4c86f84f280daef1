"""Operations about the concepts of one image: their maps, and their activations at every token of the response."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..attribution.concept_maps import maps_of, saliencies
from ..decomposition import unexplained
from ..errors import NbtoolkitError, NothingFoundError
from ..types import ConceptDictionary, ConceptMap
from ..widgets.concept_lists import N_LISTED, strongest
from .registry import operation
from .responses import check_samples, chunks
from .session import Session


@operation
def concept_maps(session: Session, *, sample: str, at: int, concept: int | None = None) -> dict[str, Any]:
    """Maps of the concepts of a layer over an image.

    Parameters
    ----------
    session, sample, at
        The session, the id of the sample, and the layer of the concepts.
    concept
        A concept whose map is needed. Of a large dictionary there are the maps of this one, of the strongest concepts and
        of those that the response uses.

    Returns
    -------
    dict
        ``concepts``, the rows of the dictionary that have a map, where these are not all; ``shape`` (n, height, width);
        ``low`` and ``high`` of each map; ``bytes``, the maps as uint8 between the two; ``tiles`` of the image, of which the
        one that shows the whole image is mapped. ``frame`` is the place of the maps and ``seen`` the part of the image
        that the model saw: x0, y0, x1, y1 as shares of the image's sides.
    """
    cd = session.study.dictionary(at)
    with session.exclusive():
        maps = saliencies(session.model, session.image_of(sample), cd, prompt=session.question_of(sample))
    rows = strongest(cd)
    if len(rows) < cd.n_concepts:
        with contextlib.suppress(NothingFoundError):  # a response without the token has maps too
            rows += concepts_per_token(session, sample=sample, at=at).get("concepts", [])
        rows = sorted({*rows, *([] if concept is None else [_concept(cd, concept)])})
    return _drawn(maps[rows], rows, cd)


@operation
def concept_maps_of(
    session: Session,
    *,
    samples: Sequence[str],
    at: int,
    concepts: Sequence[int] = (),
    progress: Callable[[int, int], None] | None = None,
    cancel: threading.Event | None = None,
) -> dict[str, Any]:
    """Maps of the concepts of a layer over several images, which pass the model together.

    Parameters
    ----------
    session, samples, at
        The session, the ids of the samples, and the layer of the concepts.
    concepts
        Of a dictionary that is too large to be listed: the concepts whose maps are needed.
    progress, cancel
        Called with (done, total), in images; and the event that stops the operation.

    Returns
    -------
    dict
        ``maps``, per image as :func:`concept_maps` gives it, without its bytes; ``bytes``, those of all images.

    Raises
    ------
    Cancelled
        The event was set.
    """
    check_samples(session, samples)
    cd = session.study.dictionary(at)
    listed = strongest(cd)
    rows = listed if len(listed) == cd.n_concepts else sorted({_concept(cd, k) for k in concepts})
    results: list[dict[str, Any]] = []
    for chunk, _ in chunks(samples, progress, cancel):
        with session.exclusive():
            images, questions = zip(*((session.image_of(s), session.question_of(s)) for s in chunk), strict=True)
            results += [_drawn(maps, rows, cd) for maps in maps_of(session.model, images, cd, rows, questions)]
    pixels = b"".join(result.pop("bytes") for result in results)
    return {"maps": results, "bytes": pixels}


def _drawn(maps: ConceptMap, rows: Sequence[int], cd: ConceptDictionary) -> dict[str, Any]:
    """Maps of some concepts of a dictionary as plain data."""
    geometry: Any = maps.geometry
    grids = maps.whole.astype(np.float64)  # (n, height, width)
    low, high = np.nanmin(grids, (1, 2)), np.nanmax(grids, (1, 2))
    span = np.where(high > low, high - low, 1)  # a constant map is all 0
    pixels = np.nan_to_num(255 * (grids - low[:, None, None]) / span[:, None, None]).round().astype(np.uint8)
    sides = np.tile(geometry.size, 2)
    return {
        **({"concepts": list(rows)} if len(rows) < cd.n_concepts else {}),
        "shape": list(pixels.shape),
        "low": low.tolist(),
        "high": high.tolist(),
        "tiles": len(geometry.frames),
        "frame": (maps.frames[maps.tile] / sides).round(5).tolist(),
        "seen": (geometry.seen / sides).round(5).tolist(),
        "bytes": pixels.tobytes(),
    }


def _concept(cd: ConceptDictionary, k: Any) -> int:
    """A row of the dictionary, of a message."""
    if isinstance(k, bool) or not isinstance(k, int) or not 0 <= k < cd.n_concepts:
        raise NbtoolkitError(f"concept is {k!r}; expected a concept of the dictionary, 0 to {cd.n_concepts - 1}.")
    return k


@operation
def concepts_per_token(session: Session, *, sample: str, at: int) -> dict[str, Any]:
    """Concepts at every token of the response, in the dictionary of the token under study.

    Parameters
    ----------
    session, sample, at
        The session, the id of the sample, and the layer of the concepts.

    Returns
    -------
    dict
        ``pieces`` of the response; ``position`` of the token under study among them; ``activations`` per piece,
        (n_pieces, n_concepts); ``unexplained`` share of each state, 0 to 1, no unit. Of a large dictionary ``activations``
        are those of ``concepts``, which some piece uses, out of ``n_concepts``.
    """
    cd = session.study.dictionary(at)
    with session.exclusive():
        ((texts, position, states),) = session.response(sample).words(cd.layer)
    activations = cd.encode(states)
    rest = unexplained(states, cd.decode(activations))
    part: dict[str, Any] = {}
    if cd.n_concepts > N_LISTED:
        used = np.flatnonzero(activations.any(0))
        part = {"concepts": used.tolist(), "n_concepts": cd.n_concepts}
        activations = activations[:, used]
    return {
        **part,
        "pieces": texts,
        "position": position,
        "activations": activations.astype(float).round(5).tolist(),
        "unexplained": rest.astype(float).tolist(),
    }
