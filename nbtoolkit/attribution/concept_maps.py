"""Concept maps: where in an image a concept is present, on the grid of patches."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..data.images import read_image
from ..errors import ModelError
from ..models.adapter import Model
from ..models.generation import states_at
from ..types import ConceptDictionary, ConceptMap, Geometry
from ..types.arguments import checked

Array = np.ndarray


@checked
def saliency(model: Model, image: Any, cd: ConceptDictionary, concept: int, *, prompt: str | None = None) -> ConceptMap:
    """Map of one concept over an image: its row of the decoder · h at every image position, on the grid of patches.

    Parameters
    ----------
    model
        The model that the dictionary's states came from.
    image
        An image.
    cd, concept
        The dictionary (of any layer of the model), and the row of the concept.
    prompt
        The question; it follows the image, so it changes nothing in a causal model.

    Returns
    -------
    (tiles, height, width) ConceptMap
        Scores, no unit; an array that also has the ``geometry`` of the image. One tile where the processor passes the image
        whole; else one grid per tile in the model's own order (the downscaled whole image among them, as ``.whole``)
        where all tiles have equal grids, and the downscaled whole image alone where they differ (LLaVA-NeXT, Molmo 2);
        :func:`patch_scores` has all positions.

    Raises
    ------
    ModelError
        The family's image positions are no patches (a Q-Former or resampler made them), or it has none.
    MethodError
        There is no such concept, or the dictionary has no decoder.

    References
    ----------
    Parekh et al. 2024, appendix A.1 and Figure 8.

    Examples
    --------
    >>> import nbtoolkit as nbt
    >>> model, data = nbt.load_model("toy"), nbt.load_data("toy", n=150)
    >>> cd = nbt.decompose(nbt.extract(model, data, "train", progress=False), nbt.SemiNMF(4, random_state=0))
    >>> saliency(model, data[0]["image"], cd, 0).shape
    (1, 8, 8)
    """
    cd.require_decoder("a concept map")
    direction = cd.concept(concept)
    ((states, geometry),) = _image_states(model, [image], cd.layer, [prompt])
    return ConceptMap(states @ direction, geometry)


@checked
def saliencies(model: Model, image: Any, cd: ConceptDictionary, *, prompt: str | None = None) -> ConceptMap:
    """Maps of all concepts in one pass, (n_concepts, tiles, height, width).

    Parameters
    ----------
    model, image, cd, prompt
        As for :func:`saliency`.
    """
    return ConceptMap(*patch_scores(model, image, cd, prompt=prompt))


@checked
def patch_scores(
    model: Model, image: Any, cd: ConceptDictionary, *, prompt: str | None = None
) -> tuple[Array, Geometry]:
    """Scores u_k · h of all concepts at all image positions, and where the positions lie in the image.

    Parameters
    ----------
    model, image, cd, prompt
        As for :func:`saliency`.

    Returns
    -------
    (n_concepts, n_image_positions), Geometry
        Scores, no unit. ``geometry.map(scores, tiles="all")`` draws them over the image, the finest patches on top.
    """
    D = cd.require_decoder("a concept map")
    ((states, geometry),) = _image_states(model, [image], cd.layer, [prompt])
    return D @ states.T, geometry


def maps_of(
    model: Model, images: Sequence[Any], cd: ConceptDictionary, rows: Sequence[int], prompts: Sequence[str | None]
) -> list[ConceptMap]:
    """Maps of some concepts over each of several images, which pass the model together where its family allows.

    Parameters
    ----------
    model, cd
        As for :func:`saliency`.
    images
        The images.
    rows
        Rows of the concepts in the dictionary.
    prompts
        The question of each image, or None for the model's own.

    Returns
    -------
    list of (n_rows, tiles, height, width) ConceptMap
    """
    D = cd.require_decoder("a concept map")[list(rows)]
    size = 1 if model.equal_lengths else len(images)
    maps = []
    for start in range(0, len(images), max(1, size)):
        part = slice(start, start + size)
        for states, geometry in _image_states(model, images[part], cd.layer, prompts[part]):
            maps.append(ConceptMap(D @ states.T, geometry))
    return maps


def _image_states(
    model: Model, images: Sequence[Any], layer: int, prompts: Sequence[str | None]
) -> list[tuple[Array, Geometry]]:
    """Per image its states after a layer, (n_image_positions, d_model), and the geometry of their positions."""
    pictures = [read_image(image) for image in images]
    geometries = [model.geometry(picture) for picture in pictures]  # before the pass: refused without patches
    questions = [model.prompt if prompt is None else prompt for prompt in prompts]
    inputs = model.inputs(pictures, questions)
    results = []
    for (states,), geometry in zip(
        states_at(model, inputs, [layer], model.image_mask(inputs)), geometries, strict=True
    ):
        if len(states) != geometry.n_positions:
            raise ModelError(
                f"{model.name} has {len(states)} image positions with this prompt; expected {geometry.n_positions}, as with its "
                "default prompt. Leave prompt out."
            )
        results.append((states.cpu().numpy(), geometry))
    return results
