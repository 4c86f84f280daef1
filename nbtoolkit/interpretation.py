"""One picture taken apart: which concepts its state holds, and where in the picture a concept lies."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from .data import read_image
from .errors import NbtoolkitError
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
    except NbtoolkitError as error:
        if "never says" in str(error):
            return [None] * len(names)
        raise
    states = reps.layer(cd.layer)
    V = cd.encode(states)
    rebuilt = V @ cd.concepts if cd.encoder is None else _rebuild(cd, V)
    rest = np.square(states - rebuilt).sum(1) / np.maximum(np.square(states).sum(1), 1e-30)
    found = {i: parts_of(i, reps.captions[k], V[k], float(rest[k]), g, r) for k, i in enumerate(reps.sample_ids)}
    return [found.get(name) for name in names]


def _rebuild(cd: ConceptDictionary, V: Array) -> Array:
    from .decomposition import reconstruct

    return reconstruct(cd.encoder, V)


def parts_of(name: str, caption: str, v: Array, rest: float, g: Grounding, r: int) -> Interpretation:
    """Interpretation of a sample with activations v (n_concepts,), of which ``rest`` is left unexplained."""
    strength = np.abs(v)
    order = [int(k) for k in np.argsort(-strength, kind="stable")[:r] if strength[k] > 0]
    top = max(float(strength.max()), 1e-30)
    parts = tuple(
        Part(k, float(v[k]), float(strength[k]) / top, tuple(g.words[k]), tuple(g.exemplars[k])) for k in order
    )
    return Interpretation(name, caption, parts, rest)


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
    import torch

    from .models.grid import patch_grid
    from .models.passes import at_positions

    if not 0 <= concept < cd.n_concepts:
        raise NbtoolkitError(f"There is no concept {concept}; the dictionary has {cd.n_concepts}, counted from 0.")
    with torch.inference_mode():
        inputs = model.encode([read_image(image)], prompt)
        (states,) = at_positions(model, inputs, [cd.layer], model.image_mask(inputs))
    scores = states[0].cpu().numpy() @ cd.concepts[concept]
    before, shape = patch_grid(model, inputs, len(scores))
    return scores[before : before + int(np.prod(shape))].reshape(shape)
