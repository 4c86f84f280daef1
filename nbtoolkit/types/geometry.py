"""Geometry of an image in a model: the box of pixels behind each image position, and the part of the image that the model saw."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from .copies import CopiedByFields
from .representations import Array

_WHOLE = 0.98  # of the region that was seen: a tile that covers it shows the whole image
_ALL = 0.995  # of the image: as good as all of it
_PART, _PIXEL = 0.02, 0.75  # of a patch, or pixels each way: less of the image in it is the rounding of its edges
_CENTRED = 0.02  # of a side: how far the middle may be off


@dataclass(frozen=True, eq=False)
class Geometry(CopiedByFields):
    """Where each image position of a model lies in the original image, in pixels.

    Made by :meth:`nbtoolkit.models.Model.geometry`. The x axis points right, the y axis down, and pixel (i, j) covers
    i to i + 1 by j to j + 1.

    Attributes
    ----------
    boxes : (n_image_positions, 4)
        x0, y0, x1, y1 of the patch behind each position; NaN where a position shows no part of the image (a newline, a
        separator, a class token, padding).
    tiles : (n_image_positions,) of int
        Tile that the position belongs to, in the model's own order; -1 where it belongs to none.
    seen : (4,)
        The part of the image that the model saw, x0, y0, x1, y1: without what its processor cropped. Resampling mixes in
        pixels up to the width of its filter beyond it.
    size
        Width and height of the image.
    cells : (n_image_positions, 2) of int
        Row and column of the position on the grid of its tile; -1 where there is none.
    frames : (n_tiles, 4)
        x0, y0, x1, y1 of each tile's grid; it exceeds the image where the tile has padding.
    grids : (n_tiles, 2) of int
        Rows and columns of each tile's grid; 0 where the tile's positions form no grid of their own.
    """

    boxes: Array
    tiles: Array
    seen: Array
    size: tuple[int, int]
    cells: Array
    frames: Array
    grids: Array

    def __post_init__(self) -> None:
        for name, dtype in (("boxes", np.float64), ("tiles", np.int64), ("seen", np.float64), ("cells", np.int64),
                            ("frames", np.float64), ("grids", np.int64)):  # fmt: skip
            array = np.array(getattr(self, name), dtype)
            array.flags.writeable = False
            object.__setattr__(self, name, array)

    @property
    def n_positions(self) -> int:
        """Number of image positions."""
        return len(self.boxes)

    @property
    def share(self) -> float:
        """Share of the image that the model saw, 0 to 1, no unit."""
        return float(_area(self.seen) / (self.size[0] * self.size[1]))

    @property
    def whole(self) -> int | None:
        """The tile that shows the whole image (all of it that the model saw); None if there is none."""
        for tile, (frame, grid) in enumerate(zip(self.frames, self.grids, strict=True)):
            inside = _area(_clip(frame, self.seen))
            if grid.prod() and inside >= _WHOLE * _area(self.seen):
                return tile
        return None

    @property
    def sentence(self) -> str:
        """What the model did not see, as a sentence; empty where it saw all of the image."""
        if self.share >= _ALL:
            return ""
        width, height = self.size
        middle = (self.seen[:2] + self.seen[2:]) / 2 / (width, height)
        where = "the middle " if np.abs(middle - 0.5).max() <= _CENTRED else ""
        return f"The model saw {where}{100 * self.share:.0f} % of the image; the dimmed part was cropped."

    def grid(self, values: Any, tile: int) -> Array:
        """Values of one tile on its grid.

        Parameters
        ----------
        values : (…, n_image_positions)
            A value per image position.
        tile
            The tile.

        Returns
        -------
        (…, rows, columns)
            NaN where no position is.
        """
        values = np.asarray(values)
        rows, columns = self.grids[tile]
        out = np.full((*values.shape[:-1], rows, columns), np.nan, np.result_type(values, np.float32))
        here = np.flatnonzero((self.tiles == tile) & (self.cells[:, 0] >= 0))
        out[..., self.cells[here, 0], self.cells[here, 1]] = values[..., here]
        return out

    def stack(self, values: Any) -> tuple[Array, Array, int]:
        """Values on the grids of the tiles, the places of the grids, and which of them to show.

        Parameters
        ----------
        values : (…, n_image_positions)
            A value per image position.

        Returns
        -------
        (…, n_grids, rows, columns), (n_grids, 4), int
            One grid per tile where all tiles have complete and equal grids; else the grid of the whole-image tile, or
            where there is none, all tiles on one grid. The places are x0, y0, x1, y1 in pixels of the image, and the
            last is the index of the grid that shows the whole image (of the one with the largest part of it).
        """
        complete = [int((self.tiles == t).sum()) == rows * columns for t, (rows, columns) in enumerate(self.grids)]
        whole = self.whole
        if all(complete) and (self.grids == self.grids[0]).all() and (whole is not None or len(self.grids) > 1):
            parts = [self.grid(values, t) for t in range(len(self.grids))]
            if whole is not None:
                return np.stack(parts, -3), self.frames, whole
        if whole is not None:
            return self.grid(values, whole)[..., None, :, :], self.frames[whole : whole + 1], 0
        height, width = self._fine_shape()
        return self._raster(values, self.seen, height, width)[..., None, :, :], self.seen[None], 0

    def map(self, values: Any, height: int | None = None, width: int | None = None, *, tiles: str = "whole") -> Array:
        """Values as an image of the original's proportions.

        Parameters
        ----------
        values : (…, n_image_positions)
            A value per image position.
        height, width
            Size of the result in pixels; that of the image where not given.
        tiles
            ``"whole"``: of the whole-image tile where there is one. ``"all"``: of the smallest patch at each pixel, so of
            the tiles that show a part of the image in more detail.

        Returns
        -------
        (…, height, width)
            NaN where the model saw nothing.

        Examples
        --------
        >>> boxes = [[2, 0, 4, 4], [4, 0, 6, 4]]
        >>> geometry = Geometry(boxes, [0, 0], [2, 0, 6, 4], (8, 4), [[0, 0], [0, 1]], [[2, 0, 6, 4]], [[1, 2]])
        >>> geometry.map(np.array([1.0, 2.0]), 1, 8)
        array([[nan, nan,  1.,  1.,  2.,  2., nan, nan]])
        """
        if tiles not in ("whole", "all"):
            raise ValueError(f"tiles is {tiles!r}; expected 'whole' or 'all'.")
        height, width = height or self.size[1], width or self.size[0]
        only = self.whole if tiles == "whole" else None
        return self._raster(values, np.array([0, 0, *self.size], np.float64), height, width, only)

    def _fine_shape(self) -> tuple[int, int]:
        """Rows and columns of a grid over what was seen, as fine as the smallest patch."""
        with np.errstate(invalid="ignore"):
            sides = np.nanmedian(self.boxes[:, 2:] - self.boxes[:, :2], axis=0)
        width, height = np.maximum(1, np.round((self.seen[2:] - self.seen[:2]) / sides)).astype(int)
        return int(height), int(width)

    def _raster(self, values: Any, region: Array, height: int, width: int, tile: int | None = None) -> Array:
        values = np.asarray(values)
        place = np.full((height, width), -1)
        steps = (region[2:] - region[:2]) / (width, height)
        # the first and the last pixel whose centre a box covers
        edges = np.ceil((self.boxes.reshape(-1, 2, 2) - region[:2]) / steps - 0.5)
        areas = (self.boxes[:, 2] - self.boxes[:, 0]) * (self.boxes[:, 3] - self.boxes[:, 1])
        order = [i for i in np.argsort(-areas, kind="stable") if np.isfinite(areas[i])]
        for i in order if tile is None else [i for i in order if self.tiles[i] == tile]:
            (x0, y0), (x1, y1) = np.maximum(edges[i], 0).astype(int)
            place[y0:y1, x0:x1] = i
        out = values.astype(np.result_type(values, np.float32))[..., place]
        out[..., place < 0] = np.nan
        return out

    def __repr__(self) -> str:
        width, height = self.size
        seen = ", ".join(f"{v:.1f}" for v in self.seen)
        return f"Geometry of {self.n_positions} image positions, {len(self.frames)} tiles, image {width} × {height}, seen ({seen})"


def _clip(boxes: Array, region: Sequence[float] | Array) -> Array:
    """Boxes cut to a region, (…, 4)."""
    x0, y0, x1, y1 = region
    return np.clip(boxes, [x0, y0, x0, y0], [x1, y1, x1, y1])


def _area(boxes: Array) -> Array:
    return (boxes[..., 2] - boxes[..., 0]) * (boxes[..., 3] - boxes[..., 1])


def placed(boxes: Array, tiles: Array, size: tuple[int, int], cells: Array, frames: Array, grids: Array) -> Geometry:
    """Geometry from boxes that may exceed the image: they are cut to it, and those outside become NaN.

    Parameters
    ----------
    boxes : (n_image_positions, 4)
        In pixels of the original image; NaN where a position is no patch.
    tiles, size, cells, frames, grids
        As for :class:`Geometry`.
    """
    width, height = size
    inside = _clip(boxes, (0, 0, width, height))
    with np.errstate(invalid="ignore"):  # NaN is no patch
        patch = _area(inside) > _PART * _area(boxes)
        patch |= (inside[:, 2:] - inside[:, :2] > _PIXEL).all(1)
    inside = np.where(patch[:, None], inside, np.nan)
    ends = inside[patch]
    seen = np.concatenate([ends[:, :2].min(0), ends[:, 2:].max(0)]) if len(ends) else np.zeros(4)
    return Geometry(inside, tiles, seen, size, cells, frames, grids)
