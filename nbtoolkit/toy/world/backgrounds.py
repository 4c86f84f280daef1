"""Backgrounds of the embedded world: one drawing per value of the factor ``background``."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from .pen import INK, RGB, Pen, shade

_TINTS: tuple[RGB, ...] = ((250, 90, 90), (90, 210, 250), (250, 220, 80), (120, 230, 120))


def _grass(pen: Pen, h: float, rng: np.random.Generator) -> None:
    """Draw a hill, a meadow and tufts of grass."""
    pen.ellipse(rng.uniform(0.1, 0.9), h + 0.06, 0.6, 0.16, (96, 176, 84), None)
    pen.rect(0, h, 1, 1, (78, 164, 66), None)
    for x, y in zip(rng.uniform(0, 1, 26), rng.uniform(h, 1, 26), strict=True):
        pen.line([(x - 0.012, y - 0.035), (x, y), (x + 0.012, y - 0.035)], (42, 118, 44), 0.01)


def _snow(pen: Pen, h: float, rng: np.random.Generator) -> None:
    """Draw fir trees, snow and snowflakes."""
    for x in rng.uniform(0, 1, 3):
        for k in range(3):
            pen.poly(
                [(x - 0.1 + 0.02 * k, h - 0.07 * k), (x + 0.1 - 0.02 * k, h - 0.07 * k), (x, h - 0.16 - 0.07 * k)],
                (40, 92, 80),
                None,
            )
        pen.poly([(x - 0.035, h - 0.25), (x + 0.035, h - 0.25), (x, h - 0.32)], (250, 252, 255), None)
    pen.rect(0, h, 1, 1, (238, 244, 252), None)
    for x, y in zip(rng.uniform(0, 1, 34), rng.uniform(0, 1, 34), strict=True):
        pen.disc(x, y, 0.013, (255, 255, 255), None)


def _beach(pen: Pen, h: float, rng: np.random.Generator) -> None:
    """Draw the sea, its foam and sand."""
    pen.rect(0, h - 0.14, 1, h + 0.04, (28, 132, 190), None)
    for k in range(8):
        pen.ellipse(0.07 + 0.13 * k, h + 0.04, 0.07, 0.022, (244, 250, 252), None)
    pen.rect(0, h + 0.05, 1, 1, (236, 208, 142), None)
    for x, y in zip(rng.uniform(0, 1, 40), rng.uniform(h + 0.08, 1, 40), strict=True):
        pen.disc(x, y, 0.006, (196, 160, 96), None)


def _street(pen: Pen, h: float, rng: np.random.Generator) -> None:
    """Draw houses with lit windows, a pavement and a road."""
    x = -0.05
    while x < 1:
        w, top = rng.uniform(0.14, 0.24), h - rng.uniform(0.24, 0.42)
        wall = ((150, 108, 92), (126, 120, 132), (172, 150, 118))[rng.integers(3)]
        pen.rect(x, top, x + w, h, wall, shade(wall, 0.7))
        for wy in np.arange(top + 0.04, h - 0.05, 0.085):
            for wx in (x + 0.2 * w, x + 0.6 * w):
                pen.rect(wx, wy, wx + 0.2 * w, wy + 0.045, (250, 232, 150), None)
        x += w
    pen.rect(0, h, 1, 1, (92, 94, 100), None)
    pen.rect(0, h, 1, h + 0.04, (176, 174, 170), None)
    for k in range(4):
        pen.rect(0.05 + 0.27 * k, 0.93, 0.18 + 0.27 * k, 0.955, (246, 240, 220), None)


def _bridge(pen: Pen, h: float, rng: np.random.Generator) -> None:
    """Draw a river and an iron bridge."""
    pen.rect(0, h - 0.02, 1, 1, (40, 100, 170), None)
    for x, y in zip(rng.uniform(0, 1, 14), rng.uniform(0.84, 1, 14), strict=True):
        pen.line([(x, y), (x + 0.07, y)], (130, 180, 226), 0.012)
    iron = (166, 66, 48)
    pen.rect(0, 0.86, 1, 0.93, iron, INK)
    for k in range(6):
        pen.line([(0.2 * k - 0.1, 0.86), (0.2 * k, h - 0.3), (0.2 * k + 0.1, 0.86)], iron, 0.024)
    pen.rect(0, h - 0.33, 1, h - 0.29, iron, None)
    for x in (0.08, 0.92):
        pen.rect(x - 0.035, 0.93, x + 0.035, 1, shade(iron, 0.8), None)


def _room(pen: Pen, h: float, rng: np.random.Generator) -> None:
    """Draw a papered wall, a painting, a floor and a carpet."""
    wall = ((222, 196, 168), (206, 190, 214), (188, 206, 190))[rng.integers(3)]
    pen.rect(0, 0, 1, h, wall, None)
    for k in range(9):
        pen.rect(0.12 * k, 0, 0.12 * k + 0.035, h, shade(wall, 0.93), None)
    fx = rng.uniform(0.1, 0.6)
    pen.rect(fx, 0.08, fx + 0.28, 0.32, (120, 76, 40))
    pen.rect(fx + 0.035, 0.115, fx + 0.245, 0.285, (150, 196, 214), None)
    pen.rect(0, h, 1, 1, (150, 96, 56), None)
    pen.ellipse(0.5, 0.94, 0.52, 0.12, (160, 50, 70))


def _table(pen: Pen, h: float, rng: np.random.Generator) -> None:
    """Draw a wall with a window and a table top."""
    pen.rect(0, 0, 1, h, (214, 222, 206), None)
    wx = rng.uniform(0.1, 0.6)
    pen.rect(wx, 0.06, wx + 0.3, 0.4, (250, 250, 250))
    pen.rect(wx + 0.02, 0.08, wx + 0.28, 0.38, (150, 210, 246), None)
    pen.line([(wx + 0.15, 0.08), (wx + 0.15, 0.38)], (250, 250, 250), 0.02)
    pen.rect(0, 0.78, 1, 1, (164, 104, 56), (96, 56, 28))
    for y in (0.85, 0.92):
        pen.line([(0, y), (1, y)], (128, 76, 38), 0.01)


def _kitchen(pen: Pen, _h: float, _rng: np.random.Generator) -> None:
    """Draw tiles, cupboards and a counter."""
    pen.rect(0, 0, 1, 1, (232, 238, 240), None)
    for k in range(8):
        pen.line([(0.14 * k, 0.26), (0.14 * k, 0.8)], (160, 190, 200), 0.012)
        pen.line([(0, 0.26 + 0.1 * k), (1, 0.26 + 0.1 * k)], (160, 190, 200), 0.012)
    for k in range(3):
        pen.rect(0.02 + 0.33 * k, 0.0, 0.31 + 0.33 * k, 0.24, (92, 140, 132))
        pen.rect(0.26 + 0.33 * k, 0.12, 0.28 + 0.33 * k, 0.2, (230, 230, 230), None)
    pen.rect(0, 0.8, 1, 1, (88, 92, 100))


def _party(pen: Pen, _h: float, rng: np.random.Generator) -> None:
    """Draw bunting, confetti and a tablecloth."""
    pen.rect(0, 0, 1, 1, (92, 56, 128), None)
    pen.line([(0, 0.06), (0.5, 0.16), (1, 0.06)], (250, 250, 250), 0.012)
    for k in range(8):
        x, y = 0.06 + 0.125 * k, 0.16 - 0.2 * abs(0.44 - 0.125 * k)
        tint = _TINTS[k % 4]
        pen.poly([(x - 0.045, y), (x + 0.045, y), (x, y + 0.12)], tint, None)
    for x, y, k in zip(rng.uniform(0, 1, 40), rng.uniform(0.25, 0.8, 40), rng.integers(0, 4, 40), strict=True):
        pen.disc(x, y, 0.012, _TINTS[k], None)
    pen.rect(0, 0.82, 1, 1, (240, 236, 246), (180, 170, 200))


# value -> drawing(pen, height of the horizon in the unit box, random state)
BACKGROUNDS: Mapping[str, Callable[[Pen, float, np.random.Generator], None]] = {
    "grass": _grass,
    "snow": _snow,
    "beach": _beach,
    "street": _street,
    "bridge": _bridge,
    "room": _room,
    "table": _table,
    "kitchen": _kitchen,
    "party": _party,
}
