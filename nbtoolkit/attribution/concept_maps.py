"""Concept maps: where in an image a concept is present, on the grid of patches."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..data.images import read_image
from ..models.adapter import Model
from ..models.generation import states_at
from ..models.geometry import patch_grid
from ..types import ConceptDictionary

Array = np.ndarray


def saliency(model: Model, image: Any, cd: ConceptDictionary, concept: int, *, prompt: str | None = None) -> Array:
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
    (tiles, height, width) array
        Scores, no unit. One tile where the processor passes the image whole; else one grid per tile in the
        model's own order (the downscaled whole image among them).

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
    return _patch_states(model, image, cd.layer, prompt) @ direction


def saliencies(model: Model, image: Any, cd: ConceptDictionary, *, prompt: str | None = None) -> Array:
    """Maps of all concepts in one pass, (n_concepts, tiles, height, width).

    Parameters
    ----------
    model, image, cd, prompt
        As for :func:`saliency`.
    """
    D = cd.require_decoder("a concept map")
    return np.moveaxis(_patch_states(model, image, cd.layer, prompt) @ D.T, -1, 0)


def _patch_states(model: Model, image: Any, layer: int, prompt: str | None) -> Array:
    """States of an image's patches after a layer, (tiles, height, width, d_model)."""
    inputs = model.inputs([read_image(image)], prompt)
    (states,) = states_at(model, inputs, [layer], model.image_mask(inputs))
    before, shape = patch_grid(model, inputs, states.shape[1])
    grid: Array = states[0, before : before + int(np.prod(shape))].cpu().numpy().reshape(*shape, -1)
    return grid
