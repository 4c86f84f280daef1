"""``study``: the whole chain in one call, from a word to its concepts at every layer; ``extend`` adds layers."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ..data.images import read_image, thumbnail
from ..data.loading import captioned, images_by_id
from ..decomposition import SemiNMF, decompose, named
from ..errors import NbtoolkitError
from ..extraction import ReadingOptions, extract
from ..extraction.options import reading_options
from ..grounding import WordFilter, ground
from ..metrics import evaluate
from ..models.adapter import Model
from ..models.scorers import Scorer
from ..naming import choose_naming
from ..progress import bar, note
from ..storage.study import Sample, Study
from ..text.words import spellings, split_at_token, vocabulary
from ..types import ConceptDictionary, Grounding, Naming, Representations, Scores, resolve_layers
from ..types.arguments import checked
from .baselines import RandomWords

N_EXEMPLARS = 8
IN_MEMORY = 64  # images in memory at a time
PIXELS_IN_MEMORY = 2**26  # of these together; four bytes each
SIDE = 512  # pixels that suffice for a thumbnail and a scorer

Embeddings = Mapping[str, np.ndarray]


@dataclass(frozen=True)
class _Layers:
    """Dictionaries, groundings and scores by layer."""

    dictionaries: dict[int, ConceptDictionary]
    groundings: dict[int, Grounding]
    scores: dict[int, Scores]


@checked
def study(
    model: Model,
    data: Any,
    token: str,
    *,
    method: Any = None,
    layers: str | int | Sequence[int] = "all",
    scorer: Scorer | None = None,
    n_words: int = 15,
    n_exemplars: int = N_EXEMPLARS,
    filter: str | WordFilter = "default",
    naming: str | Naming = "auto",
    out: str | os.PathLike[str] | None = None,
    progress: bool | Callable[[str, int, int], None] = True,
    engine: Any = None,
    cancel: threading.Event | None = None,
    options: ReadingOptions | None = None,
    **reading: Any,
) -> Study:
    """Study a word: representations, a dictionary per layer, words and exemplars, scores and thumbnails.

    Where a sample has several images, its thumbnail and its CLIPScore are those of the first.

    Parameters
    ----------
    model, data, token
        As for :func:`nbtoolkit.extract`. ``data`` may also be :class:`Representations` (of :func:`nbtoolkit.extract` or
        :func:`nbtoolkit.read_xl_vlms`): the images are then the files that its ids name.
    method
        Any scikit-learn transformer; ``None`` means ``SemiNMF(20, random_state=0)``, with fewer concepts for fewer
        than 40 samples.
    layers
        Layers to decompose: a layer, a list, or ``"all"``: 1 … n_layers (layer 0, the embedding of the previous word,
        does not depend on the image).
    scorer
        A CLIP scorer (:func:`nbtoolkit.load_scorer`); without one there is no CLIPScore.
    n_words, n_exemplars, filter
        As for :func:`nbtoolkit.ground`; words must also occur in the data's captions, so that no fragment passes.
    naming
        As for :func:`nbtoolkit.ground`; ``"auto"`` is measured on the study's own states
        (:func:`nbtoolkit.naming.measure_naming`), printed where ``progress`` is true, and recorded.
    out, engine, cancel
        As for :func:`nbtoolkit.extract`.
    progress
        Show bars, or call ``progress(stage, done, total)``.
    options, **reading
        Reading options as for :func:`nbtoolkit.extract`, such as ``batch_size, captions, prompt``. Responses are
        complete (``stop_early=False``), because the views show them.

    Returns
    -------
    Study
        Save it with ``.save(path)``, explore it with :func:`nbtoolkit.explore`.

    Raises
    ------
    TokenError, DataError, MethodError, LayerError
        As for the stages.

    Examples
    --------
    >>> import nbtoolkit as nbt
    >>> s = nbt.study(nbt.load_model("toy"), nbt.load_data("toy", n=200), "train", method=nbt.SemiNMF(4, random_state=0), progress=False)
    >>> s.layers
    (1, 2, 3, 4, 5)
    """
    chosen = reading_options(options, reading, stop_early=False)
    if isinstance(data, Representations):
        reps, data = data, None
        token = token or reps.source.token
    else:
        data = captioned(data)
        run = {"out": out, "engine": engine, "cancel": cancel, "progress": _stage(progress, "reading")}
        reps = extract(model, data, token, options=replace(chosen, layers="all"), **run)
    if len(set(reps.sample_ids)) < len(reps):
        raise NbtoolkitError(
            "The representations have several rows per sample (which='all'); a study has one per sample: extract with which='first'."
        )
    if method is None:
        method = SemiNMF(min(20, max(1, len(reps) // 2)), random_state=0)
    captions = reps.references if data is None else data["captions"]
    choice = choose_naming(naming, model, reps)
    if naming == "auto":
        note(progress, str(choice))
    caption_words = vocabulary([reps.captions]) | vocabulary(captions)
    rules = {
        "naming": choice,
        "n_words": n_words,
        "n_exemplars": n_exemplars,
        "filter": filter,
        "vocabulary": caption_words,
    }
    indices = resolve_layers(layers, reps.n_layers, available=reps.layers, first=int(isinstance(layers, str)))
    thumbnails, embeddings = _look_at_images(data, reps.sample_ids, scorer)
    lists = RandomWords(model, filter=filter, vocabulary=caption_words)
    with bar(_stage(progress, "decomposing"), len(indices), "learning concepts per layer") as done:
        by_layer = _learn(
            reps, model, method, indices, rules, lambda cd, g: _score(cd, g, scorer, embeddings, lists), done
        )
    words = spellings(token, chosen.variants)
    samples = [
        Sample(i, reps.captions[k], reps.references[k], thumbnails[k], *split_at_token(reps.captions[k], words))
        for k, i in enumerate(reps.sample_ids)
    ]
    return Study(token, by_layer.dictionaries, by_layer.groundings, samples, reps, by_layer.scores, reps.source)


@checked
def extend(
    study: Study,
    model: Model,
    layers: str | int | Sequence[int],
    *,
    naming: str | Naming | None = None,
    progress: Callable[[int, int], None] | None = None,
    cancel: threading.Event | None = None,
) -> Study:
    """Add layers to a study, from its own representations and with its own method.

    Parameters
    ----------
    study, model
        The study and its model.
    layers
        Layers whose representations it has.
    naming
        As for :func:`study`; the rule of the study's last layer if None.
    progress
        Called with the number of layers that are done, and of all.
    cancel
        When set, no further layer is started; completed ones remain.

    Returns
    -------
    Study
        A new one. Its new layers have the scores that need no scorer.

    Raises
    ------
    LayerError
        A layer without representations.

    Examples
    --------
    >>> import nbtoolkit as nbt
    >>> model = nbt.load_model("toy")
    >>> s = study(model, nbt.load_data("toy", n=200), "train", method=nbt.SemiNMF(4, random_state=0), layers=[5], progress=False)
    >>> extend(s, model, [2, 3]).layers
    (2, 3, 5)
    """
    last, reps, g = study.dictionary(study.layers[-1]), study.representations, study.grounding(study.layers[-1])
    rules = {
        "naming": choose_naming(g.naming if naming is None else naming, model, reps),
        "n_exemplars": max(map(len, g.exemplars), default=N_EXEMPLARS),
        "filter": g.filter,
        "vocabulary": vocabulary([reps.captions]) | vocabulary(reps.references),
    }
    indices = resolve_layers(layers, reps.n_layers, available=reps.layers, ascending=False)
    method = named(last.method).set_params(**last.parameters)

    def advance(done: int) -> None:
        if progress is not None:
            progress(done, len(indices))

    new = _learn(reps, model, method, indices, rules, evaluate, advance, cancel)
    return replace(
        study,
        dictionaries={**study.dictionaries, **new.dictionaries},
        groundings={**study.groundings, **new.groundings},
        scores={**study.scores, **new.scores},
    )


def _learn(
    reps: Representations,
    model: Model,
    method: Any,
    layers: Sequence[int],
    rules: dict[str, Any],
    score: Callable[[ConceptDictionary, Grounding], Scores],
    advance: Callable[[int], Any],
    cancel: threading.Event | None = None,
) -> _Layers:
    """Decompose, ground and score layer after layer."""
    result = _Layers({}, {}, {})
    for done, layer in enumerate(layers, 1):
        if cancel is not None and cancel.is_set():
            break
        result.dictionaries[layer] = cd = decompose(reps, method, layer=layer)
        result.groundings[layer] = g = ground(cd, model, **rules)
        result.scores[layer] = score(cd, g)
        advance(done)
    return result


def _look_at_images(data: Any, ids: Sequence[str], scorer: Scorer | None) -> tuple[list[bytes], Embeddings | None]:
    """Thumbnails, and the scorer's embedding of every image; a few full images in memory at a time."""
    thumbnails: list[bytes] = []
    embeddings: dict[str, np.ndarray] = {}
    images: Iterator[Any] = (read_image(i, SIDE) for i in ids) if data is None else images_by_id(data, ids, SIDE)
    for loaded in _groups(images):
        batch = ids[len(thumbnails) : len(thumbnails) + len(loaded)]
        thumbnails += [thumbnail(image) for image in loaded]
        if scorer is not None:
            embeddings |= dict(zip(batch, scorer.images(loaded), strict=True))
    return thumbnails, None if scorer is None else embeddings


def _groups(images: Iterator[Any]) -> Iterator[list[Any]]:
    """Images in groups that fit in memory together."""
    group: list[Any] = []
    pixels = 0
    for image in images:
        group.append(image)
        pixels += image.width * image.height
        if len(group) == IN_MEMORY or pixels > PIXELS_IN_MEMORY:
            yield group
            group, pixels = [], 0
    if group:
        yield group


def _score(
    cd: ConceptDictionary, g: Grounding, scorer: Scorer | None, embeddings: Embeddings | None, lists: RandomWords
) -> Scores:
    if scorer is None or embeddings is None:
        return evaluate(cd, g)
    return evaluate(
        cd, g, images=lambda ids: np.stack([embeddings[i] for i in ids]), texts=scorer.texts, random_words=lists(g)
    )


def _stage(progress: Any, name: str) -> Any:
    return (lambda done, total: progress(name, done, total)) if callable(progress) else progress
