"""Local interpretation: the concepts that the state of one sample holds."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any

import datasets
import numpy as np

from ..data.images import read_image
from ..decomposition import unexplained
from ..errors import NbtoolkitError, NothingFoundError
from ..extraction import ReadingOptions, extract
from ..extraction.options import reading_options
from ..models.adapter import Model
from ..types import ConceptDictionary, Grounding
from ..types.arguments import checked
from ..types.rules import Count, Rule

Array = np.ndarray


@dataclass(frozen=True)
class Part:
    """One concept in one sample.

    Attributes
    ----------
    concept
        Row of the concept.
    activation, relative
        Its activation, and the absolute activation over the sample's largest, 0 to 1.
    words, exemplars
        Its grounding.
    """

    concept: int
    activation: float
    relative: float
    words: tuple[str, ...]
    exemplars: tuple[str, ...]


@dataclass(frozen=True)
class Interpretation:
    """The concepts that a sample's state holds.

    Attributes
    ----------
    sample_id, caption
        The sample, and the model's response.
    occurrence
        Number of the token's occurrence in the response, from 0.
    parts
        The concepts, strongest first.
    unexplained
        ‖z − ẑ‖² / ‖z‖², no unit.
    """

    sample_id: str
    caption: str
    parts: tuple[Part, ...]
    unexplained: float
    occurrence: int = 0

    def __repr__(self) -> str:
        lines = [
            f"  {p.relative:4.2f}  {p.concept:3d}  {', '.join(p.words[:5]) or '(no word passed the filter)'}"
            for p in self.parts
        ]
        return "\n".join([f"{self.sample_id}: {self.caption!r}, {self.unexplained:.0%} unexplained", *lines])


@checked
def interpret(
    model: Model,
    images: Sequence[Any],
    cd: ConceptDictionary,
    g: Grounding,
    token: str,
    *,
    r: Count = 3,
    ids: Sequence[str] | None = None,
    progress: bool | Callable[[int, int], None] = False,
    options: ReadingOptions | None = None,
    **reading: Any,
) -> list[Interpretation | None]:
    """Interpret new images by the concepts of a dictionary.

    Parameters
    ----------
    model
        The model that the dictionary's states came from.
    images
        Images, as PIL images, paths or encoded bytes.
    cd, g, token
        The dictionary, its grounding, and its token.
    r
        Number of concepts per image (3 in the paper's figures).
    ids
        Names of the images; their numbers otherwise.
    progress
        Show a bar, or call ``progress(done, total)``.
    options, **reading
        As for :func:`nbtoolkit.extract`, such as ``prompt``; responses are complete (``stop_early=False``).

    Returns
    -------
    list
        One interpretation per image; None where the response does not contain the token. With ``which="all"`` one per
        image and occurrence, in the order of the images.

    Raises
    ------
    NbtoolkitError
        Another number of ids than of images, or ``r`` out of range.
    MethodError
        The dictionary has no decoder.

    References
    ----------
    Parekh et al. 2024, section 3.3 and Figure 5.

    Examples
    --------
    >>> import nbtoolkit as nbt
    >>> model, data = nbt.load_model("toy"), nbt.load_data("toy", n=150)
    >>> reps = nbt.extract(model, data, "train", progress=False)
    >>> cd = nbt.decompose(reps, nbt.SemiNMF(4, random_state=0))
    >>> len(interpret(model, data.select([0, 1])["image"], cd, nbt.ground(cd, model), "train"))
    2
    """
    names = [str(i) for i in range(len(images))] if ids is None else list(map(str, ids))
    if len(names) != len(images) or not 1 <= r <= cd.n_concepts:
        raise NbtoolkitError(
            f"{len(images)} images, {len(names)} ids and r = {r}; expected one id per image, and r between 1 and {cd.n_concepts}."
        )
    text = datasets.Value("string")
    features = datasets.Features({"id": text, "image": datasets.Image(), "captions": datasets.List(text)})
    numbers = [str(i) for i in range(len(names))]  # names may repeat
    rows = {"id": numbers, "image": [read_image(image) for image in images], "captions": [[token]] * len(names)}
    data = datasets.Dataset.from_dict(rows, features=features)
    chosen = reading_options(options, reading | {"layers": [cd.layer]}, stop_early=False)
    try:
        reps = extract(model, data, token, progress=progress, options=chosen)
    except NothingFoundError:
        return [None] * len(names)
    results = interpret_states(cd, g, reps.layer(cd.layer), reps.sample_ids, reps.captions, r)
    by_image: dict[int, list[Interpretation | None]] = {}
    for (number, occurrence), one in zip(reps.row_keys, results, strict=True):
        result = replace(one, sample_id=names[int(number)], occurrence=occurrence)
        by_image.setdefault(int(number), []).append(result)
    return [one for i in range(len(names)) for one in by_image.get(i, [None])]


@checked
def interpret_states(
    cd: ConceptDictionary,
    g: Grounding,
    states: Annotated[Array, Rule("n d")],
    ids: Annotated[Sequence[str], Rule("n")],
    captions: Annotated[Sequence[str], Rule("n")],
    r: Count,
) -> tuple[Interpretation, ...]:
    """Interpret states by their strongest concepts.

    Parameters
    ----------
    cd, g
        The dictionary, and its grounding.
    states : (n, d_model)
        States of the dictionary's layer.
    ids, captions
        Of each state.
    r
        Number of concepts per state.

    Raises
    ------
    MethodError
        The dictionary has no decoder.
    """
    activations = cd.encode(states)
    rest = unexplained(states, cd.decode(activations))
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
