"""``reproduce``: the paper's evaluation in one call: its tables, its curves, and whether its claims hold."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas

from ..attribution.local import interpret_states
from ..data.images import thumbnail
from ..data.loading import captioned, images_by_id
from ..decomposition import decompose
from ..errors import NbtoolkitError
from ..extraction import extract
from ..grounding import ground
from ..metrics import (
    Comparison,
    Score,
    caption_clip_score,
    captions_bert_score,
    compare,
    evaluate,
    on_common_samples,
    overlap,
    top_words_bert_score,
    top_words_clip_score,
)
from ..models.adapter import Model
from ..models.scorers import Scorer
from ..naming import choose_naming
from ..studies.baselines import noise_representations, random_words
from ..studies.sweeps import ImageEmbeddings, sized, sweep
from ..text.words import vocabulary
from ..types import ConceptDictionary, Grounding, Naming, Representations, resolve_layer
from .results import Panel, Reproduction

Array = np.ndarray
METHODS = ("SemiNMF", "KMeans", "PCA", "LargestNorm")
SYSTEMS = ("Rnd-Words", "Token", "Noise-Imgs", "LargestNorm", "PCA", "KMeans", "SemiNMF", "GT-captions")
SIZES = (10, 20, 30, 50)
N_REPLICATES = 5  # dictionaries learnt again, for the variance of a method


def reproduce(
    model: Model,
    data: Any,
    test_data: Any,
    tokens: Sequence[str],
    scorer: Scorer,
    *,
    n_concepts: int = 20,
    layer: int = -1,
    sizes: Sequence[int] = SIZES,
    random_state: int = 0,
    n_replicates: int = N_REPLICATES,
    encoder: Any = None,
    naming: str | Naming = "auto",
    cache: str | os.PathLike[str] | None = None,
    progress: Callable[[str], None] | None = None,
) -> Reproduction:
    """Run the evaluation of CoX-LMM for several tokens.

    Parameters
    ----------
    model, scorer
        The model, and a CLIP scorer.
    data, test_data
        Captioned images to learn from, and to test on.
    tokens
        The tokens; one with too few samples is left out, with the reason.
    n_concepts, layer, sizes, random_state
        The paper's K and L, the K of its Figures 11 and 12, and the seed.
    n_replicates
        Number of times that every dictionary is learnt again, with another seed from a random half of the training rows;
        the intervals of the CLIPScore and the overlap of a method include their variance. Not done for a token with
        fewer than 2 K samples, nor for BERTScore.
    encoder
        A text encoder (:func:`nbtoolkit.models.load_text_encoder`) for BERTScore; none without one.
    naming
        As for :func:`nbtoolkit.ground`; ``"auto"`` is measured on the states of each token.
    cache
        Folder for extractions and dictionaries, so that a stopped run resumes.
    progress
        Called with the name of each stage.

    Raises
    ------
    NbtoolkitError
        No token could be evaluated.
    LayerError
        A layer that the model does not have.

    References
    ----------
    Parekh et al. 2024, section 4 and appendices C to F.
    """
    layer = resolve_layer(layer, model.n_layers)
    data, test_data = captioned(data), captioned(test_data)
    say = progress or (lambda _: None)
    train_images, test_images = ImageEmbeddings(data, scorer), ImageEmbeddings(test_data, scorer)
    images, words = (train_images, test_images), vocabulary(data["captions"])
    setting = _Setting(model, *images, encoder, n_concepts, layer, random_state, words, n_replicates)
    by_token: dict[str, dict[str, Any]] = {}
    train: dict[str, Representations] = {}
    test: dict[str, Representations] = {}
    left_out: dict[str, str] = {}
    rules: dict[str, Naming] = {}
    for token in tokens:
        say(f"{token}: reading")
        try:
            train[token], test[token] = _read(model, data, test_data, token, cache, max(n_concepts, *sizes))
        except NbtoolkitError as error:
            left_out[token] = str(error)
            continue
        say(f"{token}: {len(train[token])} samples, {len(test[token])} to test on")
        rules[token] = choose_naming(naming, model, train[token])
        by_token[token] = _evaluate(setting, train[token], test[token], rules[token])
    if not train:
        raise NbtoolkitError(f"No token could be evaluated: {left_out}.")
    layers, by_size = _sweeps(setting, train, test, rules, sizes, cache, say)
    names = next(iter(by_token.values()))
    results = {name: {token: values[name] for token, values in by_token.items()} for name in names}
    return Reproduction(layers=layers, sizes=by_size, model=repr(model), left_out=left_out, **results)


def _read(model: Model, data: Any, test_data: Any, token: str, cache: Any, n: int) -> list[Representations]:
    """Representations of a token to learn n concepts from, and to test on."""
    train, test = (
        extract(model, d, token, progress=False, out=None if cache is None else Path(cache) / f"{token}-{name}")
        for d, name in ((data, "train"), (test_data, "test"))
    )
    if len(train) < n:
        raise NbtoolkitError(f"{len(train)} samples; expected at least {n} to learn as many concepts")
    return [train, test]


@dataclass(frozen=True)
class _Setting:
    """What the evaluation of every token shares."""

    model: Model
    train_images: ImageEmbeddings
    test_images: ImageEmbeddings
    encoder: Any
    n_concepts: int
    layer: int
    random_state: int
    words: frozenset[str]
    n_replicates: int


@dataclass(frozen=True)
class _Systems:
    """Dictionaries and groundings of one token and seed; name of a system to its activations on test samples and words."""

    dictionaries: dict[str, ConceptDictionary]
    groundings: dict[str, Grounding]
    systems: dict[str, tuple[Array, Any]]


def _sweeps(
    setting: _Setting,
    train: Mapping[str, Representations],
    test: Mapping[str, Representations],
    rules: Mapping[str, Naming],
    sizes: Sequence[int],
    cache: str | os.PathLike[str] | None,
    say: Callable[[str], Any],
) -> tuple[pandas.DataFrame, pandas.DataFrame]:
    """Scores by layer, and by number of concepts."""
    model = setting.model
    shared: dict[str, Any] = {
        "data": setting.train_images,
        "scorer": setting.train_images.scorer,
        "naming": rules,
        "random_states": [setting.random_state],
        "cache": None if cache is None else Path(cache) / "sweeps",
        "progress": False,
    }
    say("layers")
    layers = sweep(model, train, layers="all", n_concepts=[setting.n_concepts], **shared)
    say("numbers of concepts")
    shared |= {"test": {t: test[t] for t in train}, "test_data": setting.test_images}
    return layers, sweep(model, train, layers=[setting.layer], n_concepts=list(sizes), **shared)


def _learn(
    setting: _Setting, train: Representations, noise: Representations, states: Array, naming: Naming, seed: int
) -> _Systems:
    model, layer, k = setting.model, setting.layer, setting.n_concepts
    dictionaries = {method: decompose(train, sized(method, k, seed), layer=layer) for method in METHODS}
    dictionaries["Noise-Imgs"] = decompose(noise, sized("SemiNMF", k, seed), layer=layer)
    groundings = {name: ground(cd, model, vocabulary=setting.words, naming=naming) for name, cd in dictionaries.items()}
    systems = {name: (cd.encode(states), groundings[name].words) for name, cd in dictionaries.items()}
    random = random_words(model, groundings["SemiNMF"], vocabulary=setting.words, random_state=seed)
    systems["Rnd-Words"] = systems["SemiNMF"][0], random.words
    systems["Token"] = np.ones((len(states), 1)), [[train.source.token]]
    return _Systems(dictionaries, groundings, systems)


def _replicates(
    setting: _Setting, train: Representations, noise: Representations, test: Representations, naming: Naming
) -> Iterator[tuple[dict[str, Score], dict[str, float]]]:
    """CLIPScores and overlaps of dictionaries that are learnt again: another seed, a random half of the training rows."""
    if len(train) < 2 * setting.n_concepts:
        return
    states, images = test.layer(setting.layer), setting.test_images(test.sample_ids)
    for r in range(setting.n_replicates):
        seed = setting.random_state + 1 + r
        rows = np.sort(np.random.default_rng(seed).permutation(len(train))[: len(train) // 2])
        half, noise_half = (_some(reps, rows, setting.layer) for reps in (train, noise))
        one = _learn(setting, half, noise_half, states, naming, seed)
        yield _clip_scores(one, images, setting), {m: overlap(one.groundings[m].words).mean for m in METHODS}


def _some(reps: Representations, rows: Array, layer: int) -> Representations:
    """Some rows of one layer of representations."""
    per_row: dict[str, Any] = {
        f.name: [value[i] for i in rows]
        for f in fields(reps)
        if isinstance(value := getattr(reps, f.name), tuple) and len(value) == len(reps) and f.name != "layers"
    }
    return replace(reps, **per_row, states=reps.layer(layer)[rows][:, None], layers=(layer,))


def _clip_scores(one: _Systems, images: Array, setting: _Setting) -> dict[str, Score]:
    embed = setting.test_images.texts
    return {name: top_words_clip_score(V, words, images, embed) for name, (V, words) in one.systems.items()}


def _evaluate(setting: _Setting, train: Representations, test: Representations, naming: Naming) -> dict[str, Any]:
    """All of one token but its sweeps, by the names of the fields of :class:`Reproduction`."""
    model, layer, seed = setting.model, setting.layer, setting.random_state
    noise = noise_representations(model, setting.train_images.data, train, random_state=seed, progress=False)
    one = _learn(setting, train, noise, test.layer(layer), naming, seed)
    own, g = one.dictionaries["SemiNMF"], one.groundings["SemiNMF"]
    images, embed = setting.test_images(test.sample_ids), setting.test_images.texts
    scores = _clip_scores(one, images, setting)
    scores["GT-captions"] = caption_clip_score(test.references, images, embed)
    texts = {}
    if setting.encoder is not None:
        references, encoder = test.references, setting.encoder
        texts = {name: top_words_bert_score(V, words, references, encoder) for name, (V, words) in one.systems.items()}
        texts["GT-captions"] = captions_bert_score(references, encoder)
    again = list(_replicates(setting, train, noise, test, naming))
    replicates = {
        name: np.stack([clip.get(name, scores[name]).values for clip, _ in again]) for name in scores if again
    }
    return {
        "scores": _in_order(scores),
        "texts": _in_order(texts),
        "overlaps": {name: overlap(one.groundings[name].words).mean for name in METHODS},
        "tests": _tests(scores, replicates),
        "text_tests": _tests(texts, {}),
        "grounding": evaluate(
            own,
            g,
            images=setting.train_images,
            texts=setting.train_images.texts,
            random_words=random_words(model, g, vocabulary=setting.words, random_state=seed).words,
        ),
        "groundings": g,
        "panels": _panel(own, g, test, setting),
        "samples": (len(train), len(test)),
        "replicates": replicates,
        "overlap_replicates": {m: np.array([shares[m] for _, shares in again]) for m in METHODS},
    }


def _in_order(scores: Mapping[str, Score]) -> dict[str, Score]:
    return {name: scores[name] for name in SYSTEMS if name in scores}


def _tests(scores: Mapping[str, Score], replicates: Mapping[str, Array]) -> dict[str, Comparison]:
    """Semi-NMF against every other system, on the samples where all of them are defined."""
    common, _ = on_common_samples(scores)
    return {
        name: compare(
            common["SemiNMF"],
            score,
            replicates=(replicates["SemiNMF"], replicates[name]) if name in replicates else None,
            paired=True,
        )
        for name, score in common.items()
        if name != "SemiNMF" and min(len(score.defined), len(common["SemiNMF"].defined)) > 1
    }


def _panel(cd: ConceptDictionary, g: Grounding, test: Representations, setting: _Setting, n: int = 2) -> Panel:
    states, ids, captions = test.layer(cd.layer)[:n], test.sample_ids[:n], test.captions[:n]
    samples = interpret_states(cd, g, states, ids, captions, min(3, cd.n_concepts))
    exemplars = list(dict.fromkeys(i for one in samples for part in one.parts for i in part.exemplars))
    small = [thumbnail(image, 128) for image in images_by_id(setting.train_images.data, exemplars)]
    own = tuple(thumbnail(image, 192) for image in images_by_id(setting.test_images.data, ids))
    return Panel(samples, own, dict(zip(exemplars, small, strict=True)))
