"""The picture of an Inspector: image with its map, response, grid of layers and heads, and what an edit changed."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image, ImageDraw

from ..types.colours import colours
from .lettering import font_of, write
from .picture import ACCENT, GAP, HEAD, INK, LINE, MARGIN, MUTED, SIZE, SOFT, Picture

SIDE = 430  # pixels of the image
RIGHT = MARGIN + SIDE + 3 * GAP  # where the second column begins
N_WORDS = 60
N_ROWS, ROW = 5, 24  # of a ledger
TITLES = {
    "attention": "Attention to the image",
    "contribution": "Direct logit attribution",
    "knockout": "Attention knockout",
    "writers": "Heads that write the concept",
}


@dataclass(frozen=True)
class InspectorPicture(Picture):
    """What the picture of an Inspector shows.

    Attributes
    ----------
    image : PIL.Image.Image
        The image.
    boxes : (n_patches, 4)
        Patches, as shares of the image; NaN where there is none.
    values : (n_patches,)
        The map, or None.
    selected
        Selected patches.
    caption
        Text below the image.
    words
        Text, probability, and whether it is the target, per word of the response.
    grid : (n_layers, n_heads)
        Values, or None; ``grid_title`` is above it, and ``cell`` is selected.
    parts
        Name and value of the strongest parts; ``parts_title`` is above them.
    lines
        Further lines, such as the response under the edits.
    """

    image: Any = None
    boxes: Any = None
    values: Any = None
    selected: Sequence[int] = ()
    caption: str = ""
    words: Sequence[tuple[str, float, bool]] = ()
    grid: Any = None
    grid_title: str = ""
    cell: tuple[int, int] = (-1, -1)
    parts: Sequence[tuple[str, float]] = ()
    parts_title: str = ""
    lines: Sequence[str] = ()

    def body(self, sheet: Image.Image, pen: ImageDraw.ImageDraw) -> None:
        """Draw what is below the header.

        Parameters
        ----------
        sheet, pen
            The picture, and what draws on it.
        """
        self._image(sheet, pen)
        y = self._response(pen, HEAD + 34) + 20
        y = self._grid(pen, y)
        y = self._ledger(pen, y)
        for line in self.lines:
            write(pen, (RIGHT, y + 16), line, 15, INK, width=SIZE[0] - MARGIN - RIGHT)
            y += 22

    def _image(self, sheet: Image.Image, pen: ImageDraw.ImageDraw) -> None:
        top = HEAD + 12
        scale = min(SIDE / self.image.width, SIDE / self.image.height)
        size = (max(1, round(self.image.width * scale)), max(1, round(self.image.height * scale)))
        picture = self.image.convert("RGB").resize(size, Image.Resampling.LANCZOS)
        if self.values is not None and self.boxes is not None:
            picture = _overlaid(picture, self.boxes, self.values, self.selected)
        place = (MARGIN + (SIDE - size[0]) // 2, top + (SIDE - size[1]) // 2)
        pen.rectangle((MARGIN, top, MARGIN + SIDE, top + SIDE), SOFT)
        sheet.paste(picture, place)
        for i, line in enumerate(self.caption.split("\n")[:3]):
            write(pen, (MARGIN, top + SIDE + 22 + 20 * i), line, 15, MUTED, width=SIDE)

    def _response(self, pen: ImageDraw.ImageDraw, y: int) -> int:
        x = float(RIGHT)
        lines = 0
        for text, probability, target in self.words[:N_WORDS]:
            value = f"{probability:.2f}".lstrip("0") if probability < 0.995 else "1.0"
            width = font_of(text, 18, target).getlength(text) + font_of(value, 11).getlength(value) + 16
            if x + width > SIZE[0] - MARGIN and x > RIGHT:
                x, y, lines = float(RIGHT), y + 30, lines + 1
                if lines == 3:
                    break
            x += write(pen, (x, y), text, 18, ACCENT if target else INK, bold=target, width=SIZE[0] - MARGIN - x) + 3
            x += write(pen, (x, y), value, 11, MUTED) + 13
        return y

    def _grid(self, pen: ImageDraw.ImageDraw, y: int) -> int:
        if self.grid is None or not np.size(self.grid):
            return y
        write(pen, (RIGHT, y + 14), self.grid_title, 15, MUTED, width=SIZE[0] - MARGIN - RIGHT)
        top, (n_layers, n_heads) = y + 24, self.grid.shape
        high, wide = min(24, 200 // n_layers), min(60, (SIZE[0] - MARGIN - RIGHT - 40) // n_heads)
        limit = float(np.nanmax(np.abs(self.grid))) or 1.0
        shades = colours(self.grid / limit)
        for row in range(n_layers):
            below = top + row * max(high, 1)
            if high >= 12:
                write(pen, (RIGHT + 24, below + high - 4), str(row + 1), 11, MUTED, anchor="rs")
            for head in range(n_heads):
                left = RIGHT + 32 + head * max(wide, 1)
                red, green, blue, alpha = shades[row, head]
                fill = tuple(round(255 * (alpha * c + 1 - alpha)) for c in (red, green, blue))
                chosen = (row + 1, head) == self.cell
                pen.rectangle(
                    (left, below, left + wide - 1, below + high - 1),
                    fill,
                    ACCENT if chosen else LINE,
                    2 if chosen else 1,
                )
        return top + n_layers * max(high, 1) + 18

    def _ledger(self, pen: ImageDraw.ImageDraw, y: int) -> int:
        fits = max(0, (SIZE[1] - 40 - 22 * len(self.lines) - y - 24) // ROW)
        rows = self.parts[: min(N_ROWS, fits)]
        if not rows:
            return y
        write(pen, (RIGHT, y + 14), self.parts_title, 15, MUTED, width=SIZE[0] - MARGIN - RIGHT)
        limit = max(abs(value) for _, value in rows) or 1.0
        start, end = RIGHT + 150, SIZE[0] - MARGIN - 80
        for i, (name, value) in enumerate(rows):
            middle = y + 36 + i * ROW
            write(pen, (RIGHT, middle + 5), name, 15, INK, width=140)
            pen.rounded_rectangle((start, middle - 5, end, middle + 5), 5, SOFT)
            red, green, blue, _ = colours(np.array(np.sign(value)))
            bar = start + max(6, round(abs(value) / limit * (end - start)))
            pen.rounded_rectangle(
                (start, middle - 5, bar, middle + 5), 5, tuple(round(255 * c) for c in (red, green, blue))
            )
            write(pen, (SIZE[0] - MARGIN, middle + 5), f"{value:+.2f}".replace("-", "−"), 15, INK, anchor="rs")
        return y + 36 + len(rows) * ROW


def _overlaid(image: Image.Image, boxes: np.ndarray, values: np.ndarray, selected: Sequence[int]) -> Image.Image:
    """The image in grey under its map, with the selected patches outlined."""
    grey = np.asarray(image.convert("L").convert("RGB"), float) / 255
    limit = float(np.nanmax(np.abs(values))) or 1.0
    shades = colours(values / limit)
    scale = np.array([image.width, image.height] * 2)
    for box, (red, green, blue, alpha) in zip(boxes, shades, strict=True):
        if np.isfinite(box).all():
            x0, y0, x1, y1 = np.round(box * scale).astype(int)
            grey[y0:y1, x0:x1] = alpha * np.array([red, green, blue]) + (1 - alpha) * grey[y0:y1, x0:x1]
    picture = Image.fromarray((255 * grey).round().astype(np.uint8))
    pen = ImageDraw.Draw(picture)
    for k in selected:
        if np.isfinite(boxes[k]).all():
            pen.rectangle(tuple(np.round(boxes[k] * scale).tolist()), None, ACCENT, 3)
    return picture


def inspector_picture(view: Any) -> InspectorPicture:
    """Arrange the picture of an Inspector's present state, of what was measured.

    Parameters
    ----------
    view
        The :class:`nbtoolkit.widgets.Inspector`.
    """
    meta, side = view._meta, view._meta["sides"]["a"]
    measured = view.measurements
    values, caption = _map(view, measured)
    boxes = None if side["geometry"] is None else np.array(side["geometry"]["boxes"], float).reshape(-1, 4)
    grid, title = _grid(view, measured)
    foil = f" − {view.foil}" if view.foil else ""
    question = f" · {side['question']}" if side["question"] else ""
    n_edits = f" · {len(view.edits)} edit{'s'[: len(view.edits) != 1]}" if view.edits else ""
    parts = _parts(measured)
    return InspectorPicture(
        title=f"“{view.target}”{foil}",
        about=f"{meta['model']}{question} · layer {view.layer}{n_edits}",
        cards=(),
        image=Image.open(io.BytesIO(base64.b64decode(side["image"].partition(",")[2]))),
        boxes=boxes,
        values=values,
        selected=view.patches,
        caption=caption,
        words=[(word["text"], word["probability"], word["key"] == view.target) for word in side["words"]],
        grid=grid,
        grid_title=title,
        cell=(view.layer if view.layer is not None else -1, view.head if view.head is not None else -1),
        parts=parts,
        parts_title="Direct logit attribution: strongest heads" if parts else "",
        lines=_lines(view),
    )


def _map(view: Any, measured: dict[str, Any]) -> tuple[np.ndarray | None, str]:
    """Values of the selected map per patch, and the text below the image."""
    layer, side = view.layer or view._meta["n_layers"], view._meta["sides"]["a"]
    name = {"head": "attention", "concept": f"concept:{layer}:{view.concept}"}.get(view.metric, view.metric)
    if name not in measured or side["geometry"] is None:
        return None, side["geometry"]["sentence"] if side["geometry"] else side["no_grid"]
    m = measured[name]
    array = m.values
    if name == "attention":
        layers = [layer] if view.layer else array["layer"].values
        array = array.sel(layer=[i for i in layers if i in array["layer"].values])
        array = array.sel(head=view.head).mean("layer") if view.head is not None else array.mean(["layer", "head"])
    elif name == "lens":
        places = [p for p in side["geometry"]["positions"] if p in array["position"].values]
        array = array.sel(layer=view.layer if view.layer is not None else layer, position=places)
    values = np.asarray(array.values, float).ravel()
    if values.size != len(side["geometry"]["positions"]):
        return None, side["geometry"]["sentence"]
    caption = f"{view.metric}, {m.unit}: {values.min():.3g} … {values.max():.3g}"
    if name == "lens":
        values = values - values.min()
    facts = view.faithfulness.get(view._of("faithfulness"), {})
    tested = [
        f"{kind} {facts[kind]:.2f} (random {facts[f'random_{kind}']:.2f})".replace("-", "−")
        for kind in ("deletion", "insertion")
        if kind in facts
    ]
    return values, "\n".join(s for s in (caption, " · ".join(tested), side["geometry"]["sentence"]) if s)


def _grid(view: Any, measured: dict[str, Any]) -> tuple[np.ndarray | None, str]:
    layer = view.layer or view._meta["n_layers"]
    name = f"writers:{layer}:{view.concept}" if view.grid == "writers" else view.grid
    if name not in measured:
        return None, ""
    m, title = measured[name], f"{TITLES[view.grid]}: layers × heads"
    array = m.values
    if name == "attention":
        array = array.isel(patch=view.patches or slice(None)).sum("patch")
        title += ", to the selected patches" if view.patches else ""
    return np.asarray(array.transpose("layer", "head").values, float), f"{title} ({m.unit})"


def _parts(measured: dict[str, Any]) -> list[tuple[str, float]]:
    if "contribution" not in measured:
        return []
    array = measured["contribution"].values.transpose("layer", "head")
    order = np.argsort(-np.abs(array.values).ravel(), kind="stable")[:N_ROWS]
    places = [np.unravel_index(int(i), array.shape) for i in order]
    return [(f"L{int(array['layer'][a])}.H{int(array['head'][b])}", float(array.values[a, b])) for a, b in places]


def _lines(view: Any) -> list[str]:
    answer = view._answer()
    if answer is None:
        return []
    before, after = answer["before"], answer["after"]
    return [
        f"Under the edits: {after['response']}",
        f"p {before['probability']:.3f} → {after['probability']:.3f}, Δ log p {after['log_prob'] - before['log_prob']:+.2f} nats",
    ]
