"""Heat maps of concepts over images, on the part of the image that the model saw."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import Annotated, Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from ..data.images import read_image
from ..errors import NbtoolkitError
from ..types import Geometry
from ..types.arguments import checked
from ..types.colours import colours
from ..types.rules import Rule
from .colour_scales import scale
from .style import new_figure, plain


@checked
def saliency_map(
    images: Sequence[Any], scores: Sequence[Annotated[np.ndarray, Rule(finite=False)]], *, titles: Sequence[str] = ()
) -> Figure:
    """Heat maps of a concept over images: red where it is present, blue for its opposite; one scale for all (Figure 8).

    The colours are those of the views, over the image in grey. A map lies on the part of the image that the model saw; what
    its processor cropped is dimmed, and a sentence says so.

    Parameters
    ----------
    images
        Images: PIL images, or anything that :func:`nbtoolkit.data.read_image` reads.
    scores
        One map per image: of :func:`nbtoolkit.saliency`, of which the grid that shows the whole image is drawn; or any
        (height, width) array, which is drawn over the entire image, such as that of
        :meth:`nbtoolkit.types.Geometry.map`. NaN is transparent.
    titles
        Titles of the images.

    Returns
    -------
    matplotlib.figure.Figure
        The images, and below them the images with their heat maps.

    Raises
    ------
    NbtoolkitError
        No image, or another number of maps; or an array of several tiles whose places are not known.

    References
    ----------
    Parekh et al. 2024, Figure 8.

    Examples
    --------
    >>> from PIL import Image
    >>> len(saliency_map([Image.new("RGB", (8, 8))], [np.eye(2)]).axes)
    3
    """
    if len(scores) != len(images) or not len(scores):
        raise NbtoolkitError(
            f"The number of images is {len(images)} and that of maps {len(scores)}; expected one map per image, and at least one."
        )
    images = [read_image(image) for image in images]
    maps = [_placed(score, image.size) for score, image in zip(scores, images, strict=True)]
    limit = max(float(np.nanmax(np.abs(grid), initial=0)) for grid, _, _ in maps) or 1.0
    figure = new_figure(1.6 * len(images) + 0.4, 3.2)
    axes = figure.subplots(2, len(images), squeeze=False)
    for i, (image, (grid, frame, geometry)) in enumerate(zip(images, maps, strict=True)):
        width, height = image.size
        for row in (0, 1):
            axes[row, i].imshow(np.asarray(image.convert("L").convert("RGB") if row else image))
            axes[row, i].axis("off")
        x0, y0, x1, y1 = frame
        axes[1, i].imshow(colours(grid / limit), extent=(x0, x1, y1, y0))
        axes[1, i].set(xlim=(0, width), ylim=(height, 0))  # a frame may exceed the image, by padding
        if geometry is not None and geometry.sentence:
            _dim(axes[1, i], geometry)
        if i < len(titles):
            axes[0, i].set_title(plain(titles[i]), fontsize=8)
    signed = any(float(np.nanmin(grid, initial=0)) < 0 for grid, _, _ in maps)
    shades = scale(limit, signed=signed, opaque=False)
    figure.colorbar(shades, ax=list(axes.ravel()), label="Heat map (u · h)", shrink=0.8)
    return figure


def _placed(scores: Any, size: tuple[int, int]) -> tuple[np.ndarray, Sequence[float], Geometry | None]:
    """The grid to draw, its place in an image of this size, and the geometry where there is one."""
    geometry = getattr(scores, "geometry", None)
    if np.ndim(scores) == 3 and geometry is not None:
        place = scores.frames[scores.tile] * np.tile(np.divide(size, geometry.size), 2)  # the image may be a thumbnail
        return scores.whole, place, geometry
    grid = np.asarray(scores)
    if grid.ndim == 3 and len(grid) > 1:
        raise NbtoolkitError(
            f"A map has {len(grid)} tiles, and nothing says where they lie; expected a map of nbtoolkit.saliency, or one of "
            "(height, width). Draw one tile, or nbtoolkit.types.Geometry.map of all."
        )
    if grid.ndim not in (2, 3):
        raise NbtoolkitError(f"A map has shape {grid.shape}; expected (height, width), as of nbtoolkit.saliency.")
    return (grid[0] if grid.ndim == 3 else grid), (0, 0, *size), None


def _dim(axes: Any, geometry: Geometry) -> None:
    """Dim what the model did not see, and write so below the image."""
    (x0, x1), (y1, y0) = axes.get_xlim(), axes.get_ylim()
    left, top, right, bottom = geometry.seen * np.tile(np.divide((x1, y1), geometry.size), 2)
    for x, y, width, height in (
        (x0, y0, left, y1),
        (right, y0, x1 - right, y1),
        (left, y0, right - left, top),
        (left, bottom, right - left, y1 - bottom),
    ):
        if width > 0 and height > 0:
            axes.add_patch(
                Rectangle((x, y), width, height, facecolor="white", alpha=0.72, edgecolor="none", label="not seen")
            )
    text = "\n".join(textwrap.wrap(geometry.sentence, 26))
    axes.text(0.5, -0.04, text, transform=axes.transAxes, ha="center", va="top", fontsize=6)
