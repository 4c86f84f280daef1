"""Lines of text in the pictures of views, which are drawn without a browser."""

from __future__ import annotations

import functools
from bisect import bisect_left
from importlib.util import find_spec
from pathlib import Path

from PIL import ImageDraw, ImageFont

from ..strict_json import visible

LONGEST = 400  # characters that a line can hold
PLAIN = ("DejaVuSans.ttf", "DejaVuSans-Bold.ttf")
WIDE = (  # fonts with Chinese, Japanese and Korean, by the names that systems give them
    "NotoSansCJK-Regular.ttc",
    "NotoSansCJKsc-Regular.otf",
    "wqy-microhei.ttc",
    "msyh.ttc",
    "PingFang.ttc",
    "Hiragino Sans GB.ttc",
)

Font = ImageFont.ImageFont | ImageFont.FreeTypeFont


def write(
    pen: ImageDraw.ImageDraw,
    place: tuple[float, float],
    text: str,
    size: int,
    colour: str,
    *,
    bold: bool = False,
    anchor: str = "ls",
    width: float | None = None,
) -> float:
    """Write one line, cut to a width; give its length in pixels.

    Parameters
    ----------
    pen
        What draws.
    place
        Left end of the line, or what the anchor says, in pixels.
    text, size, colour
        The text, its size in pixels, and its colour.
    bold
        Whether it is bold.
    anchor
        As for Pillow.
    width
        Where it is cut, in pixels from its start.
    """
    text = " ".join(visible(text[:LONGEST]).split())
    font = font_of(text, size, bold)
    if width is not None and font.getlength(text) > width:
        fits = bisect_left(range(len(text)), True, key=lambda n: font.getlength(text[: n + 1] + "…") > width)
        text = text[:fits].rstrip(" ·,") + "…" if fits else ""
    if text:
        pen.text(place, text, colour, font, anchor)
    return float(font.getlength(text))


def font_of(text: str, size: int, bold: bool = False) -> Font:
    """The font of a text: one with Chinese, Japanese and Korean where the text needs it.

    Parameters
    ----------
    text, size, bold
        The text, its size in pixels, and whether it is bold.
    """
    return _named_font(size, bold, any(c >= "\u2e80" for c in text))


@functools.lru_cache(64)
def _named_font(size: int, bold: bool, wide: bool) -> Font:
    """A font of the system, or of matplotlib, which need not be imported for it; Pillow's own where there is none."""
    spec = find_spec("matplotlib")
    own = [] if spec is None or spec.origin is None else [Path(spec.origin).parent / "mpl-data" / "fonts" / "ttf"]
    for name in (*(WIDE if wide else ()), PLAIN[bold]):
        for path in (*(str(folder / name) for folder in own), name):
            try:
                return ImageFont.truetype(path, size)
            except OSError:
                continue
    return ImageFont.load_default(size)
