"""A concept map: scores on the grids of an image's tiles, with their places in the image."""

from __future__ import annotations

from typing import Any

import numpy as np

from .geometry import Geometry
from .representations import Array


class ConceptMap(np.ndarray):
    """Scores of patches, (…, n_grids, rows, columns): an array that knows where its grids lie in the image.

    Attributes
    ----------
    geometry : Geometry
        Of the image; None for an array that was reshaped.
    frames : (n_grids, 4)
        x0, y0, x1, y1 of each grid, in pixels of the original image.
    tile : int
        Index of the grid that shows the whole image.

    Parameters
    ----------
    scores : (…, n_image_positions)
        A score per image position.
    geometry
        Geometry of the image, with ``n_image_positions`` positions.

    Examples
    --------
    >>> boxes = [[2, 0, 4, 4], [4, 0, 6, 4]]
    >>> geometry = Geometry(boxes, [0, 0], [2, 0, 6, 4], (8, 4), [[0, 0], [0, 1]], [[2, 0, 6, 4]], [[1, 2]])
    >>> one = ConceptMap(np.array([1.0, 2.0]), geometry)
    >>> one.shape, one.whole.tolist(), one.frames[one.tile].tolist()
    ((1, 1, 2), [[1.0, 2.0]], [2.0, 0.0, 6.0, 4.0])
    """

    geometry: Geometry | None
    frames: Array
    tile: int

    def __new__(cls, scores: Any, geometry: Geometry) -> ConceptMap:
        """Lay scores out on the grids of the image."""
        values, frames, tile = geometry.stack(scores)
        out = values.view(cls)
        out.geometry, out.frames, out.tile = geometry, frames, tile
        return out

    def __array_finalize__(self, source: Any) -> None:
        """Results of arithmetic keep the geometry; arrays of another shape lose it."""
        same = isinstance(source, ConceptMap) and source.shape[-3:] == self.shape[-3:] and self.ndim >= 3
        self.geometry = source.geometry if same else None
        self.frames = source.frames if same else np.zeros((0, 4))
        self.tile = source.tile if same else -1

    def __array_wrap__(self, array: Any, context: Any = None, return_scalar: bool = False) -> Any:
        """Reductions give plain arrays and scalars."""
        plain = np.asarray(array)
        if plain.ndim >= 3:
            return super().__array_wrap__(plain, context)
        return plain[()] if return_scalar or plain.ndim == 0 else plain

    def __getitem__(self, key: Any) -> Any:
        """A part; a plain array where it is no stack of grids."""
        part = super().__getitem__(key)
        return part if not isinstance(part, ConceptMap) or part.ndim >= 3 else np.asarray(part)

    def __reduce__(self) -> Any:
        """Copy and pickle with the geometry."""
        return _rebuilt, (np.asarray(self), self.geometry, self.frames, self.tile)

    def __deepcopy__(self, memo: Any) -> ConceptMap:
        """Copy with the geometry."""
        return _rebuilt(np.array(self), self.geometry, self.frames, self.tile)

    @property
    def whole(self) -> Array:
        """The grid that shows the whole image, (…, rows, columns); NaN where a patch is padding or nothing."""
        grid = np.array(self[..., self.tile, :, :], np.result_type(self, np.float32))
        if self.geometry is not None:
            patches = np.isfinite(self.geometry.boxes[:, 0]).astype(np.float32)
            grid[..., ~(self.geometry.stack(patches)[0][self.tile] > 0)] = np.nan
        return grid


def _rebuilt(values: Array, geometry: Geometry | None, frames: Array, tile: int) -> ConceptMap:
    out = np.asarray(values).view(ConceptMap)
    out.geometry, out.frames, out.tile = geometry, frames, tile
    return out
