"""Many dictionaries in one call: over tokens, layers, methods, numbers of concepts and random states; a tidy table back."""

from __future__ import annotations

import hashlib
import itertools
import json
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.base import clone

from .atomic import plain, write_json
from .data import images_by_id, vocabulary
from .decomposition import decompose, named, reconstruct
from .errors import MethodError
from .grounding import ground
from .metrics import active_concepts, evaluate, explained_variance, matched_cosines
from .metrics.heldout import top_words_clip_score
from .progress import bar
from .types import ConceptDictionary, Grounding, Representations

if TYPE_CHECKING:
    import pandas

    from .models import Model, Scorer


def sweep(model: Model, reps: Representations | Mapping[str, Representations], *, layers: Sequence[int] = (-1,), methods: Sequence[Any] = ("SemiNMF",),
          n_concepts: Sequence[int] = (20,), random_states: Sequence[int] = (0,), test: Representations | Mapping[str, Representations] | None = None,
          data: Any = None, test_data: Any = None, scorer: Scorer | None = None, cache: str | os.PathLike[str] | None = None,
          progress: bool | Callable[[int, int], None] = True) -> pandas.DataFrame:  # fmt: skip
    """Learn and score a dictionary for every combination of settings.

    Parameters
    ----------
    model
        The model that the states came from (its unembedding gives the words).
    reps
        Representations of a token, or of several: token to representations.
    layers, methods, n_concepts, random_states
        What to go through. A method is a name or a scikit-learn transformer; those without a random state are learnt
        once, and stand in every row.
    test
        Representations of held-out samples, likewise: adds ``test_error`` and, with a judge, ``test_clip_score``.
    data, test_data, scorer
        The data sets and a CLIP judge, for CLIPScores; :class:`Pictures` of a data set share their embeddings.
    cache
        Folder for finished rows: a sweep that was stopped, or is asked again with more settings, computes what is new.
    progress
        Show a bar, or call ``progress(done, total)``.

    Returns
    -------
    pandas.DataFrame
        A row a combination: ``token, layer, method, n_concepts, random_state``; ``reconstruction_error`` (0 to 1),
        ``explained_variance`` (about the mean), ``overlap``, ``active`` (concepts a sample), ``n_dead``; ``stability`` (matched cosine
        with the first random state, NaN for that one); with a judge ``clip_score`` and ``clip_score_random``; with test
        samples ``test_error``, and ``test_clip_score`` with ``_std, _low, _high``.

    Raises
    ------
    MethodError
        A setting that a method cannot take; nothing that is finished is lost from ``cache``.

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
    import pandas

    by_token = {reps.source.token: reps} if isinstance(reps, Representations) else dict(reps)
    tests = {} if test is None else {test.source.token: test} if isinstance(test, Representations) else dict(test)
    combinations = [(token, by_token[token].resolve(layer), method, k, seed) for token, layer, method, k, seed in
                    itertools.product(by_token, layers, methods, n_concepts, random_states)]  # fmt: skip
    look, see = _looking(data, scorer), _looking(test_data, scorer)
    known = None if data is None else vocabulary((data.data if isinstance(data, Pictures) else data)["captions"])
    runs: dict[str, tuple[dict[str, Any], np.ndarray]] = {}
    first: dict[tuple[Any, ...], str] = {}  # run of each setting's first random state
    rows = []
    with bar(progress, len(combinations), "dictionaries") as advance:
        for done, (token, layer, method, k, seed) in enumerate(combinations, 1):
            estimator, here, held = sized(method, k, seed), by_token[token], tests.get(token)
            key = _key(here, held, layer, estimator, look, see, known)
            if key not in runs:
                runs[key] = _load(cache, key) or _save(
                    cache, key, *_run(model, here, held, layer, estimator, look, see, known)
                )
            setting = {"token": token, "layer": layer, "method": type(estimator).__name__, "n_concepts": k}
            row, concepts = runs[key]
            other = first.setdefault(tuple(setting.values()), key)
            alike = float("nan") if other == key else float(np.nanmean(matched_cosines(runs[other][1], concepts)))
            rows.append({**setting, "random_state": seed, "stability": alike, **row})
            advance(done)
    return pandas.DataFrame(rows)


def sized(method: Any, n_concepts: int, random_state: int | None) -> Any:
    """Give a method of one's own, by name or object, with this number of concepts and random state where it has them."""
    estimator = named(method) if isinstance(method, str) else clone(method)
    known = estimator.get_params()
    size = "n_clusters" if "n_clusters" in known else "n_components"
    if not (isinstance(n_concepts, int | np.integer) and n_concepts >= 1):
        raise MethodError(f"n_concepts is {n_concepts!r}; expected a whole number of at least 1.")
    seed = {"random_state": random_state} if "random_state" in known else {}
    return estimator.set_params(**{size: int(n_concepts)}, **seed)


class Pictures:
    """Embeddings of a data set's pictures by sample id, each made once, and of texts by the same judge."""

    def __init__(self, data: Any, scorer: Scorer) -> None:
        self.data, self.scorer = data, scorer
        self.texts = scorer.texts
        self._found: dict[str, np.ndarray] = {}

    def __call__(self, ids: Sequence[str]) -> np.ndarray:
        """Unit embeddings of the pictures of these samples: (n, d)."""
        new = [i for i in dict.fromkeys(ids) if i not in self._found]
        if new:
            self._found |= dict(zip(new, self.scorer.images(images_by_id(self.data, new)), strict=True))
        return np.stack([self._found[i] for i in ids])


def _looking(data: Any, scorer: Scorer | None) -> Pictures | None:
    """Give the pictures of a data set to a judge; those that were given are shared, and without a judge there are none."""
    if isinstance(data, Pictures):
        return data
    return None if data is None or scorer is None else Pictures(data, scorer)


def _run(model: Model, reps: Representations, held: Representations | None, layer: int, estimator: Any, look: Pictures | None, see: Pictures | None,
         known: frozenset[str] | None) -> tuple[dict[str, Any], np.ndarray]:  # fmt: skip
    cd = decompose(reps, estimator, layer=layer)
    g = ground(cd, model, vocabulary=known)
    scores = evaluate(cd, g, images=look, texts=None if look is None else look.texts)
    rebuilt = reconstruct(cd.encoder, cd.activations)
    row: dict[str, Any] = {
        "reconstruction_error": cd.reconstruction_error, "explained_variance": explained_variance(reps.layer(layer), rebuilt).mean,
        "overlap": scores["overlap"], "active": active_concepts(cd.activations).mean, "n_dead": int(scores["n_dead"]),
    }  # fmt: skip
    if "clip_score" in scores.values:
        row |= {"clip_score": scores["clip_score"], "clip_score_random": scores.baseline["clip_score"]}
    if held is not None:
        row |= _on_test(cd, g, held, layer, see)
    return row, cd.concepts


def _on_test(
    cd: ConceptDictionary, g: Grounding, held: Representations, layer: int, see: Pictures | None
) -> dict[str, Any]:
    states = held.layer(layer)
    activations = cd.encode(states)
    row: dict[str, Any] = {"test_error": 1 - explained_variance(states, reconstruct(cd.encoder, activations)).mean}
    if see is not None:
        score = top_words_clip_score(activations, g.words, see(held.sample_ids), see.texts)
        low, high = score.interval()
        row |= {
            "test_clip_score": score.mean,
            "test_clip_score_std": score.std,
            "test_clip_score_low": low,
            "test_clip_score_high": high,
        }
    return row


# --- rows that are finished -------------------------------------------------------------------------------


def _key(
    reps: Representations,
    held: Representations | None,
    layer: int,
    estimator: Any,
    look: Pictures | None,
    see: Pictures | None,
    known: frozenset[str] | None,
) -> str:
    """What a row depends on."""
    about = [plain(r.source.__dict__) if r is not None else None for r in (reps, held)]
    ids = [list(r.sample_ids) if r is not None else None for r in (reps, held)]
    method = [
        type(estimator).__module__,
        type(estimator).__qualname__,
        plain({k: repr(v) for k, v in sorted(estimator.get_params().items())}),
    ]
    content = hashlib.sha256(np.ascontiguousarray(reps.layer(layer)[:64]).tobytes()).hexdigest()
    everything = [
        about,
        ids,
        layer,
        method,
        [None if pictures is None else pictures.scorer.name for pictures in (look, see)],
        None if known is None else sorted(known),
        content,
    ]
    return hashlib.sha256(json.dumps(everything, sort_keys=True).encode()).hexdigest()[:24]


def _load(cache: str | os.PathLike[str] | None, key: str) -> tuple[dict[str, Any], np.ndarray] | None:
    if cache is None:
        return None
    try:
        found = json.loads((Path(cache) / f"{key}.json").read_text("utf-8"))
        return dict(found["row"]), np.array(found["concepts"], np.float32)
    except (OSError, ValueError, KeyError):
        return None


def _save(
    cache: str | os.PathLike[str] | None, key: str, row: dict[str, Any], concepts: np.ndarray
) -> tuple[dict[str, Any], np.ndarray]:
    if cache is not None:
        write_json(
            Path(cache) / f"{key}.json",
            {"row": plain(row), "concepts": np.asarray(concepts, np.float64).round(7).tolist()},
        )
    return row, concepts
