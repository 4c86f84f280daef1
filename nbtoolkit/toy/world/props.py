"""Props of the embedded world: one drawing per value of the factor ``prop``, on the subject or beside it."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from .pen import INK, SKINS, Pen


def _hat(pen: Pen, x: float, y: float) -> None:
    """Draw a hat with a ribbon at the top of the subject, (x, y)."""
    pen.ellipse(x, y + 0.02, 0.17, 0.035, (120, 40, 150))
    pen.rect(x - 0.09, y - 0.17, x + 0.09, y + 0.02, (120, 40, 150))
    pen.rect(x - 0.09, y - 0.04, x + 0.09, y, (250, 220, 60), None)


def _candles(pen: Pen, x: float, y: float) -> None:
    """Draw three burning candles at the top of the subject, (x, y)."""
    for dx in (-0.12, 0.0, 0.12):
        pen.rect(x + dx - 0.018, y - 0.2, x + dx + 0.018, y + 0.01, (60, 130, 230))
        pen.ellipse(x + dx, y - 0.25, 0.024, 0.05, (255, 170, 30), None)


def _strawberries(pen: Pen, x: float, y: float) -> None:
    """Draw five strawberries at the top of the subject, (x, y)."""
    for dx, dy in ((-0.14, 0.0), (0.0, 0.015), (0.14, 0.0), (-0.07, -0.05), (0.07, -0.05)):
        pen.poly(
            [(x + dx - 0.06, y + dy - 0.05), (x + dx + 0.06, y + dy - 0.05), (x + dx, y + dy + 0.05)], (224, 30, 50)
        )
        pen.line([(x + dx - 0.04, y + dy - 0.055), (x + dx + 0.04, y + dy - 0.055)], (40, 150, 60), 0.03)


def _ball(pen: Pen) -> None:
    """Draw a ball with a stripe."""
    pen.disc(0.5, 0.84, 0.15, (236, 60, 70))
    pen.line([(0.4, 0.74), (0.52, 0.8), (0.56, 0.96)], (255, 255, 255), 0.045)


def _frisbee(pen: Pen) -> None:
    """Draw a frisbee in the air."""
    pen.ellipse(0.5, 0.3, 0.34, 0.075, (30, 200, 220))
    pen.ellipse(0.5, 0.285, 0.2, 0.035, (160, 240, 250), None)


def _bowl(pen: Pen) -> None:
    """Draw a bowl with food."""
    pen.ellipse(0.5, 0.84, 0.3, 0.05, (150, 90, 50))
    pen.poly([(0.2, 0.84), (0.8, 0.84), (0.68, 1.0), (0.32, 1.0)], (70, 110, 220))


def _balloon(pen: Pen) -> None:
    """Draw a balloon on a string."""
    pen.line([(0.5, 0.36), (0.46, 0.95)], INK, 0.014)
    pen.ellipse(0.5, 0.2, 0.24, 0.18, (190, 50, 200))


def _tree(pen: Pen) -> None:
    """Draw a tree."""
    pen.rect(0.42, 0.45, 0.58, 1.0, (110, 70, 40))
    for cx, cy in ((0.28, 0.36), (0.72, 0.36), (0.5, 0.2)):
        pen.ellipse(cx, cy, 0.3, 0.19, (34, 112, 50))


def _stop_sign(pen: Pen) -> None:
    """Draw a stop sign."""
    pen.rect(0.46, 0.4, 0.54, 1.0, (120, 120, 126))
    pen.poly(
        [
            (0.36, 0.04),
            (0.64, 0.04),
            (0.82, 0.14),
            (0.82, 0.32),
            (0.64, 0.42),
            (0.36, 0.42),
            (0.18, 0.32),
            (0.18, 0.14),
        ],
        (206, 20, 30),
    )
    pen.rect(0.28, 0.19, 0.72, 0.27, (255, 255, 255), None)


def _traffic_light(pen: Pen) -> None:
    """Draw a traffic light."""
    pen.rect(0.46, 0.5, 0.54, 1.0, (90, 90, 96))
    pen.rect(0.3, 0.0, 0.7, 0.52, (40, 40, 46))
    for cy, lamp in ((0.09, (240, 40, 40)), (0.26, (250, 200, 40)), (0.43, (50, 210, 80))):
        pen.disc(0.5, cy, 0.07, lamp, None)


def _man(pen: Pen) -> None:
    """Draw a man with a cap."""
    for side in (-1, 1):
        pen.rect(0.5 + 0.13 * side - 0.1, 0.66, 0.5 + 0.13 * side + 0.1, 1.0, (40, 50, 90))
    pen.rect(0.2, 0.3, 0.8, 0.7, (240, 130, 30))
    pen.disc(0.5, 0.18, 0.11, SKINS[0])
    pen.rect(0.3, 0.05, 0.7, 0.11, (60, 40, 30), None)


def _fork(pen: Pen) -> None:
    """Draw a fork."""
    pen.line([(0.5, 0.55), (0.5, 1.0)], (120, 124, 134), 0.055)
    for dx in (-0.14, 0.0, 0.14):
        pen.line([(0.5 + dx, 0.3), (0.5 + dx, 0.52)], (120, 124, 134), 0.04)
    pen.line([(0.34, 0.54), (0.66, 0.54)], (120, 124, 134), 0.06)


def _cup(pen: Pen) -> None:
    """Draw a cup of coffee."""
    pen.ellipse(0.8, 0.82, 0.16, 0.09, (60, 170, 160))
    pen.rect(0.2, 0.66, 0.76, 1.0, (60, 170, 160))
    pen.ellipse(0.48, 0.66, 0.28, 0.045, (90, 50, 30))


# value -> drawing(pen of the subject, x and y of the top of the subject in its unit box)
ON_SUBJECT: Mapping[str, Callable[[Pen, float, float], None]] = {
    "hat": _hat,
    "candles": _candles,
    "strawberries": _strawberries,
}
# value -> drawing(pen of a unit box beside the subject, foot at y = 1)
BESIDE: Mapping[str, Callable[[Pen], None]] = {
    "ball": _ball,
    "frisbee": _frisbee,
    "bowl": _bowl,
    "balloon": _balloon,
    "tree": _tree,
    "stop sign": _stop_sign,
    "traffic light": _traffic_light,
    "man": _man,
    "fork": _fork,
    "cup": _cup,
}
