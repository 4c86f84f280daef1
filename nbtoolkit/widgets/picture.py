"""A view as one picture of 1200 × 630 pixels, drawn without a browser: what a reopened notebook shows and people send around."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass

from PIL import Image, ImageDraw

from ..data.images import NO_IMAGE, middle_square
from ..storage.study import Sample
from ..strict_json import visible
from .lettering import LONGEST, font_of, write
from .thumbnails import decoded

SIZE = (1200, 630)  # of a link's picture on the usual sites
INK, MUTED, LINE, SOFT, ACCENT = "#1b1f24", "#57606a", "#d0d7de", "#f3f5f8", "#0b6bcb"
MARGIN, HEAD, GAP = 26, 74, 12
CARD, TILE = 128, 88  # pixels: height of a card, side of its images
LEFT = 726  # right end of the cards
N_CARDS, N_TILES = 4, 7


@dataclass(frozen=True)
class Card:
    """A concept in the picture.

    Attributes
    ----------
    name, text, value
        Bold, grey beside it, and bold at the right end.
    samples
        Their images are shown.
    colour
        Of the card's left edge; none where empty.
    """

    name: str
    text: str
    samples: Sequence[Sample]
    value: str = ""
    colour: str = ""


@dataclass(frozen=True)
class Picture:
    """What the picture shows.

    Attributes
    ----------
    title, about
        Bold and grey text of the header.
    cards
        Concepts; the first four of each column are drawn.
    curve, at
        Score per layer, None where there is none, and the place of the selected layer.
    score
        Text beside the curve.
    sample
        The selected one; where None, the cards have two columns.
    bars
        Name, activation and colour of its strongest concepts.
    rest
        Share of the state that no concept explains, 0 to 1, no unit.
    """

    title: str
    about: str
    cards: Sequence[Card]
    curve: Sequence[float | None] = ()
    at: int = 0
    score: str = ""
    sample: Sample | None = None
    bars: Sequence[tuple[str, float, str]] = ()
    rest: float | None = None

    def body(self, sheet: Image.Image, pen: ImageDraw.ImageDraw) -> None:
        """Draw what is below the header.

        Parameters
        ----------
        sheet, pen
            The picture, and what draws on it.
        """
        if self.sample is None:
            middle = SIZE[0] // 2
            for i, card in enumerate(self.cards[: 2 * N_CARDS]):
                left = MARGIN if i % 2 == 0 else middle + GAP
                right = middle if i % 2 == 0 else SIZE[0] - MARGIN
                _card(sheet, pen, card, (left, HEAD + 8 + (i // 2) * (CARD + 6), right))
            return
        for i, card in enumerate(self.cards[:N_CARDS]):
            _card(sheet, pen, card, (MARGIN, HEAD + 8 + i * (CARD + 6), LEFT))
        _detail(sheet, pen, self)


def draw(picture: Picture) -> Image.Image:
    """Draw the picture.

    Parameters
    ----------
    picture
        What it shows.

    Returns
    -------
    PIL.Image.Image
        RGB, 1200 × 630 pixels.
    """
    sheet = Image.new("RGB", SIZE, "white")
    pen = ImageDraw.Draw(sheet)
    _header(pen, picture)
    picture.body(sheet, pen)
    write(pen, (SIZE[0] - MARGIN, SIZE[1] - 8), "nbtoolkit", 12, MUTED, anchor="rs")
    return sheet


def as_jpeg(picture: Picture, width: int = SIZE[0]) -> bytes:
    """Draw the picture and encode it as JPEG, a fifth of a PNG's size.

    Parameters
    ----------
    picture
        What it shows.
    width
        Pixels.
    """
    image = draw(picture)
    return encoded(image.resize((width, round(width * SIZE[1] / SIZE[0])), Image.Resampling.LANCZOS), "JPEG")


def encoded(image: Image.Image, kind: str = "PNG") -> bytes:
    """Encode the picture.

    Parameters
    ----------
    image
        The picture.
    kind
        ``"PNG"``, or ``"JPEG"``, which is a fifth as large.
    """
    buffer = io.BytesIO()
    image.save(buffer, kind, **({"quality": 72, "optimize": True} if kind == "JPEG" else {"optimize": False}))
    return buffer.getvalue()


def _header(pen: ImageDraw.ImageDraw, picture: Picture) -> None:
    right = SIZE[0] - MARGIN
    if len([v for v in picture.curve if v is not None]) > 1:
        right -= 190
        _sparkline(pen, picture, (right, 16, SIZE[0] - MARGIN, 58))
    if picture.score:
        right -= 10
        right -= round(write(pen, (right, 42), picture.score, 15, MUTED, anchor="rs", width=240)) + 16
    size = 32 if len(picture.title) < 24 else 20
    end = MARGIN + write(pen, (MARGIN, 47), picture.title, size, INK, bold=True, width=right - MARGIN - 60)
    write(pen, (end + 16, 46), picture.about, 16, MUTED, width=right - end - 16)
    pen.line((0, HEAD, SIZE[0], HEAD), LINE)


def _sparkline(pen: ImageDraw.ImageDraw, picture: Picture, box: tuple[int, int, int, int]) -> None:
    left, top, right, bottom = box
    values = [v for v in picture.curve if v is not None]
    low, high = min(values), max(values)
    step = (right - left - 12) / max(1, len(picture.curve) - 1)
    places = [
        (left + 6 + i * step, bottom - (bottom - top) * ((v - low) / (high - low) if high > low else 0.5))
        for i, v in enumerate(picture.curve)
        if v is not None
    ]
    pen.line(places, ACCENT, 2, joint="curve")
    for i, (x, y) in enumerate(places):
        r = 6 if i == picture.at else 3
        pen.ellipse((x - r, y - r, x + r, y + r), ACCENT if i == picture.at else "white", ACCENT, 2)


def _card(sheet: Image.Image, pen: ImageDraw.ImageDraw, card: Card, place: tuple[int, int, int]) -> None:
    left, top, right = place
    pen.rounded_rectangle((left, top, right, top + CARD), 8, "white", LINE)
    if card.colour:
        pen.rectangle((left, top + 8, left + 4, top + CARD - 8), card.colour)
    x, end = left + 16, right - 12
    if card.value:
        end -= round(write(pen, (end, top + 24), card.value, 17, INK, bold=True, anchor="rs")) + 12
    x += round(write(pen, (x, top + 24), card.name, 19, INK, bold=True, width=end - x)) + 10
    write(pen, (x, top + 24), card.text, 15, MUTED, width=end - x)
    fits = min(len(card.samples), N_TILES, (right - left - 28 + 6) // (TILE + 6))
    for i, sample in enumerate(card.samples[:fits]):
        _tile(sheet, sample, (left + 16 + i * (TILE + 6), top + CARD - TILE - 8), TILE)


def _tile(sheet: Image.Image, sample: Sample, place: tuple[int, int], side: int) -> None:
    image = decoded(sample)
    sheet.paste(NO_IMAGE if image is None else middle_square(image, side), (*place, place[0] + side, place[1] + side))


def _detail(sheet: Image.Image, pen: ImageDraw.ImageDraw, picture: Picture) -> None:
    """The selected image over its response and the bars of its concepts."""
    left, right, top, height = LEFT + 2 * GAP, SIZE[0] - MARGIN, HEAD + 8, 250
    width, sample = right - left, picture.sample
    assert sample is not None
    image = decoded(sample)
    if image is None:
        pen.rectangle((left, top, right, top + height), NO_IMAGE)
    else:
        scale = min(width / image.width, height / image.height)
        size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
        pen.rectangle((left, top, right, top + height), SOFT)
        place = (left + (width - size[0]) // 2, top + (height - size[1]) // 2)
        sheet.paste(image.resize(size, Image.Resampling.LANCZOS), place)
    y = _response(pen, sample, (left, top + height + 26, right))
    rows = [*picture.bars, *([] if picture.rest is None else [("unexplained", picture.rest, "")])]
    largest = max((abs(v) for _, v, _ in picture.bars), default=1.0) or 1.0
    step = min(30, (SIZE[1] - 30 - y) // max(1, len(rows)))
    for i, (name, value, colour) in enumerate(rows):
        middle = y + i * step + step // 2
        share = abs(value) / largest if colour else value
        text = f"{value:.2f}".replace("-", "−") if colour else f"{100 * value:.0f} %"
        write(pen, (left, middle + 6), name, 15, INK, width=130)
        pen.rounded_rectangle((left + 140, middle - 5, right - 62, middle + 5), 5, SOFT)
        if share > 0:
            end = left + 140 + max(6, round(min(1.0, share) * (right - 62 - left - 140)))
            pen.rounded_rectangle((left + 140, middle - 5, end, middle + 5), 5, colour or MUTED)
        write(pen, (right, middle + 6), text, 15, INK, anchor="rs")


def _response(pen: ImageDraw.ImageDraw, sample: Sample, place: tuple[int, int, int]) -> int:
    """Write the response on two lines at most, the token in the accent's colour; give the y below."""
    left, y, right = place
    pieces = sample.pieces or (sample.caption,)
    words = [(w, i == sample.position and bool(sample.pieces)) for i, p in enumerate(pieces) for w in p.split()]
    at = next((i for i, (_, token) in enumerate(words) if token), 0)
    words = words[max(0, at - 8) : at + 12]
    x, line = float(left), 0
    for word, token in words:
        length = font_of(word, 17, token).getlength(visible(word[:LONGEST])) + 6
        if x + length > right and x > left:
            x, line = float(left), line + 1
            if line == 2:
                break
        write(pen, (x, y + 24 * line), word, 17, ACCENT if token else INK, bold=token, width=right - left)
        x += length
    return y + 24 * min(line, 1) + 16
