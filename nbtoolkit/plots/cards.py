"""Figures of pictures: cards of concepts, samples taken apart, maps, a concept through the layers."""

from __future__ import annotations

import io
import textwrap
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from ..errors import NbtoolkitError
from ..metrics import match
from ..types import Study
from ..widgets.encode import square
from .style import COLOURS, check_concepts, new_figure, plain, title

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from ..interpretation import Interpretation


def concept_cards(
    study: Study,
    *,
    layer: int = -1,
    concepts: Sequence[int] | None = None,
    n_images: int = 5,
    n_words: int = 5,
    columns: int = 2,
) -> Figure:
    """Cards of a dictionary: pictures that use a concept most, and its words (Figures 2, 4, 7, 9, 10 and 13 to 16).

    Parameters
    ----------
    study, layer
        What to show.
    concepts
        Which concepts; all of them where not given.
    n_images, n_words, columns
        Pictures and words a card, and cards a row.

    Examples
    --------
    >>> from nbtoolkit.example import noise_study
    >>> len(concept_cards(noise_study(), concepts=[0, 1], n_images=3).axes)
    6
    """
    cd, g = study.dictionary(layer), study.grounding(layer)
    chosen = range(cd.n_concepts) if concepts is None else concepts
    check_concepts(chosen, cd.n_concepts)
    dead = np.abs(cd.activations).max(0) <= 0
    pictures = {s.id: s.image for s in study.samples}
    rows = -(-len(chosen) // columns)
    figure = new_figure(columns * n_images * 0.9, rows * 1.12)
    grid = figure.subplots(rows, columns * n_images, squeeze=False)
    for axes in grid.ravel():
        axes.axis("off")
    for n, k in enumerate(chosen):
        row = grid[n // columns, (n % columns) * n_images : (n % columns + 1) * n_images]
        words = (
            "dead: no sample uses it" if dead[k] else ", ".join(g.words[k][:n_words]) or "(no word passed the filter)"
        )
        title(row[0], f"{k}  {words}")
        for axes, name in zip(row, g.exemplars[k][:n_images], strict=False):
            axes.imshow(square(pictures[name]))
    return figure


def local(
    found: Sequence[Interpretation],
    images: Sequence[Any],
    pictures: Mapping[str, bytes],
    *,
    n_images: int = 4,
    n_words: int = 5,
) -> Figure:
    """Samples taken apart: picture, bars of their strongest concepts, and each concept's card (Figures 5 and 17 to 21).

    Parameters
    ----------
    found, images
        Interpretations of :func:`nbtoolkit.interpret`, and the pictures that they are of.
    pictures
        Exemplar id to JPEG bytes, for example ``{s.id: s.image for s in study.samples}``.

    Examples
    --------
    >>> from nbtoolkit.interpretation import Interpretation, Part
    >>> one = Interpretation("a", "a dog", (Part(0, 2.0, 1.0, ("sun",), ()),), 0.2)
    >>> len(local([one], [Image.new("RGB", (8, 8))], {}).axes) > 2
    True
    """
    depth = max((len(one.parts) for one in found), default=0)
    if not depth or len(found) != len(images):
        raise NbtoolkitError(
            f"{len(found)} interpretations with {depth} concepts and {len(images)} pictures were given; expected as many of each."
        )
    figure = new_figure(2.6 + 0.8 * n_images, 0.9 * depth * len(found) + 0.2)
    parts: Any = figure.subfigures(len(found), 1, squeeze=False)
    for part, one, image in zip(parts[:, 0], found, images, strict=True):
        grid = part.add_gridspec(depth, 2 + n_images, width_ratios=[1.6, 1.2] + [0.8] * n_images)
        shown = part.add_subplot(grid[:, 0])
        shown.imshow(image if isinstance(image, Image.Image) else Image.open(io.BytesIO(image)))
        title(shown, "\n".join(textwrap.wrap(one.caption, 28)))
        shown.axis("off")
        bars = part.add_subplot(grid[:, 1])
        heights = [p.relative for p in one.parts]
        bars.barh(range(len(heights)), heights, height=0.5, color=[COLOURS[i % 8] for i in range(len(heights))])
        bars.set(xlim=(0, 1.02), ylim=(depth - 0.5, -0.5), yticks=range(len(heights)), xticks=(0, 1))
        bars.set_yticklabels([str(p.concept) for p in one.parts])
        bars.tick_params(labelsize=7)
        bars.spines[["top", "right"]].set_visible(False)
        for i, p in enumerate(one.parts):
            for j in range(n_images):
                axes = part.add_subplot(grid[i, 2 + j])
                axes.axis("off")
                if j == 0:
                    title(axes, ", ".join(p.words[:n_words]) or "(no word)", color=COLOURS[i % 8])
                if j < len(p.exemplars) and p.exemplars[j] in pictures:
                    axes.imshow(square(pictures[p.exemplars[j]]))
    return figure


def saliency_map(images: Sequence[Any], scores: Sequence[np.ndarray], *, titles: Sequence[str] = ()) -> Figure:
    """Where a concept lies in pictures: red where it is present, blue where its opposite is; one scale for all (Figure 8).

    Parameters
    ----------
    images
        Pictures.
    scores
        (tiles, height, width) of :func:`nbtoolkit.saliency`, or (height, width); of several tiles the last is shown,
        the small whole picture in most families.

    Examples
    --------
    >>> len(saliency_map([Image.new("RGB", (8, 8))], [np.eye(2)]).axes)
    3
    """
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import Normalize

    grids = [np.asarray(s)[-1] if np.ndim(s) == 3 else np.asarray(s) for s in scores]
    if len(grids) != len(images) or not grids:
        raise NbtoolkitError(
            f"{len(images)} pictures and {len(grids)} maps were given; expected as many, and at least one."
        )
    limit = max(float(np.abs(g).max()) for g in grids) or 1.0
    figure = new_figure(1.6 * len(images) + 0.4, 3.2)
    axes = figure.subplots(2, len(images), squeeze=False)
    for i, (image, grid) in enumerate(zip(images, grids, strict=True)):
        width, height = image.size
        for row in (0, 1):
            axes[row, i].imshow(image)
            axes[row, i].axis("off")
        strength = np.abs(grid) / limit  # where a concept is not, the picture is left alone
        axes[1, i].imshow(
            grid, cmap="RdBu_r", vmin=-limit, vmax=limit, alpha=0.85 * strength, extent=(0, width, height, 0)
        )
        if i < len(titles):
            axes[0, i].set_title(plain(titles[i]), fontsize=8)
    figure.colorbar(
        ScalarMappable(Normalize(-limit, limit), "RdBu_r"), ax=list(axes.ravel()), label="u · h", shrink=0.8
    )
    return figure


def across_layers(
    study: Study,
    concept: int,
    *,
    layer: int = -1,
    layers: Sequence[int] | None = None,
    n_images: int = 5,
    n_words: int = 5,
) -> Figure:
    """A concept followed through the layers, by the activations it shares: pictures part early, words fit late (Figure 22).

    Parameters
    ----------
    study, concept, layer
        The concept to follow.
    layers
        Which layers to show; all of them where not given.

    Examples
    --------
    >>> from nbtoolkit.example import noise_study
    >>> len(across_layers(noise_study(), 0, n_images=2).axes)
    4
    """
    home = study.dictionary(layer)
    check_concepts([concept], home.n_concepts)
    shown = study.layers if layers is None else layers
    pictures = {s.id: s.image for s in study.samples}
    figure = new_figure(0.9 * n_images + 0.6, 1.15 * len(shown))
    grid = figure.subplots(len(shown), n_images, squeeze=False)
    for row, at in zip(grid, shown, strict=True):
        cd, g = study.dictionary(at), study.grounding(at)
        k = concept if cd is home else int(match(home.activations.T, cd.activations.T)[0][concept])
        for axes in row:
            axes.axis("off")
        title(row[0], f"layer {cd.layer}: " + (", ".join(g.words[k][:n_words]) if k >= 0 else "no partner"))
        for axes, name in zip(row, g.exemplars[k][:n_images] if k >= 0 else [], strict=False):
            axes.imshow(square(pictures[name]))
    return figure
