"""Draw a scene of the second world, and record which pixels show what.

Every element has a random stream of its own, whose name does not depend on any factor: a scene that is drawn again with
one factor changed differs only in what this factor governs. No box depends on the prop: what stands beside the subject
has its side of the image whether it is there or not.
"""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
from PIL import Image, ImageDraw

from ..backgrounds import BACKGROUNDS
from ..drawing import SIZE, luminary, sky
from ..grammar import INDOORS
from ..pen import PALETTE, Context, Pen, shade
from ..props import BESIDE, ON_SUBJECT
from .grammar import Scene, crc
from .sprites import HEIGHTS, draw_subject

_S = 2 * SIZE  # drawn at twice the size, then averaged down
SKY, GROUND, LUMINARY, PROP, SUBJECT, RAIN = REGIONS = range(6)
_NIGHT = np.array([0.5, 0.52, 0.68])


class _Recorder:
    """Draws in an image, and the same shapes in an image of regions."""

    def __init__(self, image: Image.Image, regions: Image.Image, region: int) -> None:
        self._pixels, self._shapes, self._region = ImageDraw.Draw(image), ImageDraw.Draw(regions), region

    def ellipse(self, xy: Any, **settings: Any) -> None:
        self._pixels.ellipse(xy, **settings)
        self._record(self._shapes.ellipse, xy, settings)

    def polygon(self, xy: Any, **settings: Any) -> None:
        self._pixels.polygon(xy, **settings)
        self._record(self._shapes.polygon, xy, settings)

    def line(self, xy: Any, **settings: Any) -> None:
        self._pixels.line(xy, **settings)
        self._shapes.line(xy, **{**settings, "fill": self._region})

    def _record(self, shape: Any, xy: Any, settings: dict[str, Any]) -> None:
        shape(xy, fill=self._region)
        if settings.get("outline") is not None:  # Pillow draws no outline of the colour of the inside
            shape(xy, outline=self._region, width=settings.get("width", 1))


class _Canvas:
    """The image, and the region of every pixel.

    Parameters
    ----------
    record
        Record the regions too.
    """

    def __init__(self, record: bool) -> None:
        self.image = Image.new("RGB", (_S, _S))
        self.regions = Image.new("L", (_S, _S), SKY) if record else None

    def context(self, region: int) -> Context:
        if self.regions is None:
            return ImageDraw.Draw(self.image)
        return _Recorder(self.image, self.regions, region)

    def pen(self, region: int) -> Pen:
        return Pen(self.context(region), 0, 0, _S, _S)

    def multiply(self, factor: Any) -> None:
        pixels = np.asarray(self.image) * factor
        self.image = Image.fromarray(pixels.clip(0, 255).astype(np.uint8))


def draw(scene: Scene) -> Image.Image:
    """Draw a scene; the same scene always gives the same pixels.

    Parameters
    ----------
    scene
        A scene.

    Returns
    -------
    PIL.Image.Image
        RGB, 128 × 128 pixels.
    """
    rng = _stream(scene, "noise")
    pixels = np.asarray(_paint(scene, _Canvas(record=False)).image.reduce(2), dtype=np.float32)
    noisy = pixels * rng.uniform(0.92, 1.08) + rng.normal(0, 4, (SIZE, SIZE, 1))
    return Image.fromarray(noisy.clip(0, 255).astype(np.uint8))


def regions(scene: Scene) -> np.ndarray:
    """Pixels that show each region of a scene.

    Parameters
    ----------
    scene
        A scene.

    Returns
    -------
    (6, 128, 128) bool
        Sky, ground, luminary, prop, subject and rain; at an edge a pixel may belong to two.
    """
    blocks = np.asarray(_paint(scene, _Canvas(record=True)).regions).reshape(SIZE, 2, SIZE, 2)
    return np.stack([(blocks == region).any((1, 3)) for region in REGIONS])


def _stream(scene: Scene, name: str) -> np.random.Generator:
    """Random state of one element, whatever the factors are."""
    return np.random.default_rng([scene.seed, crc(name)])


def _paint(scene: Scene, canvas: _Canvas) -> _Canvas:
    stream = functools.partial(_stream, scene)
    factors, numbers = scene.factors, scene.numbers
    weather, kind = factors["weather"], factors["background"]
    sky(canvas.pen(SKY), weather, stream("sky"))
    BACKGROUNDS[kind](canvas.pen(GROUND), stream("horizon").uniform(0.5, 0.62), stream("background"))
    if weather == "night":
        canvas.multiply(_NIGHT)
    if weather != "none" and kind not in INDOORS:
        luminary(canvas.pen(LUMINARY), weather, stream("luminary"))
    canvas.multiply(1.25 - 0.85 * numbers["darkness"])  # of the surroundings; the subject and the prop are lit
    _foreground(canvas, scene, stream)
    if weather == "rain":
        pen, rng = canvas.pen(RAIN), stream("rain")
        for x, y in zip(rng.uniform(0, 1, 46), rng.uniform(0, 1, 46), strict=True):
            pen.line([(x, y), (x - 0.022, y + 0.075)], (206, 222, 240), 0.011)
    return canvas


def _foreground(canvas: _Canvas, scene: Scene, stream: Any) -> None:
    factors, numbers = scene.factors, scene.numbers
    subject, prop, two = factors["subject"], factors["prop"], factors["count"] == "two"
    low, high = (0.28, 0.4) if two else (0.42, 0.76)
    width = low + (high - low) * numbers["size"]
    height = width * HEIGHTS.get(subject, 0.95) * (1.15 if two else 1.0)
    rng = stream("layout")
    foot, drop = rng.uniform(0.86, 0.94), rng.uniform(-0.03, 0.03, 2) if two else (0.0, 0.0)
    flip = numbers["position"] < 0.5  # it faces the near edge, so that its trail, where it moves, is in the image
    left = numbers["position"] * (1 - width * (2.02 if two else 1.0))
    if prop in BESIDE:
        side = {"tree": 0.3, "man": 0.17, "balloon": 0.3}.get(prop, 0.24)
        tall = prop in ("tree", "stop sign", "traffic light", "man", "balloon")
        margin = stream("prop").uniform(0.0, 0.03)
        px = margin if numbers["position"] > 0.5 else 1 - side - margin
        top, ph = (0.28, 0.4) if prop == "frisbee" else (foot + 0.03 - (0.62 if tall else 0.4), 0.62 if tall else 0.4)
        BESIDE[prop](Pen(canvas.context(PROP), px * _S, top * _S, side * _S, ph * _S))
    colour = shade(PALETTE[factors["colour"]], 0.82 + 0.36 * numbers["shade"])
    for k in range(2 if two else 1):
        box = ((left + k * width * 1.02) * _S, (foot + drop[k] - height) * _S, width * _S, height * _S, flip)
        head = draw_subject(Pen(canvas.context(SUBJECT), *box), factors, colour, stream(f"subject {k}"))
        if prop in ON_SUBJECT:
            ON_SUBJECT[prop](Pen(canvas.context(PROP), *box), *head)
