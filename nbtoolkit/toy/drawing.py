"""Paint one scene of the embedded world: background, weather, subjects and props."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from PIL import Image, ImageDraw

from .pen import INK, PALETTE, RGB, Pen, shade
from .props import prop_beside, prop_on
from .sprites import DRAWERS

SIZE = 128  # pixels a side of a finished picture
_S = 2 * SIZE  # drawn at twice the size, then averaged down
_ON_SUBJECT = ("hat", "candles", "strawberries")
_SKIES: dict[str, RGB] = {
    "sunny": (92, 176, 250),
    "none": (196, 214, 228),
    "night": (24, 26, 62),
    "rain": (124, 132, 146),
}


def _sky(pen: Pen, weather: str, rng: np.random.Generator) -> None:
    pen.rect(0, 0, 1, 1, _SKIES[weather], None)
    if weather == "none":
        for _ in range(2):
            x, y = rng.uniform(0.1, 0.9), rng.uniform(0.05, 0.18)
            for dx in (-0.07, 0.0, 0.07):
                pen.ellipse(x + dx, y, 0.09, 0.04, (236, 240, 244), None)
    elif weather == "rain":
        for x in (0.15, 0.5, 0.85):
            pen.ellipse(x + rng.uniform(-0.05, 0.05), 0.03, 0.24, 0.09, (84, 90, 104), None)


def _luminary(pen: Pen, weather: str, rng: np.random.Generator) -> None:
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
        pen.disc(x + 0.04, y - 0.02, 0.065, _SKIES["night"], None)


def _background(pen: Pen, kind: str, horizon: float, rng: np.random.Generator) -> None:
    h = horizon
    if kind == "grass":
        pen.ellipse(rng.uniform(0.1, 0.9), h + 0.06, 0.6, 0.16, (96, 176, 84), None)
        pen.rect(0, h, 1, 1, (78, 164, 66), None)
        for x, y in zip(rng.uniform(0, 1, 26), rng.uniform(h, 1, 26), strict=True):
            pen.line([(x - 0.012, y - 0.035), (x, y), (x + 0.012, y - 0.035)], (42, 118, 44), 0.01)
    elif kind == "snow":
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
    elif kind == "beach":
        pen.rect(0, h - 0.14, 1, h + 0.04, (28, 132, 190), None)
        for k in range(8):
            pen.ellipse(0.07 + 0.13 * k, h + 0.04, 0.07, 0.022, (244, 250, 252), None)
        pen.rect(0, h + 0.05, 1, 1, (236, 208, 142), None)
        for x, y in zip(rng.uniform(0, 1, 40), rng.uniform(h + 0.08, 1, 40), strict=True):
            pen.disc(x, y, 0.006, (196, 160, 96), None)
    elif kind == "street":
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
    elif kind == "bridge":
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
    elif kind == "room":
        wall = ((222, 196, 168), (206, 190, 214), (188, 206, 190))[rng.integers(3)]
        pen.rect(0, 0, 1, h, wall, None)
        for k in range(9):
            pen.rect(0.12 * k, 0, 0.12 * k + 0.035, h, shade(wall, 0.93), None)
        fx = rng.uniform(0.1, 0.6)
        pen.rect(fx, 0.08, fx + 0.28, 0.32, (120, 76, 40))
        pen.rect(fx + 0.035, 0.115, fx + 0.245, 0.285, (150, 196, 214), None)
        pen.rect(0, h, 1, 1, (150, 96, 56), None)
        pen.ellipse(0.5, 0.94, 0.52, 0.12, (160, 50, 70))
    elif kind == "table":
        pen.rect(0, 0, 1, h, (214, 222, 206), None)
        wx = rng.uniform(0.1, 0.6)
        pen.rect(wx, 0.06, wx + 0.3, 0.4, (250, 250, 250))
        pen.rect(wx + 0.02, 0.08, wx + 0.28, 0.38, (150, 210, 246), None)
        pen.line([(wx + 0.15, 0.08), (wx + 0.15, 0.38)], (250, 250, 250), 0.02)
        pen.rect(0, 0.78, 1, 1, (164, 104, 56), (96, 56, 28))
        for y in (0.85, 0.92):
            pen.line([(0, y), (1, y)], (128, 76, 38), 0.01)
    elif kind == "kitchen":
        pen.rect(0, 0, 1, 1, (232, 238, 240), None)
        for k in range(8):
            pen.line([(0.14 * k, 0.26), (0.14 * k, 0.8)], (160, 190, 200), 0.012)
            pen.line([(0, 0.26 + 0.1 * k), (1, 0.26 + 0.1 * k)], (160, 190, 200), 0.012)
        for k in range(3):
            pen.rect(0.02 + 0.33 * k, 0.0, 0.31 + 0.33 * k, 0.24, (92, 140, 132))
            pen.rect(0.26 + 0.33 * k, 0.12, 0.28 + 0.33 * k, 0.2, (230, 230, 230), None)
        pen.rect(0, 0.8, 1, 1, (88, 92, 100))
    elif kind == "party":
        pen.rect(0, 0, 1, 1, (92, 56, 128), None)
        pen.line([(0, 0.06), (0.5, 0.16), (1, 0.06)], (250, 250, 250), 0.012)
        for k in range(8):
            x, y = 0.06 + 0.125 * k, 0.16 - 0.2 * abs(0.44 - 0.125 * k)
            tint = ((250, 90, 90), (90, 210, 250), (250, 220, 80), (120, 230, 120))[k % 4]
            pen.poly([(x - 0.045, y), (x + 0.045, y), (x, y + 0.12)], tint, None)
        for x, y, k in zip(rng.uniform(0, 1, 40), rng.uniform(0.25, 0.8, 40), rng.integers(0, 4, 40), strict=True):
            pen.disc(x, y, 0.012, ((250, 90, 90), (90, 210, 250), (250, 220, 80), (120, 230, 120))[k], None)
        pen.rect(0, 0.82, 1, 1, (240, 236, 246), (180, 170, 200))


def _jitter(colour: RGB, rng: np.random.Generator) -> RGB:
    return shade(colour, rng.uniform(0.9, 1.1))


def render(factors: Mapping[str, str], rng: np.random.Generator) -> Image.Image:
    """Paint a scene: the factors fix what is seen, the random state everything that captions do not say.

    Returns
    -------
    PIL.Image.Image
        RGB, 128 × 128 pixels.
    """
    canvas = Image.new("RGB", (_S, _S))
    whole = Pen(ImageDraw.Draw(canvas), 0, 0, _S, _S)
    weather, kind = factors["weather"], factors["background"]
    horizon = rng.uniform(0.5, 0.62)
    _sky(whole, weather, rng)
    _background(whole, kind, horizon, rng)
    if weather == "night":  # dusk over everything but the lights of the sky
        canvas = Image.fromarray((np.asarray(canvas) * np.array([0.5, 0.52, 0.68])).astype(np.uint8))
        whole = Pen(ImageDraw.Draw(canvas), 0, 0, _S, _S)
    if weather != "none" and kind not in ("room", "table", "kitchen", "party"):
        _luminary(whole, weather, rng)
    _foreground(whole.draw, factors, rng)
    if weather == "rain":
        for x, y in zip(rng.uniform(0, 1, 46), rng.uniform(0, 1, 46), strict=True):
            whole.line([(x, y), (x - 0.022, y + 0.075)], (206, 222, 240), 0.011)
    pixels = np.asarray(canvas.reduce(2), dtype=np.float32)
    noisy = pixels * rng.uniform(0.92, 1.08) + rng.normal(0, 4, (SIZE, SIZE, 1))
    return Image.fromarray(noisy.clip(0, 255).astype(np.uint8))


def _foreground(draw: ImageDraw.ImageDraw, factors: Mapping[str, str], rng: np.random.Generator) -> None:
    subject, prop, two = factors["subject"], factors["prop"], factors["count"] == "two"
    beside = prop not in ("none", *_ON_SUBJECT)
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
            prop_beside(Pen(draw, px * _S, 0.28 * _S, side * _S, 0.4 * _S), prop)
        else:
            prop_beside(Pen(draw, px * _S, (foot + 0.03 - ph) * _S, side * _S, ph * _S), prop)
    for k in range(2 if two else 1):
        dy = rng.uniform(-0.03, 0.03) if two else 0.0
        pen = Pen(draw, (x + k * width * 1.02) * _S, (foot + dy - height) * _S, width * _S, height * _S, flip)
        colour = _jitter(PALETTE[factors["colour"]], rng)
        head = DRAWERS[subject](pen, subject, factors["action"], colour, rng)
        if prop in _ON_SUBJECT:
            prop_on(pen, prop, head)
