"""A pen that draws in a unit box (x to the right, y down), and the colours of the embedded world."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

RGB = tuple[int, int, int]
INK: RGB = (38, 34, 40)
PALETTE: dict[str, RGB] = {
    "brown": (139, 84, 40), "black": (46, 44, 50), "white": (244, 242, 236), "grey": (146, 150, 158),
    "orange": (232, 134, 44), "red": (214, 44, 44), "blue": (44, 96, 214), "yellow": (244, 204, 48),
    "green": (40, 158, 72), "pink": (246, 150, 186),
}  # fmt: skip
SKINS: tuple[RGB, ...] = ((250, 214, 184), (228, 178, 136), (176, 120, 82), (116, 78, 54))


def shade(colour: RGB, factor: float) -> RGB:
    """Darken or lighten a colour.

    Parameters
    ----------
    colour
        Red, green and blue, 0 to 255.
    factor
        Below 1 darkens, above 1 lightens; no unit.
    """
    r, g, b = (int(min(255, max(0, c * factor))) for c in colour)
    return r, g, b


class Context(Protocol):
    """What a pen draws with: Pillow's ``ImageDraw``, or an object with the same three methods."""

    def ellipse(self, *args: Any, **settings: Any) -> None:
        """Draw an ellipse, as Pillow does.

        Parameters
        ----------
        *args, **settings
            Those of Pillow.
        """

    def polygon(self, *args: Any, **settings: Any) -> None:
        """Draw a polygon, as Pillow does.

        Parameters
        ----------
        *args, **settings
            Those of Pillow.
        """

    def line(self, *args: Any, **settings: Any) -> None:
        """Draw a line, as Pillow does.

        Parameters
        ----------
        *args, **settings
            Those of Pillow.
        """


@dataclass(frozen=True)
class Pen:
    """Draws in a unit box: x to the right, y down, both 0 to 1.

    Parameters
    ----------
    draw
        Drawing context of the whole image.
    x, y
        Upper left corner of the box, in pixels.
    w, h
        Width and height of the box, in pixels.
    flip
        Mirror left and right.
    """

    draw: Context
    x: float
    y: float
    w: float
    h: float
    flip: bool = False

    def _at(self, px: float, py: float) -> tuple[float, float]:
        return self.x + ((1 - px) if self.flip else px) * self.w, self.y + py * self.h

    def _width(self, share: float) -> int:
        return max(1, round(share * self.h))

    def ellipse(self, cx: float, cy: float, rx: float, ry: float, fill: RGB, outline: RGB | None = INK) -> None:
        """Draw an ellipse.

        Parameters
        ----------
        cx, cy
            Centre, in units of the box.
        rx, ry
            Half its width and half its height, in units of the box.
        fill, outline
            Colours; no outline if None.
        """
        (ax, ay), (bx, by) = self._at(cx - rx, cy - ry), self._at(cx + rx, cy + ry)
        self.draw.ellipse((min(ax, bx), ay, max(ax, bx), by), fill=fill, outline=outline, width=self._width(0.012))

    def disc(self, cx: float, cy: float, r: float, fill: RGB, outline: RGB | None = INK) -> None:
        """Draw a circle, round in pixels whatever the shape of the box.

        Parameters
        ----------
        cx, cy
            Centre, in units of the box.
        r
            Radius, in heights of the box.
        fill, outline
            Colours; no outline if None.
        """
        self.ellipse(cx, cy, r * self.h / self.w, r, fill, outline)

    def poly(self, points: Sequence[tuple[float, float]], fill: RGB, outline: RGB | None = INK) -> None:
        """Draw a filled polygon.

        Parameters
        ----------
        points
            Its corners (x, y), in units of the box.
        fill, outline
            Colours; no outline if None.
        """
        self.draw.polygon([self._at(*p) for p in points], fill=fill, outline=outline, width=self._width(0.012))

    def rect(self, x0: float, y0: float, x1: float, y1: float, fill: RGB, outline: RGB | None = INK) -> None:
        """Draw a filled rectangle.

        Parameters
        ----------
        x0, y0, x1, y1
            Left, top, right and bottom, in units of the box.
        fill, outline
            Colours; no outline if None.
        """
        self.poly([(x0, y0), (x1, y0), (x1, y1), (x0, y1)], fill, outline)

    def line(self, points: Sequence[tuple[float, float]], fill: RGB, width: float = 0.03) -> None:
        """Draw a line through points.

        Parameters
        ----------
        points
            Points (x, y), in units of the box.
        fill
            Colour.
        width
            Width of the line, in heights of the box.
        """
        self.draw.line([self._at(*p) for p in points], fill=fill, width=self._width(width), joint="curve")
