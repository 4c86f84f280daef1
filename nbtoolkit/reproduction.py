"""The paper's whole evaluation in one call: its tables, its curves, and whether its claims hold here."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .baselines import noise_representations, random_words
from .data import captioned, images_by_id, thumbnail, vocabulary
from .decomposition import decompose
from .errors import NbtoolkitError
from .extraction import extract
from .grounding import ground
from .interpretation import Interpretation, take_apart
from .metrics import (
    Score,
    caption_clip_score,
    captions_bert_score,
    compare,
    evaluate,
    overlap,
    top_words_bert_score,
    top_words_clip_score,
)
from .sweeps import Pictures, sized, sweep
from .types import ConceptDictionary, Grounding, Representations, Scores

if TYPE_CHECKING:
    import pandas

    from .models import Model, Scorer

METHODS = ("SemiNMF", "KMeans", "PCA", "LargestNorm")
SYSTEMS = ("Rnd-Words", "Noise-Imgs", "LargestNorm", "PCA", "KMeans", "SemiNMF", "GT-captions")
SIZES = (10, 20, 30, 50)


@dataclass(frozen=True, eq=False)
class Reproduction:
    """What was found.

    Attributes
    ----------
    scores
        Token to system to its CLIPScore on test pictures, a value a picture (Tables 1 and 9).
    overlaps
        Token to method to its overlap (Tables 2 and 10).
    tests
        Token to system to the comparison of Semi-NMF with it (Table 11).
    texts, text_tests
        The same for BERTScore, where a text encoder was given; else nothing for every token.
    grounding
        Token to the scores of its Semi-NMF dictionary, for Figure 3.
    layers, sizes
        Tables of :func:`nbtoolkit.sweep` over layers (Figure 6) and numbers of concepts (Figures 11 and 12).
    groundings, panels, samples
        Token to its Semi-NMF grounding, to test samples taken apart (Figure 5), and to (train, test) numbers of samples
        (Table 7).
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
        import pandas

        rows: list[dict[str, Any]] = []
        for token in self.scores:
            for metric, systems, tests in (
                ("clip_score", self.scores[token], self.tests[token]),
                ("bert_score", self.texts[token], self.text_tests[token]),
            ):
                for name, score in systems.items():
                    low, high = score.interval()
                    p = tests[name].t_p if name in tests else float("nan")
                    rows.append({"token": token, "system": name, "metric": metric, "mean": score.mean, "std": score.std, "low": low, "high": high,
                                 "n": len(score.defined), "p": p})  # fmt: skip
            rows += [
                {"token": token, "system": name, "metric": "overlap", "mean": value}
                for name, value in self.overlaps[token].items()
            ]
        return pandas.DataFrame(rows)

    def claims(self) -> list[tuple[str, int, int]]:
        """The paper's claims, and for how many of how many words they hold here."""
        tokens = list(self.scores)

        n, last = len(tokens), self.layers["layer"].max()
        by_layer, chance = (
            self.layers.pivot_table(index="token", columns="layer", values=v)
            for v in ("clip_score", "clip_score_random")
        )
        errors = self.sizes.pivot_table(index="token", columns="n_concepts", values="reconstruction_error")

        def better(a: str, b: str) -> int:
            return sum(self.scores[t][a].mean > self.scores[t][b].mean for t in tokens)

        def cleaner(a: str, b: str) -> int:
            return sum(self.overlaps[t][a] < self.overlaps[t][b] for t in tokens)

        best = sum(self.scores[t]["GT-captions"].mean >= max(s.mean for s in self.scores[t].values()) for t in tokens)
        fewest = sum(min(self.overlaps[t].items(), key=lambda item: item[1])[0] == "PCA" for t in tokens)
        return [
            ("Concepts' words fit test pictures better than random words (Table 1)", better("SemiNMF", "Rnd-Words"), n),
            ("… and better than those learnt from noise (Table 1)", better("SemiNMF", "Noise-Imgs"), n),
            ("Own captions fit best of all (Table 1)", best, n),
            ("Semi-NMF fits better than PCA (Table 9)", better("SemiNMF", "PCA"), n),
            ("Semi-NMF fits better than the Simple baseline, LargestNorm (Table 1: 3 of 4 words)", better("SemiNMF", "LargestNorm"), n),
            ("Semi-NMF's concepts share fewer words than K-Means' (Table 2)", cleaner("SemiNMF", "KMeans"), n),
            ("… and than LargestNorm's (Table 2)", cleaner("SemiNMF", "LargestNorm"), n),
            ("PCA's concepts share the fewest words (Table 2)", fewest, n),
            ("At the last layer words fit better than random words (Figure 6)", int((by_layer[last] > chance[last]).sum()), n),
            ("Words fit better at the last layer than at the first (Figure 6)", int((by_layer[last] > by_layer[by_layer.columns[0]]).sum()), n),
            ("More concepts rebuild the states better (Figure 11)", int((errors.diff(axis=1).iloc[:, 1:] <= 0).all(axis=1).sum()), n),
        ]  # fmt: skip


@dataclass(frozen=True)
class Panel:
    """Test samples taken apart, for Figure 5: their interpretations, their pictures, and the exemplars' (JPEG)."""

    interpretations: tuple[Interpretation, ...]
    images: tuple[bytes, ...]
    exemplars: Mapping[str, bytes]


def reproduce(model: Model, data: Any, test_data: Any, tokens: Sequence[str], scorer: Scorer, *, n_concepts: int = 20, layer: int = -1,
              sizes: Sequence[int] = SIZES, random_state: int = 0, encoder: Any = None, cache: str | os.PathLike[str] | None = None,
              progress: Callable[[str], None] | None = None) -> Reproduction:  # fmt: skip
    """Run the evaluation of CoX-LMM for several words.

    Parameters
    ----------
    model, scorer
        The model, and a CLIP judge.
    data, test_data
        Captioned pictures to learn from, and to test on.
    tokens
        The words; one that too few pictures have is left out, with the reason.
    n_concepts, layer, sizes, random_state
        The paper's K and L, the K of its Figures 11 and 12, and the seed.
    encoder
        A text encoder (:func:`nbtoolkit.models.load_text_encoder`) for BERTScore; none without one.
    cache
        Folder that keeps extractions and dictionaries, so that a run that was stopped goes on.
    progress
        Called with what is being done.

    References
    ----------
    Parekh et al. 2024, section 4 and appendices C to F.
    """
    data, test_data = captioned(data), captioned(test_data)
    say = progress or (lambda _: None)
    known, look, see = vocabulary(data["captions"]), Pictures(data, scorer), Pictures(test_data, scorer)
    found: dict[str, dict[str, Any]] = {
        name: {}
        for name in (
            "scores",
            "overlaps",
            "tests",
            "texts",
            "text_tests",
            "grounding",
            "groundings",
            "panels",
            "samples",
        )
    }
    train, held, left_out = {}, {}, {}
    for token in tokens:
        say(f"{token}: reading")
        try:
            train[token], held[token] = (
                extract(model, d, token, progress=False, out=None if cache is None else Path(cache) / f"{token}-{name}")
                for d, name in ((data, "train"), (test_data, "test"))
            )
            if len(train[token]) < max(n_concepts, *sizes):
                raise NbtoolkitError(
                    f"{len(train[token])} samples; expected at least {max(n_concepts, *sizes)} to learn as many concepts"
                )
        except NbtoolkitError as error:
            train.pop(token, None)
            left_out[token] = str(error)
            continue
        say(f"{token}: {len(train[token])} samples, {len(held[token])} to test on")
        one = _evaluate(model, look, see, train[token], held[token], encoder, n_concepts, layer, random_state, known)
        for name, value in one.items():
            found[name][token] = value
    if not train:
        raise NbtoolkitError(f"No word could be evaluated: {left_out}.")
    say("layers")
    kept = None if cache is None else Path(cache) / "sweeps"
    shared: dict[str, Any] = {
        "data": look,
        "scorer": scorer,
        "random_states": [random_state],
        "cache": kept,
        "progress": False,
    }
    layers = sweep(model, train, layers=range(1, model.n_layers + 1), n_concepts=[n_concepts], **shared)
    say("numbers of concepts")
    test = {t: held[t] for t in train}
    by_size = sweep(model, train, layers=[layer], n_concepts=list(sizes), test=test, test_data=see, **shared)
    return Reproduction(layers=layers, sizes=by_size, model=repr(model), left_out=left_out, **found)


def _evaluate(model: Model, look: Pictures, see: Pictures, train: Representations, held: Representations, encoder: Any, k: int,
              layer: int, seed: int, known: frozenset[str]) -> dict[str, Any]:  # fmt: skip
    states = held.layer(layer)
    dictionaries = {method: decompose(train, sized(method, k, seed), layer=layer) for method in METHODS}
    noise = noise_representations(model, look.data, train, random_state=seed, progress=False)
    dictionaries["Noise-Imgs"] = decompose(noise, sized("SemiNMF", k, seed), layer=layer)
    groundings = {name: ground(cd, model, vocabulary=known) for name, cd in dictionaries.items()}
    said = {name: (cd.encode(states), groundings[name].words) for name, cd in dictionaries.items()}
    own, words = dictionaries["SemiNMF"], groundings["SemiNMF"]
    said["Rnd-Words"] = said["SemiNMF"][0], random_words(model, words, vocabulary=known, random_state=seed).words
    pictures = see(held.sample_ids)
    scores = {name: top_words_clip_score(V, w, pictures, see.texts) for name, (V, w) in said.items()}
    scores["GT-captions"] = caption_clip_score(held.references, pictures, see.texts)
    texts = {}
    if encoder is not None:
        texts = {name: top_words_bert_score(V, w, held.references, encoder) for name, (V, w) in said.items()}
        texts["GT-captions"] = captions_bert_score(held.references, encoder)
    pairs = evaluate(own, words, images=look, texts=look.texts, random_state=seed)
    overlaps = {name: overlap(groundings[name].words).mean for name in METHODS}
    return {"scores": _in_order(scores), "texts": _in_order(texts), "overlaps": overlaps, "tests": _tests(scores), "text_tests": _tests(texts),
            "grounding": pairs, "groundings": words, "panels": _panel(own, words, held, layer, look.data, see.data),
            "samples": (len(train), len(held))}  # fmt: skip


def _in_order(scores: Mapping[str, Score]) -> dict[str, Score]:
    return {name: scores[name] for name in SYSTEMS if name in scores}


def _tests(scores: Mapping[str, Score]) -> dict[str, Any]:
    return {
        name: compare(scores["SemiNMF"], score)
        for name, score in scores.items()
        if name != "SemiNMF" and len(score.defined) > 1
    }


def _panel(
    cd: ConceptDictionary, g: Grounding, held: Representations, layer: int, data: Any, test_data: Any, n: int = 2
) -> Panel:
    found = take_apart(cd, g, held.layer(layer)[:n], held.sample_ids[:n], held.captions[:n], min(3, cd.n_concepts))
    shown = list(dict.fromkeys(i for one in found for part in one.parts for i in part.exemplars))
    small = [thumbnail(p, 128) for p in images_by_id(data, shown)]
    return Panel(
        found,
        tuple(thumbnail(p, 192) for p in images_by_id(test_data, held.sample_ids[:n])),
        dict(zip(shown, small, strict=True)),
    )
