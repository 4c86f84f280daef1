"""Sweeps: many dictionaries in one call, over tokens, layers, methods, numbers of concepts and random states, as a tidy table."""

from __future__ import annotations

import hashlib
import itertools
import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas

from ..data.loading import captioned
from ..decomposition import decompose
from ..decomposition.dictionaries import estimator_of
from ..errors import MethodError, StudyError
from ..files import disk_errors, user_path
from ..grounding import WordFilter, ground, word_filter
from ..metrics import active_concepts, evaluate, explained_variance, matched_cosines
from ..metrics.heldout import top_words_clip_score
from ..models.adapter import Model
from ..models.scorers import Scorer
from ..naming import choose_naming
from ..progress import bar
from ..storage.estimators import public_name
from ..storage.files import plain, write_json
from ..strict_json import as_json, read_json, with_checksum
from ..text.words import vocabulary
from ..types import ConceptDictionary, Grounding, Naming, Representations, resolve_layers
from ..types.arguments import checked
from .baselines import RandomWords
from .image_embeddings import ImageEmbeddings as ImageEmbeddings
from .image_embeddings import embeddings_of

Tokens = Representations | Mapping[str, Representations]
Row = dict[str, Any]
_NULLS = 2  # rows of release 0.1 had other random words, and percentile intervals


@checked
def sweep(
    model: Model,
    reps: Tokens,
    *,
    layers: str | int | Sequence[int] = (-1,),
    methods: Sequence[Any] = ("SemiNMF",),
    n_concepts: Sequence[int] = (20,),
    random_states: Sequence[int] = (0,),
    test: Tokens | None = None,
    data: Any = None,
    test_data: Any = None,
    scorer: Scorer | None = None,
    naming: str | Naming | Mapping[str, Naming] = "auto",
    filter: str | WordFilter = "default",
    cache: str | os.PathLike[str] | None = None,
    progress: bool | Callable[[int, int], None] = True,
) -> pandas.DataFrame:
    """Learn and score a dictionary for every combination of settings.

    Parameters
    ----------
    model
        The model that the states came from (its unembedding gives the words).
    reps
        Representations of a token, or of several: token to representations.
    layers
        Layers to decompose: a layer, a list, or ``"all"``; negative ones count from the last.
    methods
        Names of decompositions, or scikit-learn transformers.
    n_concepts
        Numbers of concepts.
    random_states
        Seeds; methods without a random state are learnt once, and repeated in every row.
    test
        Representations of held-out samples, likewise: adds ``test_error`` and, with a scorer, ``test_clip_score``.
    data, test_data, scorer
        The data sets and a CLIP scorer, for CLIPScores; :class:`ImageEmbeddings` of a data set share their embeddings.
    naming
        As for :func:`nbtoolkit.ground`; ``"auto"`` is measured on the states of each token. Or token to rule.
    filter
        Word filter, as for :func:`nbtoolkit.ground`.
    cache
        Folder for completed rows: a sweep that was stopped, or is called again with more settings, computes what is new.
    progress
        Show a bar, or call ``progress(done, total)``.

    Returns
    -------
    pandas.DataFrame
        A row per combination: ``token, layer, method, n_concepts, random_state``; ``reconstruction_error`` (0 to 1),
        ``explained_variance`` (about the mean), ``overlap``, ``active`` (concepts per sample), ``n_dead``; ``stability``
        (matched cosine with the first random state, NaN for that one); with a scorer ``clip_score``,
        ``clip_score_random`` and ``clip_score_token``; with test samples ``test_error``, and ``test_clip_score`` with ``_std, _low, _high``.

    Raises
    ------
    MethodError
        A setting that a method cannot take; completed rows remain in ``cache``.
    LayerError
        A layer that was not extracted.

    References
    ----------
    Parekh et al. 2024, Figures 6 (layers), 11 and 12 (number of concepts).

    Examples
    --------
    >>> import nbtoolkit as nbt
    >>> model = nbt.load_model("toy")
    >>> reps = nbt.extract(model, nbt.load_data("toy", n=150), "train", progress=False)
    >>> list(nbt.sweep(model, reps, layers=[1, -1], n_concepts=[3], progress=False)["layer"])
    [1, 5]
    """
    by_token, tests = _by_token(reps), {} if test is None else _by_token(test)
    combinations = [
        (token, layer, *rest)
        for token, own in by_token.items()
        for layer in _layers(layers, own)
        for rest in itertools.product(methods, n_concepts, random_states)
    ]
    folder = None if cache is None else user_path(cache)
    embeddings, test_embeddings = embeddings_of(data, scorer), embeddings_of(test_data, scorer)
    words = None
    if data is not None:
        words = vocabulary(captioned(data.data if isinstance(data, ImageEmbeddings) else data)["captions"])
    if isinstance(naming, Mapping) and not set(by_token) <= set(naming):
        raise MethodError(f"naming has rules for {list(naming)}; expected one for each token: {', '.join(by_token)}.")
    rules = naming if isinstance(naming, Mapping) else {t: choose_naming(naming, model, r) for t, r in by_token.items()}
    results: dict[str, tuple[Row, np.ndarray]] = {}
    first: dict[tuple[Any, ...], str] = {}  # key of each setting's first random state
    rows = []
    with bar(progress, len(combinations), "dictionaries") as advance:
        for done, (token, layer, method, k, seed) in enumerate(combinations, 1):
            estimator = sized(method, k, seed)
            states, rule = (by_token[token], tests.get(token)), rules[token]
            run = _Run(model, *states, layer, estimator, embeddings, test_embeddings, words, rule, word_filter(filter))
            key = run.key()
            if key not in results:
                results[key] = _completed(folder, key, run.result)
            setting = {"token": token, "layer": layer, "method": type(estimator).__name__, "n_concepts": k}
            row, concepts = results[key]
            reference = first.setdefault(tuple(setting.values()), key)
            stability = float("nan")
            if reference != key:
                stability = float(np.nanmean(matched_cosines(results[reference][1], concepts)))
            rows.append({**setting, "random_state": seed, "stability": stability, **row})
            advance(done)
    return pandas.DataFrame(rows)


def _layers(layers: Any, reps: Representations) -> tuple[int, ...]:
    first = int(isinstance(layers, str))  # "all" is 1 … n_layers, as for a study
    return resolve_layers(layers, reps.n_layers, available=reps.layers, first=first, ascending=False)


def _by_token(reps: Tokens) -> dict[str, Representations]:
    return {reps.source.token: reps} if isinstance(reps, Representations) else dict(reps)


def sized(method: Any, n_concepts: int, random_state: int | None) -> Any:
    """Clone a method; set its number of concepts, and its random state where it has one.

    Parameters
    ----------
    method
        Name of a decomposition, or a scikit-learn transformer; it is left as it is.
    n_concepts
        Number of concepts.
    random_state
        Seed.

    Raises
    ------
    MethodError
        Unknown name, a method without a number of concepts, or a number below 1.
    """
    estimator = estimator_of(method)
    parameters = estimator.get_params()
    size = "n_clusters" if "n_clusters" in parameters else "n_components"
    if not (isinstance(n_concepts, int | np.integer) and n_concepts >= 1):
        raise MethodError(f"n_concepts is {n_concepts!r}; expected a whole number of at least 1.")
    if size not in parameters:
        raise MethodError(f"{type(estimator).__name__} has no {size}; expected n_components or n_clusters.")
    seed = {"random_state": random_state} if "random_state" in parameters else {}
    return estimator.set_params(**{size: int(n_concepts)}, **seed)


@dataclass(frozen=True)
class _Run:
    """One dictionary of a sweep, and all that its row depends on."""

    model: Model
    reps: Representations
    test: Representations | None
    layer: int
    estimator: Any
    embeddings: ImageEmbeddings | None
    test_embeddings: ImageEmbeddings | None
    words: frozenset[str] | None
    naming: Naming
    filter: WordFilter

    def result(self) -> tuple[Row, np.ndarray]:
        """The scores, and the concepts."""
        cd = decompose(self.reps, self.estimator, layer=self.layer)
        g = ground(cd, self.model, filter=self.filter, vocabulary=self.words, naming=self.naming)
        own = {}
        if self.embeddings is not None:
            lists = RandomWords(self.model, filter=self.filter, vocabulary=self.words)(g)
            own = {"images": self.embeddings, "texts": self.embeddings.texts, "random_words": lists}
        scores = evaluate(cd, g, **own)
        rebuilt = cd.decode(cd.activations)
        row: Row = {
            "reconstruction_error": cd.reconstruction_error,
            "explained_variance": explained_variance(self.reps.layer(self.layer), rebuilt).mean,
            "overlap": scores["overlap"],
            "active": active_concepts(cd.activations).mean,
            "n_dead": int(scores["n_dead"]),
        }
        if self.embeddings is not None:  # NaN where no concept has words
            row |= {name: scores.values.get(name, float("nan")) for name in ("clip_score", "clip_score_token")}
            row["clip_score_random"] = scores.baseline.get("clip_score", float("nan"))
        if self.test is not None:
            row |= self._test_scores(cd, g, self.test)
        return row, cd.concepts

    def _test_scores(self, cd: ConceptDictionary, g: Grounding, test: Representations) -> Row:
        states = test.layer(self.layer)
        activations = cd.encode(states)
        row: Row = {"test_error": 1 - explained_variance(states, cd.decode(activations)).mean}
        if self.test_embeddings is not None:
            images = self.test_embeddings(test.sample_ids)
            score = top_words_clip_score(activations, g.words, images, self.test_embeddings.texts)
            low, high = score.interval()
            row |= {"test_clip_score": score.mean, "test_clip_score_std": score.std}
            row |= {"test_clip_score_low": low, "test_clip_score_high": high}
        return row

    def key(self) -> str:
        """Hash of all that the row depends on."""
        kind = type(self.estimator)
        both = (self.reps, self.test)
        everything = [
            [plain(r.source.__dict__) if r is not None else None for r in both],
            [r.digest(self.layer) if r is not None else None for r in both],  # all states, and whose they are
            self.layer,
            public_name(self.estimator) or f"{kind.__module__}.{kind.__qualname__}",
            plain({k: repr(v) for k, v in sorted(self.estimator.get_params().items())}),
            [None if images is None else images.digest for images in (self.embeddings, self.test_embeddings)],
            None if self.words is None else sorted(self.words),
            [self.naming.rule, plain(replace(self.filter, vocabulary=None).__dict__), _NULLS],
        ]
        return hashlib.sha256(json.dumps(everything, sort_keys=True).encode()).hexdigest()[:24]


def _completed(folder: Path | None, key: str, compute: Callable[[], tuple[Row, np.ndarray]]) -> tuple[Row, np.ndarray]:
    """Row and concepts of a cache, or computed and written there: a damaged file is computed and written again."""
    path = None if folder is None else folder / f"{key}.json"
    try:
        content = read_json(path, StudyError, inside=folder) if path else {}
        if "check" in content and content != with_checksum(content):
            raise StudyError("The row of the sweep is damaged.")
        row = {name: float("nan") if value is None else value for name, value in content["row"].items()}
        return row, np.array(content["concepts"], np.float32)
    except (ValueError, KeyError, TypeError, AttributeError):
        row, concepts = compute()
    if path:
        with disk_errors("The row of the sweep", path, StudyError, "Make room, or choose another folder with cache=."):
            content = {"row": plain(row), "concepts": np.asarray(concepts, np.float64).round(7).tolist()}
            write_json(path, with_checksum(as_json(content)))
    return row, concepts
