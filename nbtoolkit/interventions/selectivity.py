"""Causal selectivity of concepts: what a concept names leaves the response as it is ablated, and the rest stays."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from torch import Tensor, float32, tensor

from ..data.images import read_images
from ..errors import DataError, MethodError
from ..models.adapter import Model
from ..models.generation import respond
from ..models.hooks import watching
from ..progress import bar
from ..targets.responses import BATCH
from ..text.stop_words import STOP_WORDS
from ..text.words import contains, unspaced, vocabulary
from ..types import ConceptDictionary, Score, resolve_layer
from ..types.arguments import checked
from ..types.nulls import RANDOM_DIRECTION
from ..types.rules import Count, Number
from .ablation import ablate

Array = np.ndarray
Facts = Callable[[str], Collection[str]]


@dataclass(frozen=True, eq=False)
class Selectivity:
    """Shares of the facts of responses that are gone when concepts are ablated.

    Attributes
    ----------
    concepts
        The concepts, of which each row is one: those whose names some response states.
    n_images : (n,)
        Responses per concept.
    named, others : (n,)
        Share of the stated facts that the concept names, and of the other facts, which are gone after its ablation: means
        over its responses, 0 to 1, no unit; ``others`` is NaN where the responses state no other facts.
    null_named, null_others : (n,)
        The same for random directions, along which a state moves as far as the ablation of the concept would move it.
    """

    concepts: tuple[int, ...]
    n_images: Array
    named: Array
    others: Array
    null_named: Array
    null_others: Array

    @property
    def score(self) -> Score:
        """Selectivity per concept, ``named − others``: 1 where exactly the named facts go, 0 where no fact goes, or all."""
        return Score(self.named - self.others, "causal selectivity")

    @property
    def null(self) -> Score:
        """Selectivity of the random directions, per concept."""
        values = self.null_named - self.null_others
        return Score(values, f"causal selectivity, {RANDOM_DIRECTION.name}", RANDOM_DIRECTION.preserves)

    def __repr__(self) -> str:
        return (
            f"Selectivity: {len(self.concepts)} concepts, named facts gone {_mean(self.named):.2f} (random directions "
            f"{_mean(self.null_named):.2f}), others {_mean(self.others):.2f} ({_mean(self.null_others):.2f})"
        )


@checked
def causal_selectivity(
    model: Model,
    images: Sequence[Any],
    concepts: ConceptDictionary | Array,
    names: Sequence[Collection[str]],
    *,
    layer: int | None = None,
    facts: Facts | None = None,
    prompt: str | None = None,
    n_images: Count | None = 8,
    n_null: Number = 1,
    random_state: Any = 0,
    max_new_tokens: Count = 40,
    progress: bool | Callable[[int, int], None] = False,
) -> Selectivity:
    """Ablate each concept, generate the responses again, and compare the facts that they state.

    A concept's direction is projected out of the states after its layer, at every position of prompt and response.

    Parameters
    ----------
    model
        The model that the concepts came from.
    images
        Images, or anything that a data set's image column holds.
    concepts : (n_concepts, d_model)
        A dictionary, of which the rows of the decoder count, or directions.
    names
        The facts that each concept names, for example the first word of each, ``[words[:1] for words in g.words]``; a
        concept without names, or whose direction is all zeros, is left out.
    layer
        Layer of the directions; not needed for a dictionary.
    facts
        From a response to the facts that it states. By default these are its words, without stop words.
    prompt
        The question; the model's default where None.
    n_images
        Number of images per concept, drawn from those whose response states what it names; all of them where None.
    n_null
        Number of random directions per concept.
    random_state
        Seed of the images and random directions: an int, a ``numpy.random.Generator``, or None.
    max_new_tokens
        Longest response, in sub-tokens.
    progress
        Show a bar, or call ``progress(done, total)``.

    Returns
    -------
    Selectivity
        A row per concept that has names which at least one response states.

    Raises
    ------
    MethodError
        No decoder, directions without a layer, of another width or not finite, or another number of names than of concepts.
    DataError
        No images.
    LayerError
        A layer that the model does not have.

    References
    ----------
    Elazar et al., "Amnesic probing: behavioral explanation with amnesic counterfactuals", TACL 2021, section 2: what is
    removed, against a random removal. Huang et al., "RAVEL", ACL 2024, section 2: a cause of one attribute that isolates
    it from the others.

    Examples
    --------
    >>> import nbtoolkit as nbt
    >>> model, data = nbt.load_model("toy"), nbt.load_data("toy", n=20)
    >>> causal_selectivity(model, data["image"], np.zeros((1, 128)), [["dog"]], layer=4)
    Selectivity: 0 concepts, named facts gone nan (random directions nan), others nan (nan)
    """
    directions, index = _directions(model, concepts, layer)
    if len(names) != len(directions):
        raise MethodError(f"There are {len(names)} lists of names for {len(directions)} concepts; expected one each.")
    if not len(images):
        raise DataError("There are no images; expected images of which the model speaks.")
    stated = facts or partial(_words, names=frozenset(word for words in names for word in words))
    rng = np.random.default_rng(random_state)
    generate = partial(_facts, model, prompt=prompt, max_new_tokens=max_new_tokens, stated=stated)
    before = generate(images, nullcontext())
    rows: dict[int, list[int]] = {}
    for k in map(int, np.flatnonzero(np.abs(directions).any(1))):
        own = [i for i, row in enumerate(before) if row & set(names[k])]
        if own:
            rows[k] = own if n_images is None else sorted(rng.permutation(own)[:n_images].tolist())
    shares = np.full((len(rows), 4), np.nan)
    with bar(progress, len(rows), "causal selectivity") as update:
        for j, (k, own) in enumerate(rows.items()):
            part, old, concept = [images[i] for i in own], [before[i] for i in own], directions[k]
            shares[j, :2] = _gone(old, generate(part, ablate(model, index, direction=concept)), names[k])
            null = [
                _gone(
                    old, generate(part, moved_as_far(model, index, concept, rng.normal(size=model.d_model))), names[k]
                )
                for _ in range(n_null)
            ]
            shares[j, 2:] = np.mean(null, 0) if null else np.nan
            update(j + 1)
    return Selectivity(tuple(rows), np.array([len(own) for own in rows.values()], int), *shares.T)


def _directions(model: Model, concepts: ConceptDictionary | Array, layer: int | None) -> tuple[Array, int]:
    """Directions (n_concepts, d_model), and their layer."""
    if isinstance(concepts, ConceptDictionary):
        return np.asarray(concepts.require_decoder("causal selectivity"), np.float64), concepts.layer
    if layer is None:
        raise MethodError("layer is None; expected the layer of the directions, or a dictionary, which has its own.")
    vectors = np.atleast_2d(np.asarray(concepts, np.float64))
    if vectors.ndim != 2 or vectors.shape[1] != model.d_model or not np.isfinite(vectors).all():
        raise MethodError(f"concepts has shape {vectors.shape}; expected (n_concepts, {model.d_model}) finite numbers.")
    return vectors, resolve_layer(layer, model.n_layers)


def _facts(
    model: Model,
    images: Sequence[Any],
    intervention: AbstractContextManager[None],
    *,
    prompt: str | None,
    max_new_tokens: int,
    stated: Facts,
) -> list[frozenset[str]]:
    """Facts of the responses to images under an intervention."""
    size, texts = 1 if model.equal_lengths else BATCH, []
    with intervention:
        for start in range(0, len(images), size):
            inputs = model.inputs([read_images(i) for i in images[start : start + size]], prompt)
            texts += [model.decode(row).strip() for row in respond(model, inputs, max_new_tokens)]
    return [frozenset(stated(text)) for text in texts]


def _words(text: str, names: frozenset[str]) -> set[str]:
    """Words of a response without stop words, and the names that it contains."""
    words = {w for w in vocabulary([[text]]) - STOP_WORDS if not unspaced(w)}  # a clause of such a script is no word
    return words | {name for name in names if contains(name, text)}


def _gone(
    before: Sequence[frozenset[str]], after: Sequence[frozenset[str]], names: Collection[str]
) -> tuple[float, float]:
    """Shares of the named facts and of the other facts that are gone: means over the responses that state such facts."""
    own = frozenset(names)
    pairs = list(zip(before, after, strict=True))
    named = [len((old & own) - new) / len(old & own) for old, new in pairs if old & own]
    others = [len(old - own - new) / len(old - own) for old, new in pairs if old - own]
    return _mean(named), _mean(others)


def _mean(values: Sequence[float] | Array) -> float:
    """Mean of the values that are defined; NaN where there are none."""
    defined = [v for v in values if not np.isnan(v)]
    return float(np.mean(defined)) if defined else float("nan")


def moved_as_far(model: Model, layer: int, concept: Array, direction: Array) -> AbstractContextManager[None]:
    """Move the states after a layer along a direction, at every position as far as the ablation of a concept moves them.

    Parameters
    ----------
    model, layer
        The model, and the layer.
    concept, direction : (d_model,)
        The concept whose ablation it is as long as, and the direction.
    """
    u, r = (tensor(v / np.linalg.norm(v), dtype=float32) for v in (concept, direction))

    def visit(here: int, hidden: Tensor) -> Tensor | None:
        if here != layer:
            return None
        own = hidden.float()
        return (own + (own @ u.to(own.device)).abs()[..., None] * r.to(own.device)).to(hidden.dtype)

    return watching(model.blocks, visit)
