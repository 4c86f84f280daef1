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
from .decomposition import decompose, named
from .errors import MethodError
from .grounding import ground
from .metrics import active_concepts, evaluate, explained_variance, matched_cosines
from .metrics.testset import test_clip_score
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
        The data sets and a CLIP judge, for CLIPScores.
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
    looks = {token: _Pictures(data, scorer) for token in by_token}
    seen = {token: _Pictures(test_data, scorer) for token in tests}
    known = None if data is None else vocabulary(data["captions"])
    runs: dict[str, tuple[dict[str, Any], np.ndarray]] = {}
    rows = []
    with bar(progress, len(combinations), "dictionaries") as advance:
        for done, (token, layer, method, k, seed) in enumerate(combinations, 1):
            estimator = sized(method, k, seed)
            held = tests.get(token)
            key = _key(by_token[token], held, layer, estimator, scorer, known)
            if key not in runs:
                runs[key] = _load(cache, key) or _save(
                    cache,
                    key,
                    *_run(model, by_token[token], held, layer, estimator, looks[token], seen.get(token), known),
                )
            rows.append(
                {
                    "token": token,
                    "layer": layer,
                    "method": type(estimator).__name__,
                    "n_concepts": k,
                    "random_state": seed,
                    **runs[key][0],
                    "_": key,
                }
            )
            advance(done)
    table = pandas.DataFrame(rows)
    table.insert(5, "stability", _stabilities(table, {key: concepts for key, (_, concepts) in runs.items()}))
    return table.drop(columns="_")


def sized(method: Any, n_concepts: int, random_state: int | None) -> Any:
    """Give a method of one's own, by name or object, with this number of concepts and random state where it has them."""
    estimator = named(method) if isinstance(method, str) else clone(method)
    known = estimator.get_params()
    size = "n_clusters" if "n_clusters" in known else "n_components"
    if not (isinstance(n_concepts, int | np.integer) and n_concepts >= 1):
        raise MethodError(f"n_concepts is {n_concepts!r}; expected a whole number of at least 1.")
    seed = {"random_state": random_state} if "random_state" in known else {}
    return estimator.set_params(**{size: int(n_concepts)}, **seed)


class _Pictures:
    """Embeddings of pictures by sample id, each made once."""

    def __init__(self, data: Any, scorer: Scorer | None) -> None:
        self.data, self.scorer = data, scorer
        self.found: dict[str, np.ndarray] = {}

    @property
    def ready(self) -> bool:
        return self.data is not None and self.scorer is not None

    def __call__(self, ids: Sequence[str]) -> np.ndarray:
        assert self.scorer is not None
        new = [i for i in dict.fromkeys(ids) if i not in self.found]
        for start in range(0, len(new), 64):
            part = new[start : start + 64]
            self.found |= dict(zip(part, self.scorer.images(list(images_by_id(self.data, part))), strict=True))
        return np.stack([self.found[i] for i in ids])


def _run(model: Model, reps: Representations, held: Representations | None, layer: int, estimator: Any, look: _Pictures, see: _Pictures | None,
         known: frozenset[str] | None) -> tuple[dict[str, Any], np.ndarray]:  # fmt: skip
    cd = decompose(reps, estimator, layer=layer)
    g = ground(cd, model, vocabulary=known)
    texts = look.scorer.texts if look.ready and look.scorer is not None else None
    scores = evaluate(cd, g, images=look if look.ready else None, texts=texts)
    row: dict[str, Any] = {
        "reconstruction_error": cd.reconstruction_error, "explained_variance": explained_variance(reps.layer(layer), _rebuilt(cd, cd.activations)),
        "overlap": scores["overlap"], "active": active_concepts(cd.activations).mean, "n_dead": int(scores["n_dead"]),
    }  # fmt: skip
    if "clip_score" in scores.values:
        row |= {"clip_score": scores["clip_score"], "clip_score_random": scores.baseline["clip_score"]}
    if held is not None:
        row |= _on_test(cd, g, held, layer, see)
    return row, cd.concepts


def _on_test(
    cd: ConceptDictionary, g: Grounding, held: Representations, layer: int, see: _Pictures | None
) -> dict[str, Any]:
    states = held.layer(layer)
    activations = cd.encode(states)
    row: dict[str, Any] = {"test_error": 1 - explained_variance(states, _rebuilt(cd, activations))}
    if see is not None and see.ready and see.scorer is not None:
        score = test_clip_score(activations, g.words, see(held.sample_ids), see.scorer.texts)
        low, high = score.interval()
        row |= {
            "test_clip_score": score.mean,
            "test_clip_score_std": score.std,
            "test_clip_score_low": low,
            "test_clip_score_high": high,
        }
    return row


def _rebuilt(cd: ConceptDictionary, activations: np.ndarray) -> np.ndarray:
    from .decomposition import reconstruct

    return reconstruct(cd.encoder, activations)


def _stabilities(table: pandas.DataFrame, concepts: Mapping[str, np.ndarray]) -> list[float]:
    """Matched cosine of each run with the first of its settings."""
    first: dict[tuple[Any, ...], str] = {}
    out = []
    for row in table.itertuples(index=False):
        setting = (row.token, row.layer, row.method, row.n_concepts)
        key = row[-1]
        reference = first.setdefault(setting, key)
        out.append(
            float("nan") if reference == key else float(np.nanmean(matched_cosines(concepts[reference], concepts[key])))
        )
    return out


# --- rows that are finished -------------------------------------------------------------------------------


def _key(
    reps: Representations,
    held: Representations | None,
    layer: int,
    estimator: Any,
    scorer: Any,
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
        None if scorer is None else scorer.name,
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
