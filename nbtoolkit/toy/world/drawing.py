"""Draw one scene of the embedded world: background, weather, subjects and props."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from PIL import Image, ImageDraw

from .backgrounds import BACKGROUNDS
from .grammar import INDOORS
from .pen import PALETTE, RGB, Context, Pen, shade
from .props import BESIDE, ON_SUBJECT
from .sprites import DRAWERS

SIZE = 128  # pixels per side of an image
_S = 2 * SIZE  # drawn at twice the size, then averaged down
SKIES: dict[str, RGB] = {
    "sunny": (92, 176, 250),
    "none": (196, 214, 228),
    "night": (24, 26, 62),
    "rain": (124, 132, 146),
}


def sky(pen: Pen, weather: str, rng: np.random.Generator) -> None:
    """Draw the sky of a weather.

    Parameters
    ----------
    pen
        Pen of the whole image.
    weather
        Value of the factor ``weather``.
    rng
        Random state of the clouds; it is advanced.
    """
    pen.rect(0, 0, 1, 1, SKIES[weather], None)
    if weather == "none":
        for _ in range(2):
            x, y = rng.uniform(0.1, 0.9), rng.uniform(0.05, 0.18)
            for dx in (-0.07, 0.0, 0.07):
                pen.ellipse(x + dx, y, 0.09, 0.04, (236, 240, 244), None)
    elif weather == "rain":
        for x in (0.15, 0.5, 0.85):
            pen.ellipse(x + rng.uniform(-0.05, 0.05), 0.03, 0.24, 0.09, (84, 90, 104), None)


def luminary(pen: Pen, weather: str, rng: np.random.Generator) -> None:
    """Draw the sun, or the moon and stars.

    Parameters
    ----------
    pen
        Pen of the whole image.
    weather
        Value of the factor ``weather``; nothing is drawn for ``"none"`` and ``"rain"``.
    rng
        Random state of the place; it is advanced.
    """
    x, y = rng.uniform(0.12, 0.88), rng.uniform(0.1, 0.16)
    if weather == "sunny":
        for angle in np.linspace(0, 2 * np.pi, 10, endpoint=False):
            dx, dy = np.cos(angle), np.sin(angle)
            pen.line([(x + 0.1 * dx, y + 0.1 * dy), (x + 0.15 * dx, y + 0.15 * dy)], (255, 214, 50), 0.02)
        pen.disc(x, y, 0.085, (255, 214, 50), None)
    elif weather == "night":
        for _ in range(12):
            pen.disc(rng.uniform(0, 1), rng.uniform(0, 0.4), 0.008, (255, 255, 220), None)
        pen.disc(x, y, 0.08, (250, 246, 206), None)
        pen.disc(x + 0.04, y - 0.02, 0.065, SKIES["night"], None)


def _jitter(colour: RGB, rng: np.random.Generator) -> RGB:
    return shade(colour, rng.uniform(0.9, 1.1))


def render(factors: Mapping[str, str], rng: np.random.Generator) -> Image.Image:
    """Draw a scene: the factors fix what captions state, the random state everything else.

    Parameters
    ----------
    factors
        Factor to value, as of :func:`nbtoolkit.toy.world.grammar.sample_factors`.
    rng
        Random state of position, size, direction, shade and noise; it is advanced.

    Returns
    -------
    PIL.Image.Image
        RGB, 128 × 128 pixels.
    """
    canvas = Image.new("RGB", (_S, _S))
    whole = Pen(ImageDraw.Draw(canvas), 0, 0, _S, _S)
    weather, kind = factors["weather"], factors["background"]
    horizon = rng.uniform(0.5, 0.62)
    sky(whole, weather, rng)
    BACKGROUNDS[kind](whole, horizon, rng)
    if weather == "night":  # dusk over everything but the lights of the sky
        canvas = Image.fromarray((np.asarray(canvas) * np.array([0.5, 0.52, 0.68])).astype(np.uint8))
        whole = Pen(ImageDraw.Draw(canvas), 0, 0, _S, _S)
    if weather != "none" and kind not in INDOORS:
        luminary(whole, weather, rng)
    _foreground(whole.draw, factors, rng)
    if weather == "rain":
        for x, y in zip(rng.uniform(0, 1, 46), rng.uniform(0, 1, 46), strict=True):
            whole.line([(x, y), (x - 0.022, y + 0.075)], (206, 222, 240), 0.011)
    pixels = np.asarray(canvas.reduce(2), dtype=np.float32)
    noisy = pixels * rng.uniform(0.92, 1.08) + rng.normal(0, 4, (SIZE, SIZE, 1))
    return Image.fromarray(noisy.clip(0, 255).astype(np.uint8))


def _foreground(draw: Context, factors: Mapping[str, str], rng: np.random.Generator) -> None:
    subject, prop, two = factors["subject"], factors["prop"], factors["count"] == "two"
    beside = prop not in ("none", *ON_SUBJECT)
    room = 0.82 if beside else 1.0  # share of the width left for the subjects
    width = (0.48 if two else rng.uniform(0.74, 0.84)) * room
    height = width * {"bus": 0.72, "train": 0.62, "car": 0.6, "cake": 0.95}.get(subject, 0.95) * (1.15 if two else 1.0)
    foot = rng.uniform(0.86, 0.94)
    prop_left = bool(rng.random() < 0.5)
    left = (1 - room) if beside and prop_left else 0.0
    slack = room - width * (2 if two else 1)
    x = left + max(0.01, rng.uniform(0.15, 0.85) * slack)
    flip = bool(rng.random() < 0.5)
    tall = prop in ("tree", "stop sign", "traffic light", "man")
    side = {"tree": 0.3, "man": 0.17, "balloon": 0.3}.get(prop, 0.24)
    if beside:
        px = rng.uniform(0.0, 0.03) if prop_left else 1 - side - rng.uniform(0.0, 0.03)
        ph = 0.62 if tall or prop == "balloon" else 0.4
        if prop == "frisbee":
            BESIDE[prop](Pen(draw, px * _S, 0.28 * _S, side * _S, 0.4 * _S))
        else:
            BESIDE[prop](Pen(draw, px * _S, (foot + 0.03 - ph) * _S, side * _S, ph * _S))
    for k in range(2 if two else 1):
        dy = rng.uniform(-0.03, 0.03) if two else 0.0
        pen = Pen(draw, (x + k * width * 1.02) * _S, (foot + dy - height) * _S, width * _S, height * _S, flip)
        colour = _jitter(PALETTE[factors["colour"]], rng)
        head = DRAWERS[subject](pen, subject, factors["action"], colour, rng)
        if prop in ON_SUBJECT:
            ON_SUBJECT[prop](pen, *head)
