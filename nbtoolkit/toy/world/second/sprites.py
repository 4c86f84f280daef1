"""The two senses of "bat", drawn in a unit box: the animal and the club. Every other subject is drawn as in the first world."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ..pen import INK, PALETTE, RGB, Pen, shade
from ..sprites import DRAWERS

# height of a subject's box relative to its width
HEIGHTS: Mapping[str, float] = {"bus": 0.72, "train": 0.62, "car": 0.6}


def _wing(pen: Pen, fur: RGB, side: int, y: float) -> None:
    edge = [
        (0.12, -0.06),
        (0.3, -0.24),
        (0.5, -0.3),
        (0.48, 0.04),
        (0.37, -0.06),
        (0.31, 0.12),
        (0.2, 0.02),
        (0.12, 0.16),
    ]
    pen.poly([(0.5 + side * x, y + dy) for x, dy in edge], shade(fur, 0.78))
    for x, dy in ((0.48, 0.04), (0.31, 0.12)):
        pen.line([(0.5 + side * 0.3, y - 0.24), (0.5 + side * x, y + dy)], shade(fur, 0.5), 0.016)


def _face(pen: Pen, fur: RGB, y: float, up: int) -> None:
    """Draw a head with tall ears at height ``y``; ``up`` is -1 upright and 1 upside down."""
    for side in (-1, 1):
        pen.poly(
            [(0.5 + side * 0.13, y + 0.02 * up), (0.5 + side * 0.12, y + 0.25 * up), (0.5 + side * 0.02, y + 0.1 * up)],
            fur,
        )
    pen.disc(0.5, y, 0.125, shade(fur, 1.12))
    for side in (-1, 1):
        pen.disc(0.5 + side * 0.05, y + 0.02 * up, 0.032, (250, 230, 90), None)
        pen.disc(0.5 + side * 0.05, y + 0.02 * up, 0.014, INK, None)
    for side in (-1, 1):
        pen.poly(
            [
                (0.5 + side * 0.055, y - 0.055 * up),
                (0.5 + side * 0.02, y - 0.055 * up),
                (0.5 + side * 0.037, y - 0.13 * up),
            ],
            (255, 255, 255),
            None,
        )


def _animal(pen: Pen, action: str, fur: RGB) -> None:
    if action == "flying":
        for side in (-1, 1):
            _wing(pen, fur, side, 0.42)
        pen.ellipse(0.5, 0.48, 0.13, 0.2, fur)
        _face(pen, fur, 0.27, -1)
        for side in (-1, 1):
            pen.line([(0.5 + side * 0.05, 0.66), (0.5 + side * 0.05, 0.74)], INK, 0.025)
        for k, x in enumerate((0.2, 0.5, 0.8)):  # air below the wings
            pen.line([(x, 0.78 + 0.04 * (k % 2)), (x, 0.92)], (250, 250, 250), 0.026)
    else:  # upside down from a branch, wings folded
        pen.rect(0.0, 0.02, 1.0, 0.1, (112, 74, 42))
        for side in (-1, 1):
            pen.line([(0.5 + side * 0.06, 0.08), (0.5 + side * 0.06, 0.24)], INK, 0.03)
        pen.ellipse(0.5, 0.42, 0.15, 0.25, fur)
        for side in (-1, 1):
            pen.poly(
                [
                    (0.5 + side * 0.06, 0.18),
                    (0.5 + side * 0.27, 0.34),
                    (0.5 + side * 0.22, 0.62),
                    (0.5 + side * 0.07, 0.74),
                ],
                shade(fur, 0.78),
            )
        _face(pen, fur, 0.74, 1)


def _club(pen: Pen, action: str, colour: RGB) -> None:
    """Draw a tapered club with a wound grip, along the ground or aslant."""
    a, b = ((0.04, 0.9), (0.96, 0.78)) if action == "lying" else ((0.3, 0.98), (0.74, 0.1))
    along = np.subtract(b, a)
    across = np.array([-along[1], along[0]]) / np.hypot(*along)

    def at(share: float, half: float) -> tuple[float, float]:
        x, y = np.add(a, share * along) + half * across
        return float(x), float(y)

    widths = ((0.04, 0.036), (0.3, 0.036), (0.62, 0.085), (0.94, 0.1))
    pen.poly([*(at(s, w) for s, w in widths), *(at(s, -w) for s, w in reversed(widths))], colour)
    pen.disc(*at(0.94, 0.0), 0.1, colour)
    pen.poly([at(0.5, 0.02), at(0.92, 0.05), at(0.92, 0.02), at(0.5, 0.0)], shade(colour, 1.35), None)
    for s in (0.06, 0.12, 0.18, 0.24):
        pen.line([at(s, 0.045), at(s + 0.03, -0.045)], PALETTE["red"], 0.03)
    pen.disc(*at(0.02, 0.0), 0.06, shade(colour, 0.7))


def draw_subject(pen: Pen, factors: Mapping[str, str], colour: RGB, rng: np.random.Generator) -> tuple[float, float]:
    """Draw one subject.

    Parameters
    ----------
    pen
        Pen of its unit box, feet at y = 1.
    factors
        Factor to value; ``subject``, ``sense`` and ``action`` count.
    colour
        Colour of its fur, clothes, paint or frosting.
    rng
        Random state of small things, such as the skin of passengers; it is advanced.

    Returns
    -------
    x, y : float
        Where a hat sits, in the unit box.
    """
    if factors["subject"] != "bat":
        return DRAWERS[factors["subject"]](pen, factors["subject"], factors["action"], colour, rng)
    (_animal if factors["sense"] == "animal" else _club)(pen, factors["action"], colour)
    return 0.5, 0.1
