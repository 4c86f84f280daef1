"""The whole chain in one call: from a word to a study of its concepts at every layer."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from .data import captioned, images_by_id, read_image, thumbnail, vocabulary
from .decomposition import SemiNMF, decompose, named
from .errors import NbtoolkitError
from .extraction import extract
from .grounding import WordFilter, ground
from .metrics import evaluate
from .progress import bar
from .tokens import locate, spellings
from .types import Representations, Sample, Scores, Study

if TYPE_CHECKING:
    from .models import Model, Scorer

N_EXEMPLARS = 8


def study(model: Model, data: Any, token: str, *, method: Any = None, layers: str | Sequence[int] = "all", scorer: Scorer | None = None,
          n_words: int = 15, n_exemplars: int = N_EXEMPLARS, filter: str | WordFilter = "default", out: Any = None,
          progress: bool | Callable[[str, int, int], None] = True, **extraction: Any) -> Study:  # fmt: skip
    """Study a word: representations, a dictionary a layer, words and exemplars, scores and thumbnails.

    Parameters
    ----------
    model, data, token
        As for :func:`nbtoolkit.extract`. ``data`` may also be :class:`Representations` that are already there (of
        :func:`nbtoolkit.extract` or :func:`nbtoolkit.read_xl_vlms`): its pictures are then the files that the ids name.
    method
        Any scikit-learn transformer; ``None`` means ``SemiNMF(20, random_state=0)``, with fewer concepts where there
        are fewer than 40 samples.
    layers
        Layers to decompose: ``"all"`` is 1 … n_layers (layer 0, the embedding of the word before, holds no picture).
    scorer
        A CLIP judge (:func:`nbtoolkit.load_scorer`); without one there is no CLIPScore.
    n_words, n_exemplars, filter
        As for :func:`nbtoolkit.ground`; words must also occur in the data's captions, so that no fragment passes.
    out
        Folder for shards of the extraction, to resume a killed run.
    progress
        Show bars, or call ``progress(stage, done, total)``.
    **extraction
        Further arguments of :func:`nbtoolkit.extract`, such as ``batch_size, captions, prompt, engine``. Captions are
        whole (``stop_early=False``), because the views show them.

    Returns
    -------
    Study
        Save it with ``.save(path)``, explore it with :func:`nbtoolkit.explore`.

    Raises
    ------
    TokenError, DataError, MethodError
        As for the stages.

    Examples
    --------
    >>> import nbtoolkit as nbt
    >>> s = nbt.study(nbt.load_model("toy"), nbt.load_data("toy", n=200), "train", method=nbt.SemiNMF(4, random_state=0), progress=False)
    >>> s.layers
    (1, 2, 3, 4, 5)
    """
    if isinstance(data, Representations):
        reps, data = data, None
        token = token or reps.source.token
    else:
        data = captioned(data)
        reps = extract(
            model,
            data,
            token,
            layers="all",
            out=out,
            progress=_stage(progress, "reading"),
            **{"stop_early": False} | extraction,
        )
    if len(set(reps.sample_ids)) < len(reps):
        raise NbtoolkitError(
            "The representations have several rows a sample (which='all'); a study shows one a sample: extract with which='first'."
        )
    if method is None:
        method = SemiNMF(min(20, max(1, len(reps) // 2)), random_state=0)
    words = spellings(token, extraction.get("variants", ()))
    known = vocabulary([reps.captions]) | vocabulary(reps.references if data is None else data["captions"])
    wanted = _wanted(layers, reps)
    thumbnails, embeddings = _look(data, reps.sample_ids, scorer)
    advance = _stage(progress, "decomposing")
    with bar(advance, len(wanted), "learning concepts, layer by layer") as done:
        rules = {"n_words": n_words, "n_exemplars": n_exemplars, "filter": filter, "vocabulary": known}
        learnt = _learn(reps, model, method, wanted, rules, lambda cd, g: _score(cd, g, scorer, embeddings), done)
    samples = [Sample(i, reps.captions[k], reps.references[k], thumbnails[k], *pieces(reps.captions[k], words))
               for k, i in enumerate(reps.sample_ids)]  # fmt: skip
    return Study(token, learnt[0], learnt[1], samples, reps, learnt[2], reps.source)


def extend(study: Study, model: Model, layers: Sequence[int], *, progress: Callable[[int, int], None] | None = None,
           cancel: threading.Event | None = None) -> Study:  # fmt: skip
    """Learn and ground dictionaries of further layers, as the others were learnt, from the study's own representations.

    Parameters
    ----------
    study, model
        The study and its model.
    layers
        Layers whose representations it has.
    progress
        Called with how many layers are done, of how many.
    cancel
        When set, no further layer is begun; those that are done are kept.

    Returns
    -------
    Study
        A new one. Its new layers have the scores that need no judge.

    Examples
    --------
    >>> import nbtoolkit as nbt
    >>> model = nbt.load_model("toy")
    >>> s = study(model, nbt.load_data("toy", n=200), "train", method=nbt.SemiNMF(4, random_state=0), layers=[5], progress=False)
    >>> extend(s, model, [2, 3]).layers
    (2, 3, 5)
    """
    like, reps, g = study.dictionary(study.layers[-1]), study.representations, study.grounding(study.layers[-1])
    known = vocabulary([reps.captions]) | vocabulary(reps.references)
    rules = {"n_exemplars": max(map(len, g.exemplars), default=N_EXEMPLARS), "filter": g.filter, "vocabulary": known}
    method = named(like.method).set_params(**like.parameters)
    learnt = _learn(
        reps, model, method, layers, rules, evaluate, lambda done: progress and progress(done, len(layers)), cancel
    )
    dictionaries, groundings, scores = (
        {**old, **new} for old, new in zip((study.dictionaries, study.groundings, study.scores), learnt, strict=True)
    )
    return replace(study, dictionaries=dictionaries, groundings=groundings, scores=scores)


def _learn(reps: Representations, model: Model, method: Any, layers: Sequence[int], rules: dict[str, Any], score: Callable[[Any, Any], Scores],
           advance: Callable[[int], Any], cancel: threading.Event | None = None) -> tuple[dict[int, Any], dict[int, Any], dict[int, Scores]]:  # fmt: skip
    """Decompose, ground and score layer after layer: three dictionaries by layer."""
    dictionaries, groundings, scores = {}, {}, {}
    for done, layer in enumerate(layers, 1):
        if cancel is not None and cancel.is_set():
            break
        dictionaries[layer] = cd = decompose(reps, method, layer=layer)
        groundings[layer] = g = ground(cd, model, **rules)
        scores[layer] = score(cd, g)
        advance(done)
    return dictionaries, groundings, scores


def _look(data: Any, ids: Sequence[str], scorer: Scorer | None) -> tuple[list[bytes], dict[str, np.ndarray] | None]:
    """Thumbnails, and the judge's embedding of every picture; a few full pictures in memory at a time."""
    thumbnails: list[bytes] = []
    embeddings: dict[str, np.ndarray] = {}
    pictures = (read_image(i) for i in ids) if data is None else images_by_id(data, ids)
    for start in range(0, len(ids), 64):
        batch = ids[start : start + 64]
        shown = list(itertools.islice(pictures, len(batch)))
        thumbnails += [thumbnail(picture) for picture in shown]
        if scorer is not None:
            embeddings |= dict(zip(batch, scorer.images(shown), strict=True))
    return thumbnails, None if scorer is None else embeddings


def _score(cd: Any, g: Any, scorer: Any, embeddings: Any) -> Scores:
    images = None if embeddings is None else lambda ids: np.stack([embeddings[i] for i in ids])
    return evaluate(cd, g, images=images, texts=None if scorer is None else scorer.texts)


def _wanted(layers: str | Sequence[int], reps: Representations) -> list[int]:
    if isinstance(layers, str):
        if layers != "all":
            raise NbtoolkitError(
                f"layers is {layers!r}; expected 'all' or a list of layers between 0 and {reps.n_layers}."
            )
        return [layer for layer in reps.layers if layer > 0]
    return sorted({reps.resolve(layer) for layer in layers})


def pieces(caption: str, words: Sequence[str]) -> tuple[tuple[str, ...], int]:
    """Cut a caption into what is before the token, the token, and what is after it; the token's index is 1."""
    found = locate(words, caption)
    start, stop = found.span() if found else (0, 0)
    return (caption[:start], caption[start:stop], caption[stop:]), 1


def _stage(progress: Any, name: str) -> Any:
    return (lambda done, total: progress(name, done, total)) if callable(progress) else progress
