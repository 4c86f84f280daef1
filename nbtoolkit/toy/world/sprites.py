"""Subjects of the embedded world, drawn in a unit box with their feet at y = 1: one drawing per value of the factor ``subject``."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial

import numpy as np

from .pen import INK, PALETTE, RGB, SKINS, Pen, shade


def _snooze(pen: Pen, x: float, y: float) -> None:
    for k, size in enumerate((0.07, 0.1)):
        ox, oy = x + 0.1 * k, y - 0.16 * k
        zed = [(ox, oy), (ox + size, oy), (ox, oy + size), (ox + size, oy + size)]
        pen.line(zed, INK, 0.07)
        pen.line(zed, (250, 250, 255), 0.035)


def _speed(pen: Pen, ys: Sequence[float], x: float = 0.0) -> None:
    for k, y in enumerate(ys):
        trail = [(x - 0.16 + 0.05 * (k % 2), y), (x + 0.02, y)]
        pen.line(trail, INK, 0.05)
        pen.line(trail, (250, 250, 250), 0.026)


def _animal_head(pen: Pen, kind: str, fur: RGB, x: float, y: float, *, asleep: bool) -> None:
    dark, light = shade(fur, 0.62), shade(fur, 1.35)
    if kind == "dog":  # long snout, hanging ears, red collar
        pen.rect(x - 0.13, y + 0.1, x + 0.02, y + 0.17, PALETTE["red"])
        pen.ellipse(x, y, 0.125, 0.145, fur)
        pen.ellipse(x + 0.14, y + 0.05, 0.12, 0.075, light)
        pen.ellipse(x + 0.25, y + 0.02, 0.03, 0.032, INK)
        pen.ellipse(x - 0.08, y + 0.06, 0.055, 0.165, dark)
        if not asleep:
            pen.line([(x + 0.17, y + 0.11), (x + 0.18, y + 0.19)], (240, 110, 120), 0.045)
    elif kind == "cat":  # round head, pointed ears, whiskers
        pen.poly([(x - 0.13, y - 0.02), (x - 0.12, y - 0.27), (x, y - 0.1)], fur)
        pen.poly([(x + 0.13, y - 0.02), (x + 0.12, y - 0.27), (x, y - 0.1)], fur)
        pen.poly([(x - 0.105, y - 0.08), (x - 0.1, y - 0.2), (x - 0.04, y - 0.11)], (246, 170, 180), None)
        pen.poly([(x + 0.105, y - 0.08), (x + 0.1, y - 0.2), (x + 0.04, y - 0.11)], (246, 170, 180), None)
        pen.ellipse(x, y, 0.14, 0.14, fur)
        whisker: RGB = (250, 250, 250) if sum(fur) < 450 else INK
        for dy in (-0.02, 0.04):
            pen.line([(x + 0.05, y + 0.04), (x + 0.25, y + 0.04 + dy * 1.6)], whisker, 0.016)
            pen.line([(x - 0.05, y + 0.04), (x - 0.25, y + 0.04 + dy * 1.6)], whisker, 0.016)
        pen.poly([(x - 0.025, y + 0.02), (x + 0.025, y + 0.02), (x, y + 0.055)], (240, 120, 140), None)
    else:  # bear: wide head, small round ears, broad pale muzzle
        for side in (-0.14, 0.14):
            pen.ellipse(x + side, y - 0.15, 0.06, 0.07, dark)
        pen.ellipse(x, y, 0.185, 0.18, fur)
        pen.ellipse(x + 0.03, y + 0.08, 0.105, 0.085, (224, 190, 146))
        pen.ellipse(x + 0.03, y + 0.045, 0.045, 0.032, INK)
    eyes = {"dog": (0.03,), "cat": (-0.06, 0.06), "bear": (-0.07, 0.11)}[kind]
    for ex in eyes:
        if asleep:
            pen.line([(x + ex - 0.03, y - 0.03), (x + ex + 0.03, y - 0.03)], INK, 0.022)
        else:
            pen.ellipse(x + ex, y - 0.04, 0.03, 0.034, (250, 250, 240), None)
            pen.ellipse(x + ex + 0.006, y - 0.04, 0.017, 0.022, (30, 120, 60) if kind == "cat" else INK, None)


def _tail(pen: Pen, kind: str, fur: RGB, x: float, y: float) -> None:
    if kind == "dog":
        pen.poly([(x + 0.05, y + 0.03), (x - 0.1, y - 0.2), (x - 0.04, y - 0.22), (x + 0.09, y - 0.04)], fur)
    elif kind == "cat":
        curl = [(x + 0.03, y), (x - 0.1, y - 0.04), (x - 0.13, y - 0.2), (x - 0.06, y - 0.34), (x - 0.01, y - 0.3)]
        pen.line(curl, INK, 0.07)
        pen.line(curl, shade(fur, 1.15), 0.045)


_LEGS: dict[bool, tuple[tuple[float, float], ...]] = {  # x of the top and the foot of each leg
    True: ((0.3, 0.04), (0.36, 0.2), (0.66, 0.88), (0.72, 0.99)),  # running
    False: ((0.28, 0.28), (0.38, 0.38), (0.62, 0.62), (0.72, 0.72)),
}


def _sitting(pen: Pen, kind: str, fur: RGB, bulk: float, leg: float) -> tuple[float, float]:
    _tail(pen, kind, fur, 0.27, 0.9)
    pen.ellipse(0.44, 0.74, 0.2 * bulk, 0.25, fur)
    pen.ellipse(0.52, 0.6, 0.14 * bulk, 0.27, fur)
    for lx in (0.52, 0.62):
        pen.rect(lx - leg, 0.68, lx + leg, 0.98, fur)
    pen.ellipse(0.36, 0.92, 0.15, 0.075, shade(fur, 0.72))
    return 0.58, 0.3


def _sleeping(pen: Pen, kind: str, fur: RGB, bulk: float, _leg: float) -> tuple[float, float]:
    _tail(pen, kind, fur, 0.12, 0.9)
    pen.ellipse(0.42, 0.82, 0.36, 0.165 * min(bulk, 1.2), fur)
    pen.ellipse(0.6, 0.94, 0.15, 0.05, shade(fur, 0.72))
    _snooze(pen, 0.74, 0.5)
    return 0.72, 0.8


def _on_legs(pen: Pen, kind: str, fur: RGB, bulk: float, leg: float, *, run: bool) -> tuple[float, float]:
    y, ry, foot_y = (0.55, 0.15 * bulk, 0.9) if run else (0.58, 0.16 * bulk, 0.98)
    for k, (top, foot) in enumerate(_LEGS[run]):
        tone = shade(fur, 0.72) if k % 2 else fur
        pen.poly([(top - leg, y), (top + leg, y), (foot + leg, foot_y), (foot - leg, foot_y)], tone)
    _tail(pen, kind, fur, 0.2, y - 0.02)
    pen.ellipse(0.49, y, 0.31, ry, fur)
    if kind == "bear":
        pen.ellipse(0.56, y - 0.1, 0.2, 0.16, fur, None)
    pen.poly([(0.62, y - 0.1), (0.74, y + 0.08), (0.86, 0.42), (0.7, 0.34)], fur, None)
    if run:
        _speed(pen, (0.42, 0.55, 0.68), x=0.08)
    return 0.78, 0.36 if run else 0.34


# action -> drawing(pen, kind, fur, bulk, half the width of a leg), which returns the middle of the head
_POSES: Mapping[str, Callable[[Pen, str, RGB, float, float], tuple[float, float]]] = {
    "sitting": _sitting,
    "sleeping": _sleeping,
    "standing": partial(_on_legs, run=False),
    "running": partial(_on_legs, run=True),
}
_STRIPES = {"sitting": (0.44, 0.72), "sleeping": (0.4, 0.8), "standing": (0.48, 0.54), "running": (0.48, 0.54)}


def _animal(pen: Pen, kind: str, action: str, fur: RGB, _rng: np.random.Generator) -> tuple[float, float]:
    """Draw a dog, a cat or a bear."""
    bulk = {"dog": 1.0, "cat": 0.82, "bear": 1.35}[kind]
    leg = {"dog": 0.038, "cat": 0.03, "bear": 0.06}[kind]
    x, y = _POSES[action](pen, kind, fur, bulk, leg)
    if kind == "cat":  # tabby stripes
        cx, cy = _STRIPES[action]
        stripe = shade(fur, 0.5 if sum(fur) > 200 else 2.0)
        for dx in (-0.1, 0.0, 0.1):
            pen.line([(cx + dx, cy - 0.1), (cx + dx - 0.02, cy + 0.04)], stripe, 0.03)
    _animal_head(pen, kind, fur, x, y, asleep=action == "sleeping")
    return x, y - {"dog": 0.13, "cat": 0.14, "bear": 0.17}[kind]


def _baby(pen: Pen, _kind: str, action: str, colour: RGB, rng: np.random.Generator) -> tuple[float, float]:
    """Draw a baby in clothes of the given colour."""
    skin = SKINS[rng.integers(len(SKINS))]
    if action == "sitting":
        head = (0.5, 0.32)
        for side in (-1, 1):
            pen.ellipse(0.5 + 0.2 * side, 0.9, 0.17, 0.08, colour)
            pen.ellipse(0.5 + 0.36 * side, 0.9, 0.06, 0.07, skin)
            pen.ellipse(0.5 + 0.22 * side, 0.64, 0.06, 0.13, skin)
        pen.ellipse(0.5, 0.7, 0.2, 0.24, colour)
    elif action == "standing":
        head = (0.5, 0.24)
        for side in (-1, 1):
            pen.rect(0.5 + 0.1 * side - 0.06, 0.72, 0.5 + 0.1 * side + 0.06, 0.95, skin)
            pen.line([(0.5 + 0.13 * side, 0.52), (0.5 + 0.34 * side, 0.3)], skin, 0.09)
        pen.rect(0.34, 0.44, 0.66, 0.8, colour)
    elif action == "crawling":
        head = (0.8, 0.5)
        pen.ellipse(0.42, 0.66, 0.33, 0.17, colour)
        for x, tone in ((0.2, colour), (0.62, skin)):
            pen.rect(x - 0.07, 0.72, x + 0.07, 0.97, tone)
        pen.ellipse(0.1, 0.92, 0.1, 0.06, skin)
    else:
        head = (0.78, 0.78)
        pen.ellipse(0.38, 0.86, 0.36, 0.12, colour)
        pen.rect(0.06, 0.84, 0.5, 0.98, shade(colour, 0.8))
        _snooze(pen, 0.74, 0.42)
    hx, hy = head
    pen.disc(hx, hy, 0.2, skin)
    pen.ellipse(hx, hy - 0.17, 0.05, 0.05, (92, 60, 40))
    pen.ellipse(hx + 0.1, hy + 0.06, 0.04, 0.03, (240, 140, 140), None)
    for ex in (-0.06, 0.08):
        if action == "sleeping":
            pen.line([(hx + ex - 0.03, hy), (hx + ex + 0.03, hy)], INK, 0.022)
        else:
            pen.ellipse(hx + ex, hy - 0.01, 0.022, 0.03, INK, None)
    return hx, hy - 0.2


def _windows(
    pen: Pen, spans: Sequence[tuple[float, float]], y0: float, y1: float, *, full: bool, rng: np.random.Generator
) -> None:
    for x0, x1 in spans:
        pen.rect(x0, y0, x1, y1, (196, 228, 246))
        if full:
            cx, r = (x0 + x1) / 2, (y1 - y0) * 0.3
            pen.rect(x0 + 0.012, y1 - r, x1 - 0.012, y1, (60, 40, 90), None)
            pen.disc(cx, y1 - 1.6 * r, r, SKINS[rng.integers(len(SKINS))])


def _wheels(pen: Pen, xs: Sequence[float], y: float, r: float) -> None:
    for x in xs:
        pen.disc(x, y, r, (40, 40, 44))
        pen.disc(x, y, r * 0.45, (190, 190, 196), None)


def _vehicle(pen: Pen, kind: str, action: str, colour: RGB, rng: np.random.Generator) -> tuple[float, float]:
    """Draw a bus, train or car; driving adds speed lines, full adds people behind the windows."""
    full, dark = action == "full", shade(colour, 0.7)
    if kind == "bus":  # one tall box, two rows of windows, a door
        pen.rect(0.03, 0.1, 0.97, 0.86, colour)
        pen.rect(0.03, 0.47, 0.97, 0.53, dark, None)
        _windows(pen, [(0.07 + 0.18 * k, 0.2 + 0.18 * k) for k in range(5)], 0.16, 0.42, full=full, rng=rng)
        _windows(pen, [(0.07 + 0.18 * k, 0.2 + 0.18 * k) for k in range(4)], 0.55, 0.72, full=full, rng=rng)
        pen.rect(0.82, 0.55, 0.92, 0.86, shade(colour, 1.25))
        _wheels(pen, (0.22, 0.74), 0.87, 0.11)
    elif kind == "train":  # two carriages with a slanted nose, pantograph, rails
        pen.line([(-0.1, 0.93), (1.1, 0.93)], (90, 84, 80), 0.04)
        for k in range(8):
            pen.line([(-0.06 + 0.16 * k, 0.9), (-0.06 + 0.16 * k, 1.0)], (104, 72, 50), 0.05)
        pen.line([(0.2, 0.32), (0.27, 0.16), (0.34, 0.32)], INK, 0.03)
        pen.line([(-0.05, 0.14), (1.05, 0.14)], INK, 0.018)
        pen.rect(-0.02, 0.34, 0.46, 0.8, colour)
        pen.poly([(0.5, 0.34), (0.82, 0.34), (1.02, 0.7), (1.02, 0.8), (0.5, 0.8)], colour)
        pen.rect(0.45, 0.6, 0.51, 0.76, INK, None)
        pen.rect(-0.02, 0.66, 1.0, 0.71, (250, 246, 236), None)
        _windows(pen, [(0.02 + 0.145 * k, 0.13 + 0.145 * k) for k in range(3)], 0.41, 0.6, full=full, rng=rng)
        _windows(pen, [(0.53, 0.64), (0.67, 0.78)], 0.41, 0.6, full=full, rng=rng)
        pen.poly([(0.82, 0.42), (0.86, 0.42), (0.95, 0.58), (0.82, 0.58)], (196, 228, 246))
        _wheels(pen, (0.06, 0.16, 0.3, 0.4, 0.56, 0.66, 0.82, 0.92), 0.85, 0.05)
    else:  # car: low body, cabin, two wheels
        pen.poly([(0.2, 0.56), (0.32, 0.28), (0.68, 0.28), (0.82, 0.56)], colour)
        pen.rect(0.02, 0.54, 0.98, 0.82, colour)
        pen.rect(0.02, 0.7, 0.98, 0.75, dark, None)
        _windows(pen, [(0.31, 0.48), (0.52, 0.7)], 0.34, 0.54, full=full, rng=rng)
        pen.ellipse(0.94, 0.62, 0.03, 0.05, (252, 240, 150))
        _wheels(pen, (0.24, 0.77), 0.84, 0.14)
    if action == "driving":
        _speed(pen, (0.36, 0.5, 0.64, 0.78), x=-0.04)
        for k, r in enumerate((0.05, 0.07)):
            pen.disc(-0.07 - 0.09 * k, 0.9 - 0.05 * k, r, (214, 214, 218), None)
    return 0.5, 0.1


def _cake(pen: Pen, _kind: str, action: str, colour: RGB, rng: np.random.Generator) -> tuple[float, float]:
    """Draw a whole, sliced or layered cake on a plate."""
    sponge, plate = (228, 184, 116), (236, 240, 246)
    pen.ellipse(0.5, 0.92, 0.5, 0.075, plate)
    tiers = (
        ((0.1, 0.9, 0.66, 0.92), (0.22, 0.78, 0.42, 0.68), (0.33, 0.67, 0.2, 0.44))
        if action == "layered"
        else ((0.12, 0.88, 0.46, 0.92),)
    )
    for x0, x1, y0, y1 in tiers:
        rx = (x1 - x0) / 2
        pen.rect(x0, y0, x1, y1, colour, None)
        pen.ellipse(0.5, y1, rx, 0.05, colour)
        pen.rect(x0, (y0 + y1) / 2, x1, (y0 + y1) / 2 + 0.05, shade(colour, 0.72), None)
        pen.line([(x0, y0), (x0, y1)], INK, 0.014)
        pen.line([(x1, y0), (x1, y1)], INK, 0.014)
        pen.ellipse(0.5, y0, rx, 0.07, shade(colour, 1.18))
    if action == "sliced":
        pen.poly([(0.5, 0.44), (0.98, 0.36), (0.98, 0.97), (0.6, 0.97)], plate, None)
        pen.poly([(0.5, 0.46), (0.64, 0.5), (0.64, 0.95), (0.5, 0.92)], sponge)
        pen.rect(0.5, 0.68, 0.64, 0.73, shade(colour, 0.9), None)
        pen.poly([(0.74, 0.98), (1.02, 0.98), (1.02, 0.74), (0.74, 0.86)], sponge)
        pen.line([(0.74, 0.86), (1.02, 0.74)], colour, 0.06)
    return 0.5, tiers[-1][2]


# subject -> drawing(pen, subject, action, colour, random state), which returns where a hat sits, (x, y) in the unit box
DRAWERS: Mapping[str, Callable[[Pen, str, str, RGB, np.random.Generator], tuple[float, float]]] = {
    "dog": _animal,
    "cat": _animal,
    "bear": _animal,
    "baby": _baby,
    "bus": _vehicle,
    "train": _vehicle,
    "car": _vehicle,
    "cake": _cake,
}
