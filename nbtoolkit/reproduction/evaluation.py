"""``reproduce``: the paper's evaluation in one call: its tables, its curves, and whether its claims hold."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas

from ..attribution.local import Interpretation, interpret_states
from ..data.images import thumbnail
from ..data.loading import captioned, images_by_id
from ..decomposition import decompose
from ..errors import NbtoolkitError
from ..extraction import extract
from ..grounding import ground
from ..metrics import (
    Score,
    caption_clip_score,
    captions_bert_score,
    compare,
    evaluate,
    overlap,
    top_words_bert_score,
    top_words_clip_score,
)
from ..models.adapter import Model
from ..models.scorers import Scorer
from ..studies.baselines import noise_representations, random_words
from ..studies.sweeps import ImageEmbeddings, sized, sweep
from ..text.words import vocabulary
from ..types import ConceptDictionary, Grounding, Representations, Scores, resolve_layer

METHODS = ("SemiNMF", "KMeans", "PCA", "LargestNorm")
SYSTEMS = ("Rnd-Words", "Noise-Imgs", "LargestNorm", "PCA", "KMeans", "SemiNMF", "GT-captions")
SIZES = (10, 20, 30, 50)


@dataclass(frozen=True)
class Panel:
    """Interpreted test samples, for Figure 5.

    Attributes
    ----------
    interpretations, images
        The samples' interpretations, and their images (JPEG).
    exemplars
        Sample id to the image of an exemplar (JPEG).
    """

    interpretations: tuple[Interpretation, ...]
    images: tuple[bytes, ...]
    exemplars: Mapping[str, bytes]


@dataclass(frozen=True, eq=False)
class Reproduction:
    """Results of the evaluation.

    Attributes
    ----------
    scores
        Token to system to its CLIPScore on test images, a value per image (Tables 1 and 9).
    overlaps
        Token to method to its overlap (Tables 2 and 10).
    tests
        Token to system to the comparison of Semi-NMF with it (Table 11).
    texts, text_tests
        The same for BERTScore, where a text encoder was given; else empty for every token.
    grounding
        Token to the scores of its Semi-NMF dictionary, for Figure 3.
    layers, sizes
        Tables of :func:`nbtoolkit.sweep` over layers (Figure 6) and numbers of concepts (Figures 11 and 12).
    groundings, panels, samples
        Token to its Semi-NMF grounding, to interpreted test samples (Figure 5), and to (train, test) numbers of samples
        (Table 7).
    model, left_out
        The model, and the tokens that could not be evaluated, with the reason.
    """

    scores: Mapping[str, Mapping[str, Score]]
    overlaps: Mapping[str, Mapping[str, float]]
    tests: Mapping[str, Mapping[str, Any]]
    texts: Mapping[str, Mapping[str, Score]]
    text_tests: Mapping[str, Mapping[str, Any]]
    grounding: Mapping[str, Scores]
    layers: pandas.DataFrame
    sizes: pandas.DataFrame
    groundings: Mapping[str, Grounding]
    panels: Mapping[str, Panel]
    samples: Mapping[str, tuple[int, int]]
    model: str = ""
    left_out: Mapping[str, str] = field(default_factory=dict)

    def table(self) -> pandas.DataFrame:
        """Every score as a row: ``token, system, metric, mean, std, low, high, n, p`` (p: Semi-NMF against it, t-test)."""
        rows: list[dict[str, Any]] = []
        for token in self.scores:
            for metric, systems, tests in (
                ("clip_score", self.scores[token], self.tests[token]),
                ("bert_score", self.texts[token], self.text_tests[token]),
            ):
                for name, score in systems.items():
                    low, high = score.interval()
                    row = {"token": token, "system": name, "metric": metric, "mean": score.mean, "std": score.std}
                    p = tests[name].t_p if name in tests else float("nan")
                    rows.append(row | {"low": low, "high": high, "n": len(score.defined), "p": p})
            rows += [
                {"token": token, "system": name, "metric": "overlap", "mean": value}
                for name, value in self.overlaps[token].items()
            ]
        return pandas.DataFrame(rows)

    def claims(self) -> list[tuple[str, int, int]]:
        """The paper's claims, and for how many of how many tokens they hold."""
        tokens = list(self.scores)
        n, last = len(tokens), self.layers["layer"].max()
        by_layer, random = (
            self.layers.pivot_table(index="token", columns="layer", values=v)
            for v in ("clip_score", "clip_score_random")
        )
        first = by_layer.columns[0]
        errors = self.sizes.pivot_table(index="token", columns="n_concepts", values="reconstruction_error")

        def better(a: str, b: str) -> int:
            return sum(self.scores[t][a].mean > self.scores[t][b].mean for t in tokens)

        def cleaner(a: str, b: str) -> int:
            return sum(self.overlaps[t][a] < self.overlaps[t][b] for t in tokens)

        best = sum(self.scores[t]["GT-captions"].mean >= max(s.mean for s in self.scores[t].values()) for t in tokens)
        fewest = sum(min(self.overlaps[t].items(), key=lambda item: item[1])[0] == "PCA" for t in tokens)
        counts = {
            "Concepts' words fit test images better than random words (Table 1)": better("SemiNMF", "Rnd-Words"),
            "… and better than those learnt from noise (Table 1)": better("SemiNMF", "Noise-Imgs"),
            "Own captions fit best of all (Table 1)": best,
            "Semi-NMF fits better than PCA (Table 9)": better("SemiNMF", "PCA"),
            "Semi-NMF fits better than the Simple baseline, LargestNorm (Table 1: 3 of 4 words)": better(
                "SemiNMF", "LargestNorm"
            ),
            "Semi-NMF's concepts share fewer words than K-Means' (Table 2)": cleaner("SemiNMF", "KMeans"),
            "… and than LargestNorm's (Table 2)": cleaner("SemiNMF", "LargestNorm"),
            "PCA's concepts share the fewest words (Table 2)": fewest,
            "At the last layer words fit better than random words (Figure 6)": int(
                (by_layer[last] > random[last]).sum()
            ),
            "Words fit better at the last layer than at the first (Figure 6)": int(
                (by_layer[last] > by_layer[first]).sum()
            ),
            "More concepts rebuild the states better (Figure 11)": int(
                (errors.diff(axis=1).iloc[:, 1:] <= 0).all(axis=1).sum()
            ),
        }
        return [(claim, count, n) for claim, count in counts.items()]


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
    encoder: Any = None,
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
    encoder
        A text encoder (:func:`nbtoolkit.models.load_text_encoder`) for BERTScore; none without one.
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
    setting = _Setting(
        model, train_images, test_images, encoder, n_concepts, layer, random_state, vocabulary(data["captions"])
    )
    by_token: dict[str, dict[str, Any]] = {}
    train: dict[str, Representations] = {}
    test: dict[str, Representations] = {}
    left_out: dict[str, str] = {}
    for token in tokens:
        say(f"{token}: reading")
        try:
            train[token], test[token] = (
                extract(model, d, token, progress=False, out=None if cache is None else Path(cache) / f"{token}-{name}")
                for d, name in ((data, "train"), (test_data, "test"))
            )
            n = max(n_concepts, *sizes)
            if len(train[token]) < n:
                raise NbtoolkitError(f"{len(train[token])} samples; expected at least {n} to learn as many concepts")
        except NbtoolkitError as error:
            train.pop(token, None)
            left_out[token] = str(error)
            continue
        say(f"{token}: {len(train[token])} samples, {len(test[token])} to test on")
        by_token[token] = _evaluate(setting, train[token], test[token])
    if not train:
        raise NbtoolkitError(f"No token could be evaluated: {left_out}.")
    say("layers")
    shared: dict[str, Any] = {
        "data": train_images,
        "scorer": scorer,
        "random_states": [random_state],
        "cache": None if cache is None else Path(cache) / "sweeps",
        "progress": False,
    }
    layers = sweep(model, train, layers="all", n_concepts=[n_concepts], **shared)
    say("numbers of concepts")
    shared |= {"test": {t: test[t] for t in train}, "test_data": test_images}
    by_size = sweep(model, train, layers=[layer], n_concepts=list(sizes), **shared)
    names = next(iter(by_token.values()))
    results = {name: {token: values[name] for token, values in by_token.items()} for name in names}
    return Reproduction(layers=layers, sizes=by_size, model=repr(model), left_out=left_out, **results)


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


def _evaluate(setting: _Setting, train: Representations, test: Representations) -> dict[str, Any]:
    """All of one token but its sweeps, by the names of the fields of :class:`Reproduction`."""
    model, layer, k, seed = setting.model, setting.layer, setting.n_concepts, setting.random_state
    states = test.layer(layer)
    dictionaries = {method: decompose(train, sized(method, k, seed), layer=layer) for method in METHODS}
    noise = noise_representations(model, setting.train_images.data, train, random_state=seed, progress=False)
    dictionaries["Noise-Imgs"] = decompose(noise, sized("SemiNMF", k, seed), layer=layer)
    groundings = {name: ground(cd, model, vocabulary=setting.words) for name, cd in dictionaries.items()}
    systems = {name: (cd.encode(states), groundings[name].words) for name, cd in dictionaries.items()}
    own, g = dictionaries["SemiNMF"], groundings["SemiNMF"]
    random = random_words(model, g, vocabulary=setting.words, random_state=seed)
    systems["Rnd-Words"] = systems["SemiNMF"][0], random.words
    images, embed = setting.test_images(test.sample_ids), setting.test_images.texts
    scores = {name: top_words_clip_score(V, words, images, embed) for name, (V, words) in systems.items()}
    scores["GT-captions"] = caption_clip_score(test.references, images, embed)
    texts = {}
    if setting.encoder is not None:
        references, encoder = test.references, setting.encoder
        texts = {name: top_words_bert_score(V, words, references, encoder) for name, (V, words) in systems.items()}
        texts["GT-captions"] = captions_bert_score(references, encoder)
    return {
        "scores": _in_order(scores),
        "texts": _in_order(texts),
        "overlaps": {name: overlap(groundings[name].words).mean for name in METHODS},
        "tests": _tests(scores),
        "text_tests": _tests(texts),
        "grounding": evaluate(own, g, images=setting.train_images, texts=setting.train_images.texts, random_state=seed),
        "groundings": g,
        "panels": _panel(own, g, test, setting),
        "samples": (len(train), len(test)),
    }


def _in_order(scores: Mapping[str, Score]) -> dict[str, Score]:
    return {name: scores[name] for name in SYSTEMS if name in scores}


def _tests(scores: Mapping[str, Score]) -> dict[str, Any]:
    return {
        name: compare(scores["SemiNMF"], score)
        for name, score in scores.items()
        if name != "SemiNMF" and len(score.defined) > 1
    }


def _panel(cd: ConceptDictionary, g: Grounding, test: Representations, setting: _Setting, n: int = 2) -> Panel:
    states, ids, captions = test.layer(cd.layer)[:n], test.sample_ids[:n], test.captions[:n]
    samples = interpret_states(cd, g, states, ids, captions, min(3, cd.n_concepts))
    exemplars = list(dict.fromkeys(i for one in samples for part in one.parts for i in part.exemplars))
    small = [thumbnail(image, 128) for image in images_by_id(setting.train_images.data, exemplars)]
    own = tuple(thumbnail(image, 192) for image in images_by_id(setting.test_images.data, ids))
    return Panel(samples, own, dict(zip(exemplars, small, strict=True)))
