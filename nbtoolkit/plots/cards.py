"""Figures of images: concept cards, interpretations of samples, a concept across layers."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.figure import Figure
from PIL import Image

from ..data.images import NO_IMAGE, read_image, square
from ..errors import DataError, NbtoolkitError
from ..metrics import match
from ..metrics.layer_matching import MAX_CONCEPTS, match_layers
from ..storage.study import Study
from ..types import ConceptDictionary
from ..types.arguments import checked
from ..types.layers import resolve_layers
from ..types.rules import Count
from .style import COLOURS, MAX_TITLE, check_concepts, new_figure, title

if TYPE_CHECKING:
    from ..attribution import Interpretation


@checked
def concept_cards(
    study: Study,
    *,
    layer: int = -1,
    concepts: Sequence[int] | None = None,
    n_images: Count = 5,
    n_words: Count = 5,
    columns: Count = 2,
) -> Figure:
    """Cards of a dictionary: exemplars and words of each concept (Figures 2, 4, 7, 9, 10 and 13 to 16).

    Parameters
    ----------
    study
        The study.
    layer
        Layer of the dictionary; negative indices count from the last.
    concepts
        Concepts, counted from 0; all of them where not given.
    n_images, n_words
        Number of images and words per card.
    columns
        Number of cards per row.

    Returns
    -------
    matplotlib.figure.Figure
        One row of images per card, under its index, name (:meth:`nbtoolkit.storage.study.Study.names`) and words.

    Raises
    ------
    NbtoolkitError
        A concept that the dictionary does not have.

    References
    ----------
    Parekh et al. 2024, Figures 2, 4, 7, 9, 10 and 13 to 16.

    Examples
    --------
    >>> from nbtoolkit.storage.example import noise_study
    >>> len(concept_cards(noise_study(), concepts=[0, 1], n_images=3).axes)
    6
    """
    cd, g, names = study.dictionary(layer), study.grounding(layer), study.names(layer)
    concepts = range(cd.n_concepts) if concepts is None else concepts
    check_concepts(concepts, cd.n_concepts)
    dead = np.abs(cd.activations).max(0) <= 0
    images = {s.id: s.image for s in study.samples}
    rows = -(-len(concepts) // columns)
    figure = new_figure(columns * n_images * 0.9, rows * 1.12)
    grid = figure.subplots(rows, columns * n_images, squeeze=False)
    for axes in grid.ravel():
        axes.axis("off")
    for n, k in enumerate(concepts):
        row = grid[n // columns, (n % columns) * n_images : (n % columns + 1) * n_images]
        text = "dead: no sample uses it" if dead[k] else _words(names[k], g.words[k][:n_words])
        title(row[0], f"{k}  {text}")
        for axes, name in zip(row, g.exemplars[k][:n_images], strict=False):
            _show(axes, images.get(name, b""))
    return figure


@checked
def local(
    interpretations: Sequence[Interpretation],
    images: Sequence[Any],
    pictures: Mapping[str, bytes],
    *,
    n_images: Count = 4,
    n_words: Count = 5,
) -> Figure:
    """Interpretations of samples: image, relative activations of its strongest concepts, and their exemplars and words.

    Parameters
    ----------
    interpretations
        Interpretations of :func:`nbtoolkit.interpret`, one per image.
    images
        The interpreted images, as PIL images or encoded bytes.
    pictures
        Exemplar id to encoded image, for example ``{s.id: s.image for s in study.samples}``.
    n_images, n_words
        Number of exemplars and words per concept.

    Returns
    -------
    matplotlib.figure.Figure
        One panel per sample; the bars are activations relative to the sample's largest, 0 to 1.

    Raises
    ------
    NbtoolkitError
        No interpretation with a concept, or another number of images.

    References
    ----------
    Parekh et al. 2024, Figures 5 and 17 to 21.

    Examples
    --------
    >>> from nbtoolkit.attribution import Interpretation, Part
    >>> one = Interpretation("a", "a dog", (Part(0, 2.0, 1.0, ("sun",), ()),), 0.2)
    >>> len(local([one], [Image.new("RGB", (8, 8))], {}).axes) > 2
    True
    """
    n, depth = len(interpretations), max((len(one.parts) for one in interpretations), default=0)
    if not depth or n != len(images):
        raise NbtoolkitError(
            f"The number of interpretations is {n}, with {depth} concepts, and that of images {len(images)}; "
            "expected one interpretation per image, and at least one concept."
        )
    figure = new_figure(2.6 + 0.8 * n_images, 0.9 * depth * n + 0.2)
    panels: Any = figure.subfigures(n, 1, squeeze=False)
    for panel, one, image in zip(panels[:, 0], interpretations, images, strict=True):
        grid = panel.add_gridspec(depth, 2 + n_images, width_ratios=[1.6, 1.2] + [0.8] * n_images)
        sample = panel.add_subplot(grid[:, 0])
        sample.imshow(read_image(image))
        title(sample, "\n".join(textwrap.wrap(one.caption[: MAX_TITLE + 1], 28)))
        sample.axis("off")
        bars = panel.add_subplot(grid[:, 1])
        heights = [p.relative for p in one.parts]
        bars.barh(range(len(heights)), heights, height=0.5, color=[COLOURS[i % 8] for i in range(len(heights))])
        bars.set(xlim=(0, 1.02), ylim=(depth - 0.5, -0.5), yticks=range(len(heights)), xticks=(0, 1))
        bars.set_yticklabels([str(p.concept) for p in one.parts])
        bars.tick_params(labelsize=7)
        bars.spines[["top", "right"]].set_visible(False)
        for i, p in enumerate(one.parts):
            for j in range(n_images):
                axes = panel.add_subplot(grid[i, 2 + j])
                axes.axis("off")
                if j == 0:
                    title(axes, ", ".join(p.words[:n_words]) or "(no word)", color=COLOURS[i % 8])
                if j < len(p.exemplars) and p.exemplars[j] in pictures:
                    _show(axes, pictures[p.exemplars[j]])
    return figure


@checked
def across_layers(
    study: Study,
    concept: int,
    *,
    layer: int = -1,
    layers: Sequence[int] | None = None,
    n_images: Count = 5,
    n_words: Count = 5,
) -> Figure:
    """A concept across layers, matched by its activations: exemplars separate early, words fit late (Figure 22).

    Parameters
    ----------
    study
        The study.
    concept
        The concept, counted from 0.
    layer
        Layer of the concept; negative indices count from the last.
    layers
        Layers to draw; all layers of the study where not given.
    n_images, n_words
        Number of exemplars and words per layer.

    Returns
    -------
    matplotlib.figure.Figure
        One row of exemplars per layer, under its name and words; of other layers with the similarity of the match and the
        95 % quantile of its null (:func:`nbtoolkit.metrics.match_layers`).

    Raises
    ------
    NbtoolkitError
        A concept that the dictionary does not have.

    References
    ----------
    Parekh et al. 2024, Figure 22.

    Examples
    --------
    >>> from nbtoolkit.storage.example import noise_study
    >>> len(across_layers(noise_study(), 0, n_images=2).axes)
    4
    """
    reference = study.dictionary(layer)
    check_concepts([concept], reference.n_concepts)
    n_layers = study.representations.n_layers
    layers = (
        study.layers if layers is None else resolve_layers(layers, n_layers, available=study.layers, ascending=False)
    )
    if not layers:
        raise NbtoolkitError("layers is empty; expected at least one layer of the study.")
    images = {s.id: s.image for s in study.samples}
    figure = new_figure(0.9 * n_images + 0.6, 1.15 * len(layers))
    grid = figure.subplots(len(layers), n_images, squeeze=False)
    for row, at in zip(grid, layers, strict=True):
        cd, g = study.dictionary(at), study.grounding(at)
        k, similar = (concept, "") if cd is reference else _partner(reference, cd, concept)
        for axes in row:
            axes.axis("off")
        text = _words(study.names(at)[k], g.words[k][:n_words]) if k >= 0 else "no partner"
        title(row[0], f"layer {cd.layer}{similar}, {text}")
        for axes, name in zip(row, g.exemplars[k][:n_images] if k >= 0 else [], strict=False):
            _show(axes, images.get(name, b""))
    return figure


def _partner(a: ConceptDictionary, b: ConceptDictionary, concept: int) -> tuple[int, str]:
    """Partner of a concept, -1 without one, and its similarity with the null; dictionaries too large for a null have none."""
    if max(a.n_concepts, b.n_concepts) > MAX_CONCEPTS:
        return int(match(a.activations.T, b.activations.T)[0][concept]), ""
    result = match_layers(a, b)
    return int(result.partners[concept]), f" (similarity {result.similarity[concept]:.2f}, null {result.null:.2f})"


def _words(name: str, words: Sequence[str]) -> str:
    """Name of a concept, and its words."""
    return f"{name}: {', '.join(words) or '(no word passed the filter)'}"


def _show(axes: Any, encoded: bytes) -> None:
    """Draw the middle square of an image; one that is missing or damaged is grey, and the others are drawn."""
    try:
        axes.imshow(square(encoded))
    except DataError:
        axes.imshow(Image.new("RGB", (1, 1), NO_IMAGE))
