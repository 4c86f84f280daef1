"""Ramps of known coordinates: sent through a model's processor, they show which part of an image each tile was made from."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from PIL import Image

Array = np.ndarray

_GOLDEN = 0.6180339887498949  # its multiples, modulo 1, are spread evenly: a dither
_CLAMPED = 0.25  # source pixels beyond the centre of the first: resampling repeats the edge there
_SNAP = 0.5  # tile or image pixels: an edge nearer to the border of the image is the border
_BENT = 2.0  # tile or image pixels, and levels of brightness: more is no crop, resize or padding
_FLAT = 0.005  # of a side: no tile is smaller, so less is a side that was squeezed into a pixel
_LEVELS, _TILT = 255, 15  # of brightness


def probes(width: int, height: int) -> Iterator[Image.Image]:
    """Four grey images of one size: black, white, and two whose brightness rises along x and along y.

    Brightness has 256 levels. So that means over rows (columns) are exact to a fraction of one, also after a processor
    rounded, the ramps are dithered and rise a little along the other axis too.

    Parameters
    ----------
    width, height
        Size in pixels.
    """
    for level in (0, _LEVELS):
        yield Image.new("RGB", (width, height), (level,) * 3)
    yield Image.fromarray(_ramp(width, height)).convert("RGB")
    yield Image.fromarray(np.ascontiguousarray(_ramp(height, width).T)).convert("RGB")


def _ramp(n: int, lines: int) -> Array:
    """A ramp along n columns, (lines, n) of uint8."""
    along, across = ((np.arange(m) + 0.5) / m for m in (n, lines))
    dither = (0.5 + np.arange(lines) * _GOLDEN) % 1
    return np.floor((_LEVELS - _TILT) * along + (_TILT * across + dither)[:, None]).astype(np.uint8)


def frames(black: Array, white: Array, across: Array, down: Array, size: tuple[int, int]) -> Array | None:
    """Places of tiles in the original image, read back from the four probes.

    Parameters
    ----------
    black, white, across, down : (n_tiles, height, width)
        What the processor made of the probes, channels averaged.
    size
        Width and height of the original image.

    Returns
    -------
    (n_tiles, 4) or None
        x0, y0, x1, y1 of each tile in pixels of the original image; beyond it where the tile has padding. NaN for a tile
        of padding alone. None if a tile is no crop, resize or padding of the image (it is turned or bent).
    """
    span, tilt = white - black, _TILT / _LEVELS
    inside = np.abs(span) > 0.5 * np.abs(span).max()
    out = np.full((len(span), 4), np.nan)
    for tile, mask in enumerate(inside):
        if not mask.any():
            continue
        levels = [
            np.where(mask, (p[tile] - black[tile]) / np.where(mask, span[tile], 1), np.nan) for p in (across, down)
        ]
        for axis, n in enumerate(size):
            share = ((1 - tilt) * levels[axis] - tilt * levels[1 - axis]) / (1 - 2 * tilt)
            ends = _ends(share if axis == 0 else share.T, n, n == min(size))
            if ends is None:
                return None
            out[tile, axis::2] = ends
    return out


def _ends(share: Array, n: int, shorter: bool) -> tuple[float, float] | None:
    """Coordinates of the two ends of a tile, whose columns hold shares of a side of n pixels, the shorter one or not."""
    columns, lines = (np.flatnonzero(np.isfinite(share).any(axis)) for axis in (0, 1))
    block = share[np.ix_(lines, columns)] * n  # in pixels of the image
    if not np.isfinite(block).all():
        return None
    profile, centres, length = block.mean(0), columns + 0.5, share.shape[1]
    free = (profile > 0.5 + _CLAMPED) & (profile < n - 0.5 - _CLAMPED)
    inner = np.flatnonzero(free)
    if len(inner) >= 4:  # at its ends a resampling filter has other weights
        cut = max(1, len(inner) // 16)
        free[inner[:cut]] = free[inner[-cut:]] = False
    flat = free.sum() >= 2 and np.ptp(profile[free]) < _FLAT * n
    if n < 3 or free.sum() < 2 or flat:  # no slope: all of the side is here, or a bit of a long one
        slope = n / len(columns)
        turned = n >= 3 and np.ptp(block.mean(1)) > _BENT * max(1.0, n / _LEVELS)
        return (
            None
            if turned or (flat and not shorter)
            else (float(-slope * columns[0]), float(slope * (length - columns[0])))
        )
    slope, start = np.polyfit(centres[free], profile[free], 1)
    halves = [half.mean(0) for half in np.array_split(block, 2) if len(half)]
    errors = (profile - (start + slope * centres), halves[0] - halves[-1])
    if slope <= 0 or max(np.abs(e[free]).max() for e in errors) > _BENT * max(1.0, slope, n / _LEVELS):
        return None
    end, near = start + slope * length, _SNAP * max(1.0, slope)
    return (0.0 if abs(start) < near else float(start)), (float(n) if abs(end - n) < near else float(end))
