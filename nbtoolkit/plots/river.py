"""The concept river: concepts of all layers as strips, joined where they are one thread."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated, Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import PathPatch, Rectangle
from matplotlib.path import Path
from PIL import Image

from ..data.images import NO_IMAGE, square
from ..errors import DataError, NbtoolkitError
from ..metrics.across_layers import Threads, threads
from ..metrics.sparsity import energy
from ..metrics.thread_colours import thread_colours
from ..storage.study import Study
from ..types import ConceptDictionary
from ..types.arguments import checked
from ..types.colours import THREADS
from ..types.layers import resolve_layers
from ..types.rules import Rule
from .style import new_figure, short

GAP, MARGIN, TIP = 0.03, 0.1, 0.12  # inches: between strips, around the river, of a tapered end
TOP, BOTTOM = 0.3, 0.42  # inches above and below the strips
WORD, PICTURE, LETTER = 0.085, 0.15, 0.047  # inches of height for a word and an image; width of a letter


class _Strip(NamedTuple):
    """A concept of a layer: its place in inches, its thread, and its colour."""

    layer: int
    concept: int
    thread: int
    x: float
    y: float
    width: float
    height: float
    colour: str


@checked
def river(
    study: Study,
    *,
    layers: Sequence[int] | None = None,
    thread: int | None = None,
    width: Annotated[float, Rule(least=2, most=60)] = 7.0,
    height: Annotated[float, Rule(least=1.2, most=60)] = 3.6,
    images: bool = True,
    random_state: Any = 0,
) -> Figure:
    """Concept river: a column per layer, a strip per concept, joined where a concept goes on as one thread.

    A strip is as high as the concept's share of activation. Concepts of neighbouring columns are joined where their activations
    correlate more than the null (:func:`nbtoolkit.metrics.threads`); a tapered end is where a thread begins or ends.

    Parameters
    ----------
    study
        The study.
    layers
        Layers to draw; all layers of the study where not given. Neighbouring ones are matched.
    thread
        Number of a thread that stands out (:meth:`nbtoolkit.metrics.Threads.thread`); none if None.
    width, height
        Size of the figure in inches.
    images
        Whether strips have an image where there is room.
    random_state
        Seed of the nulls: an int, a ``numpy.random.Generator``, or None.

    Returns
    -------
    matplotlib.figure.Figure
        Strips with a word and an image where there is room.

    Raises
    ------
    MethodError
        A dictionary of more than 1,000 concepts.
    NbtoolkitError
        No layer, or a thread that there is not.

    Examples
    --------
    >>> from nbtoolkit.storage.example import noise_study
    >>> len(river(noise_study(), images=False).axes[0].patches)  # 4 strips of 4 threads, each with a tapered end
    8
    """
    chosen = (
        study.layers
        if layers is None
        else resolve_layers(layers, study.representations.n_layers, available=study.layers, ascending=True)
    )
    if not chosen:
        raise NbtoolkitError("layers is empty; expected at least one layer of the study.")
    part = replace(study, dictionaries={layer: study.dictionaries[layer] for layer in chosen})
    result = threads(part, random_state=random_state)
    if thread is not None and not 0 <= thread < result.n_threads:
        raise NbtoolkitError(f"thread is {thread}; expected None or 0 … {result.n_threads - 1}.")
    figure = new_figure(width, height)
    figure.set_layout_engine("none")
    axes = figure.add_axes((0, 0, 1, 1))
    axes.axis("off")
    columns = _strips(part, result, width, height)
    for column, following in zip(columns, [*columns[1:], None], strict=True):
        _flows(axes, column, following, thread)
    for column, layer in zip(columns, chosen, strict=True):
        for strip in column:
            _draw(axes, part, result, strip, images)
        axes.set(xlim=(0, width), ylim=(height, 0))  # images have set them
        centre = column[0].x + column[0].width / 2 if column else width / 2
        name = f"layer {layer}" if width / len(chosen) > 0.6 else str(layer)
        axes.text(centre, height - BOTTOM + 0.14, name, ha="center", va="center", fontsize=7)
    axes.text(MARGIN, 0.14, short(f"“{study.token}” in {study.source.model}"), va="center", fontsize=9, weight="bold")
    axes.text(MARGIN, height - 0.1, _legend(result), va="center", fontsize=6, color="0.35")
    return figure


def _legend(result: Threads) -> str:
    linked = sum(int(m.linked.sum()) for m in result.matches)
    return (
        f"{result.n_threads} threads, {linked} links above the null (its 95 % quantile, per pair). "
        "Height: share of activation. Tapered: begins or ends."
    )


def _strips(study: Study, result: Threads, width: float, height: float) -> list[list[_Strip]]:
    """Strips per layer. All layers have the threads in one order, long ones first, so that no two strips cross."""
    shares = [
        _shares(study.dictionaries[layer], of >= 0) for layer, of in zip(result.layers, result.numbers, strict=True)
    ]
    sizes = np.zeros((result.n_threads, 2))  # layers and share of each thread
    for numbers, share in zip(result.numbers, shares, strict=True):
        np.add.at(sizes, numbers[numbers >= 0], np.c_[np.ones((numbers >= 0).sum()), share[numbers >= 0]])
    rank = np.empty(result.n_threads, int)
    rank[np.lexsort((-sizes[:, 1], -sizes[:, 0]))] = np.arange(result.n_threads)
    n, room = len(result.layers), height - TOP - BOTTOM
    node = min(0.62, 0.55 * width / n)
    colours = [THREADS[number] for number in thread_colours(study, result, len(THREADS))]
    columns = []
    for at, (layer, numbers) in enumerate(zip(result.layers, result.numbers, strict=True)):
        rows = sorted(np.flatnonzero(numbers >= 0).tolist(), key=lambda k: rank[numbers[k]])
        gap = min(GAP, 0.25 * room / max(1, len(rows)))
        heights = shares[at][rows] * (room - gap * max(0, len(rows) - 1))
        tops = TOP + np.cumsum(heights + gap) - heights - gap
        x = MARGIN + TIP + (width - 2 * (MARGIN + TIP) - node) * (at / (n - 1) if n > 1 else 0.5)
        columns.append(
            [
                _Strip(layer, k, int(numbers[k]), x, y, node, h, colours[numbers[k]])
                for k, y, h in zip(rows, tops, heights, strict=True)
            ]
        )
    return columns


def _shares(cd: ConceptDictionary, used: np.ndarray) -> np.ndarray:
    """Share of each concept in the importance of those that are used, (n_concepts,), 0 to 1; 0 for the others."""
    values = np.where(used, energy(cd), 0)
    return np.asarray(values / max(values.sum(), 1e-30))


def _flows(axes: Axes, column: list[_Strip], following: list[_Strip] | None, chosen: int | None) -> None:
    """Ribbons to the next layer, and the tapered ends of threads that end here or begin in the next layer."""
    ends = {s.thread: s for s in following or []}
    for strip in column:
        if following is not None:
            _patch(
                axes,
                _ribbon(strip, ends.pop(strip.thread)) if strip.thread in ends else _taper(strip, TIP),
                strip,
                chosen,
            )
    for strip in ends.values():
        _patch(axes, _taper(strip, -TIP), strip, chosen)


def _patch(axes: Axes, path: Path, strip: _Strip, chosen: int | None) -> None:
    alpha = 0.36 if chosen is None else 0.65 if strip.thread == chosen else 0.14
    axes.add_patch(PathPatch(path, facecolor=strip.colour, alpha=alpha, linewidth=0))


def _ribbon(a: _Strip, b: _Strip) -> Path:
    x, end = a.x + a.width, b.x
    m = (x + end) / 2
    points = [(x, a.y), (m, a.y), (m, b.y), (end, b.y), (end, b.y + b.height)]
    points += [(m, b.y + b.height), (m, a.y + a.height), (x, a.y + a.height), (x, a.y)]
    return Path(points, [Path.MOVETO, *[Path.CURVE4] * 3, Path.LINETO, *[Path.CURVE4] * 3, Path.CLOSEPOLY])


def _taper(strip: _Strip, length: float) -> Path:
    x = strip.x if length < 0 else strip.x + strip.width
    top, bottom = strip.y, strip.y + strip.height
    tip = (x + length, (top + bottom) / 2)
    points = [(x, top), (x + length / 3, top), tip, (x + length / 3, bottom), (x, bottom), (x, top)]
    return Path(points, [Path.MOVETO, *[Path.CURVE3] * 4, Path.CLOSEPOLY])


def _draw(axes: Axes, study: Study, result: Threads, strip: _Strip, images: bool) -> None:
    """Draw a strip, with its image and its name where there is room."""
    layer, k, _, x, y, width, height, colour = strip
    axes.add_patch(Rectangle((x, y), width, height, facecolor=strip.colour, linewidth=0))
    side = 0.0
    if images and height >= PICTURE and width >= 0.3:
        side = min(height - 0.02, 0.4 * width, 0.26)
        middle = y + height / 2
        extent = (x + 0.01, x + 0.01 + side, middle + side / 2, middle - side / 2)
        axes.imshow(_image(study, layer, k), extent=extent, aspect="auto", zorder=3)
    room = int((width - side - 0.05) / LETTER)
    if height >= WORD and room > 2:
        given = result.given_name(study.labels, layer, k) or study.names(layer)[k]
        style: dict[str, Any] = {"fontsize": 5.5, "color": _ink(colour), "va": "center", "zorder": 4}
        axes.text(x + side + 0.03, y + height / 2, short(_shortened(given, room)), clip_on=True, **style)


def _shortened(name: str, room: int) -> str:
    """A name in so many letters: its first words, whole where they fit."""
    if len(name) <= room:
        return name
    end = name.rfind(" · ", 0, room + 3)
    return name[:end] if end > 0 else f"{name[: room - 1]}…"


def _image(study: Study, layer: int, concept: int) -> Image.Image:
    """Middle square of the first exemplar, small; grey where it is missing or damaged."""
    exemplars = [i for i in study.grounding(layer).exemplars[concept] if i in study.rows]
    try:
        return square(study.sample(exemplars[0]).image if exemplars else b"").resize((96, 96))
    except DataError:
        return Image.new("RGB", (1, 1), NO_IMAGE)


def _ink(colour: str) -> str:
    """Black or white, whichever is easier to read on a colour."""
    r, g, b = ((int(colour[i : i + 2], 16) / 255) ** 2.2 for i in (1, 3, 5))
    return "black" if 0.2126 * r + 0.7152 * g + 0.0722 * b > 0.179 else "white"
