"""Images of an exported page: at the size that their use needs, as far as a budget allows."""

from __future__ import annotations

import base64
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ..storage.study import Study
from .payloads import exemplar_rows
from .thumbnails import LARGEST, encoded, pictured

PAGE = 7.98e6  # bytes of a page whose budget is not given; with what frames its parts at most 8 MB
LEAST = 2e6  # bytes that images may have in any case
# longest sides in pixels: of the strongest exemplar of each concept, which is seen large, of the others, and of other images
SIZES = (
    (LARGEST, LARGEST, LARGEST),
    (256, 256, 128),
    (256, 160, 96),
    (224, 128, 96),
    (192, 112, 96),
    (160, 96, 96),
    (144, 80, 80),
)
FRAME = 12  # bytes around an image: its row and punctuation
N_TRIED = 24  # images per use whose sizes are an estimate for all


def add_images(study: Study, data: dict[str, Any], max_mb: float | None, other: int) -> None:
    """Add the images to a page's data, and warn where it lacks any or has them smaller.

    Parameters
    ----------
    study
        The study.
    data
        Bulk data of the page; gets ``images``, and ``lacks``: the numbers of images that are in the page and in the study,
        and the longest side of the exemplars where they are smaller than in the study, else 0.
    max_mb
        Budget for images, in MB. Where None, images get what the other data leaves of 8 MB, at least 2 MB.
    other
        Bytes of the rest of the page.
    """
    exemplars = dict.fromkeys(i for layer in study.layers for i in exemplar_rows(study, layer))
    budget = max(LEAST, PAGE - other) if max_mb is None else max_mb * 1e6
    result = page_images(study, [*exemplars], budget)
    n, side = len(study.samples), result.side
    data["images"] = result.images
    data["lacks"] = [n - result.n_left_out, n, side] if result.n_left_out or side else None
    size = sum(map(len, result.images.values())) / 1e6
    if result.n_left_out or side or size > budget / 1e6:
        smaller = f" Exemplars have at most {side} pixels a side." if side else ""
        given = f"{budget / 1e6:.1f} MB" if max_mb is None else f"max_mb={max_mb:g}"
        warnings.warn(
            f"The images of the page take {size:.1f} MB of {given}; {result.n_left_out} of {n} are left out.{smaller}",
            stacklevel=3,
        )


@dataclass(frozen=True)
class PageImages:
    """Images of a page.

    Attributes
    ----------
    images
        JPEG by row of the samples, as base64.
    n_left_out
        Number of images that are not among them.
    side
        Longest side of the exemplars, in pixels; 0 where they have the size that the study has.
    """

    images: dict[str, str]
    n_left_out: int
    side: int


def page_images(study: Study, exemplars: Sequence[int], budget: float) -> PageImages:
    """Choose and encode the images of a page.

    Parameters
    ----------
    study
        The study.
    exemplars
        Rows of the exemplars, which are always included.
    budget
        Bytes that the images may take, as base64.

    Returns
    -------
    PageImages
        Exemplars first, other images as far as they fit.
    """
    first = {
        study.rows[ids[0]] for g in study.groundings.values() for ids in g.exemplars if ids and ids[0] in study.rows
    }
    rest = set(range(len(study.samples))) - {*exemplars}
    uses = [[i for i in rows if pictured(study.samples[i])] for rows in (first, {*exemplars} - first, rest)]
    sizes = next((s for s in SIZES if _estimate(study, uses, s) <= budget), SIZES[-1])
    images: dict[str, str] = {}
    n_left_out = 0
    for use, (rows, side) in enumerate(zip(uses, sizes, strict=True)):
        for done, row in enumerate(sorted(rows)):
            text = _text(study, row, side)
            budget -= len(text) + FRAME
            if use == len(uses) - 1 and budget < 0:
                n_left_out = len(rows) - done
                break
            if text:
                images[str(row)] = text
    return PageImages(images, n_left_out, 0 if sizes is SIZES[0] else sizes[0])


def _text(study: Study, row: int, side: int) -> str:
    return base64.b64encode(encoded(study.samples[row], side)).decode()


def _estimate(study: Study, uses: Sequence[Sequence[int]], sizes: Sequence[int]) -> float:
    """Bytes of the exemplars at some sizes."""
    total = 0.0
    for rows, side in zip(uses[:2], sizes, strict=False):
        tried = rows[:: max(1, len(rows) // N_TRIED)][:N_TRIED]
        total += len(rows) * sum(len(_text(study, i, side)) + FRAME for i in tried) / max(1, len(tried))
    return total
