"""One picture taken apart: which concepts its state holds, and where in the picture a concept lies."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from .data import read_image
from .decomposition import reconstruct, unexplained
from .errors import NbtoolkitError, NothingFoundError
from .extraction import extract
from .types import ConceptDictionary, Grounding

if TYPE_CHECKING:
    from .models import Model

Array = np.ndarray


@dataclass(frozen=True)
class Part:
    """One concept in one sample: ``relative`` is its activation over the sample's largest, 0 to 1."""

    concept: int
    activation: float
    relative: float
    words: tuple[str, ...]
    exemplars: tuple[str, ...]


@dataclass(frozen=True)
class Interpretation:
    """The concepts that a sample's state holds, strongest first; ``unexplained`` is ‖z − ẑ‖² / ‖z‖²."""

    sample_id: str
    caption: str
    parts: tuple[Part, ...]
    unexplained: float

    def __repr__(self) -> str:
        lines = [
            f"  {p.relative:4.2f}  {p.concept:3d}  {', '.join(p.words[:5]) or '(no word passed the filter)'}"
            for p in self.parts
        ]
        return "\n".join([f"{self.sample_id}: {self.caption!r}, {self.unexplained:.0%} unexplained", *lines])


def interpret(model: Model, images: Sequence[Any], cd: ConceptDictionary, g: Grounding, token: str, *, r: int = 3,
              ids: Sequence[str] | None = None, **extraction: Any) -> list[Interpretation | None]:  # fmt: skip
    """Interpret new pictures by the concepts of a dictionary.

    Parameters
    ----------
    model
        The model that the dictionary's states came from.
    images
        Pictures, as PIL images, paths or encoded bytes.
    cd, g, token
        The dictionary, its grounding, and the word that it is of.
    r
        How many concepts to show (3 in the paper's figures).
    ids
        Names of the pictures; their numbers otherwise.
    **extraction
        Further arguments of :func:`nbtoolkit.extract`, such as ``prompt``.

    Returns
    -------
    list
        An interpretation a picture; None where the model does not say the token about it.

    References
    ----------
    Parekh et al. 2024, section 3.3 and Figure 5.

    Examples
    --------
    >>> import nbtoolkit as nbt
    >>> model, data = nbt.load_model("toy"), nbt.load_data("toy", n=150)
    >>> reps = nbt.extract(model, data, "train", progress=False)
    >>> cd = nbt.decompose(reps, nbt.SemiNMF(4, random_state=0))
    >>> found = interpret(model, data.select([0, 1])["image"], cd, nbt.ground(cd, model), "train")
    >>> len(found)
    2
    """
    import datasets

    names = [str(i) for i in range(len(images))] if ids is None else list(map(str, ids))
    if len(names) != len(images) or not 1 <= r <= cd.n_concepts:
        raise NbtoolkitError(
            f"{len(images)} pictures, {len(names)} ids and r = {r}; expected an id a picture, and r between 1 and {cd.n_concepts}."
        )
    text = datasets.Value("string")
    features = datasets.Features({"id": text, "image": datasets.Image(), "captions": datasets.List(text)})
    rows = {"id": names, "image": [read_image(image) for image in images], "captions": [[token]] * len(names)}
    settings = {"progress": False, "stop_early": False} | extraction
    try:
        reps = extract(model, datasets.Dataset.from_dict(rows, features=features), token, layers=[cd.layer], **settings)
    except NothingFoundError:
        return [None] * len(names)
    apart = take_apart(cd, g, reps.layer(cd.layer), reps.sample_ids, reps.captions, r)
    found = {one.sample_id: one for one in apart}
    return [found.get(name) for name in names]


def take_apart(
    cd: ConceptDictionary, g: Grounding, states: Array, ids: Sequence[str], captions: Sequence[str], r: int
) -> tuple[Interpretation, ...]:
    """Interpret samples whose states (n, d_model) at the dictionary's layer are at hand, by their r strongest concepts."""
    activations = cd.encode(states)
    rest = unexplained(states, reconstruct(cd.encoder, activations))
    return tuple(
        Interpretation(name, caption, _parts(v, g, r), float(left))
        for name, caption, v, left in zip(ids, captions, activations, rest, strict=True)
    )


def _parts(v: Array, g: Grounding, r: int) -> tuple[Part, ...]:
    strength = np.abs(v)
    order = [int(k) for k in np.argsort(-strength, kind="stable")[:r] if strength[k] > 0]
    top = max(float(strength.max()), 1e-30)
    return tuple(
        Part(k, float(v[k]), float(strength[k]) / top, tuple(g.words[k]), tuple(g.exemplars[k])) for k in order
    )


def saliency(model: Model, image: Any, cd: ConceptDictionary, concept: int, *, prompt: str | None = None) -> Array:
    """Where a concept lies in a picture: u_k · h at every picture position, on the grid of patches.

    Parameters
    ----------
    model, cd, concept
        The dictionary (of any layer of the model), and which of its concepts.
    image
        A picture.
    prompt
        What the model is asked; it comes after the picture, so it changes nothing in a causal model.

    Returns
    -------
    (tiles, height, width) array
        Scores, no unit. One tile where the processor shows the picture whole; where it cuts it up, a grid a tile in the
        model's own order (the small whole picture among them).

    Raises
    ------
    ModelError
        The family's picture positions are no patches (a Q-Former or resampler made them), or it has none.

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
    direction = cd.concept(concept)
    return _patches(model, image, cd.layer, prompt) @ direction


def saliencies(model: Model, image: Any, cd: ConceptDictionary, *, prompt: str | None = None) -> Array:
    """Give the map of every concept in one pass, (n_concepts, tiles, height, width); as :func:`saliency` otherwise."""
    return np.moveaxis(_patches(model, image, cd.layer, prompt) @ cd.concepts.T, -1, 0)


def _patches(model: Model, image: Any, layer: int, prompt: str | None) -> Array:
    """States of a picture's patches after a layer: (tiles, height, width, d_model)."""
    from .models.generation import states_at
    from .models.geometry import patch_grid

    inputs = model.inputs([read_image(image)], prompt)
    (states,) = states_at(model, inputs, [layer], model.image_mask(inputs))
    before, shape = patch_grid(model, inputs, states.shape[1])
    grid: Array = states[0, before : before + int(np.prod(shape))].cpu().numpy().reshape(*shape, -1)
    return grid
