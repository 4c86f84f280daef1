"""``reproduce``: the paper's evaluation in one call: its tables, its curves, and whether its claims hold."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import pandas

from ..data.loading import captioned
from ..errors import DataError, NbtoolkitError
from ..extraction import extract
from ..files import user_path
from ..metrics import (
    Comparison,
    Score,
    caption_clip_score,
    captions_bert_score,
    compare,
    evaluate,
    on_common_samples,
    overlap,
    stability,
    top_words_bert_score,
)
from ..models.adapter import Model
from ..models.scorers import Scorer
from ..naming import choose_naming
from ..studies.baselines import noise_representations
from ..studies.image_embeddings import ImageEmbeddings
from ..studies.sweeps import sweep
from ..text.words import vocabulary
from ..types import Naming, Representations, resolve_layer, resolve_layers
from ..types.arguments import checked
from ..types.rules import Count, Number, Rule
from .causes import causal
from .encoders import choose_encoder
from .panels import panel
from .results import Reproduction
from .settings import Settings, settings_of
from .sizes import held_out
from .systems import METHODS, SYSTEMS, Context, Replicate, Systems, learn, replicates

Array = np.ndarray
SIZES = (10, 20, 30, 50)
N_REPLICATES = 5  # dictionaries learnt again, for the variance of a method
CENTRED = {"paper": "centred", "norm": "norm-centred", "centred": "centred", "norm-centred": "norm-centred"}
N_ABLATIONS = 10  # concepts per method, for the causal column


@checked
def reproduce(
    model: Model,
    data: Any,
    test_data: Any,
    tokens: Sequence[str],
    scorer: Scorer,
    *,
    settings: str | Settings = "nbtoolkit",
    n_concepts: Count = 20,
    layer: int = -1,
    layers: str | int | Sequence[int] = "all",
    sizes: Annotated[Sequence[Count], Rule(rows=1)] = SIZES,
    random_state: int = 0,
    n_replicates: Number = N_REPLICATES,
    n_ablations: Number = N_ABLATIONS,
    encoder: Any = "auto",
    naming: str | Naming | None = None,
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
    settings
        ``"paper"``: as printed, λ = 1, words without the final norm, among a concept's 15 top tokens. ``"released"``: as in
        the authors' code, λ = 2 (``alpha=1`` of scikit-learn's halved loss), at most 10 words among 50 tokens.
        ``"nbtoolkit"``: λ by the norm of the states (``alpha="auto"``), a measured naming rule, whole words among 200 tokens.
        Or a :class:`nbtoolkit.reproduction.Settings`. K = 20 and the last layer are the same in all of them.
    n_concepts, layer, random_state
        The paper's K and L, and the seed.
    layers
        Layers of Figure 6: ``"all"``, a layer or a list; negative ones count from the last.
    sizes
        Numbers of concepts of Figures 11 and 12; the choice of K is by training rows that are held out, not by test samples.
    n_replicates
        Number of times that every dictionary is learnt again, with another seed from a random half of the training rows;
        the intervals of the CLIPScore and the overlap of a method include their variance, and the stability is that of
        these dictionaries. Not done for a token with fewer than 2 K samples, nor for BERTScore.
    n_ablations
        Number of concepts per method whose direction is ablated, for the causal column; 0 for none.
    encoder
        A text encoder (:func:`nbtoolkit.models.load_text_encoder`) for BERTScore, or its hub id; ``"auto"``: what is at hand
        without a download (:func:`nbtoolkit.reproduction.encoders.choose_encoder`); None for none.
    naming
        As for :func:`nbtoolkit.ground`, in place of the rule of the settings; ``"auto"`` is measured on the states of each
        token.
    cache
        Folder for extractions and dictionaries, so that a stopped run resumes.
    progress
        Called with the name of each stage.

    Raises
    ------
    NbtoolkitError
        No token could be evaluated.
    DataError
        Two images of one id.
    MethodError
        Unknown settings.
    LayerError
        A layer that the model does not have.

    References
    ----------
    Parekh et al. 2024, section 4 and appendices C to F.
    """
    variant, layer = settings_of(settings), resolve_layer(layer, model.n_layers)
    curve = resolve_layers(layers, model.n_layers, first=1)
    if not tokens:
        raise NbtoolkitError("No token could be evaluated: there are none. Give words such as ['dog'].")
    data, test_data = _checked(data, "data"), _checked(test_data, "test_data")
    say = progress or (lambda _: None)
    images = ImageEmbeddings(data, scorer), ImageEmbeddings(test_data, scorer)
    text = choose_encoder(encoder, scorer, data["captions"])
    words = vocabulary(data["captions"])
    context = Context(
        model, *images, variant, n_concepts, layer, random_state, words, n_replicates, text.embed, n_ablations
    )
    by_token: dict[str, dict[str, Any]] = {}
    states: dict[str, list[Representations]] = {}
    cache = None if cache is None else user_path(cache)
    left_out: dict[str, str] = {}
    rules: dict[str, Naming] = {}
    for token in dict.fromkeys(tokens):
        say(f"{token}: reading")
        try:
            train, noise, test = _read(context, token, cache, max(n_concepts, *sizes))
            say(f"{token}: {len(train)} samples, {len(test)} to test on")
            rule = choose_naming(variant.naming if naming is None else naming, model, train)
            by_token[token] = _evaluate(context, train, noise, test, rule, sizes)
        except NbtoolkitError as error:
            left_out[token] = str(error)
            continue
        states[token], rules[token] = [train, test], rule
    if not by_token:
        raise NbtoolkitError(f"No token could be evaluated: {left_out}.")
    tables = _sweeps(context, states, rules, curve, sizes, cache, say)
    results: dict[str, Any] = {
        name: {t: values[name] for t, values in by_token.items()} for name in next(iter(by_token.values()))
    }
    about: dict[str, Any] = {"settings": variant, "encoder": text.note, "n_vocabulary": len(words)}
    about |= {"n_concepts": n_concepts, "layer": layer, "random_state": random_state}
    return Reproduction(layers=tables[0], sizes=tables[1], model=repr(model), left_out=left_out, **about, **results)


def _checked(data: Any, name: str) -> Any:
    """Captioned data with an id per image."""
    data = captioned(data)
    repeated = next((i for i, n in Counter(data["id"]).items() if n > 1), None)
    if repeated is not None:
        raise DataError(
            f"The id {repeated!r} occurs more than once in {name}; expected one id per image. Give every image its own id."
        )
    return data


def _read(context: Context, token: str, cache: Any, n: int) -> list[Representations]:
    """Representations of a token to learn n concepts from, of the same captions after noise images, and to test on."""

    def out(name: str) -> Path | None:
        return None if cache is None else Path(cache) / f"{token}-{name}"

    model, data = context.model, context.train_images.data
    train = extract(model, data, token, progress=False, out=out("train"))
    test = extract(model, context.test_images.data, token, progress=False, out=out("test"))
    if len(train) < n:
        raise NbtoolkitError(f"{len(train)} samples; expected at least {n} to learn as many concepts")
    seed = context.random_state
    noise = noise_representations(model, data, train, random_state=seed, progress=False, out=out(f"noise-{seed}"))
    return [train, noise, test]


def _sweeps(
    context: Context,
    states: Mapping[str, Sequence[Representations]],
    rules: Mapping[str, Naming],
    layers: Sequence[int],
    sizes: Sequence[int],
    cache: str | os.PathLike[str] | None,
    say: Callable[[str], Any],
) -> tuple[pandas.DataFrame, pandas.DataFrame]:
    """Scores by layer, and by number of concepts."""
    train, test = ({token: pair[i] for token, pair in states.items()} for i in (0, 1))
    shared: dict[str, Any] = {
        "data": context.train_images,
        "scorer": context.train_images.scorer,
        "methods": [context.settings.semi_nmf()],
        "naming": rules,
        "filter": context.settings.filter,
        "random_states": [context.random_state],
        "cache": None if cache is None else Path(cache) / "sweeps",
        "progress": False,
    }
    say("layers")
    by_layer = sweep(context.model, train, layers=list(layers), n_concepts=[context.n_concepts], **shared)
    say("numbers of concepts")
    shared |= {"test": test, "test_data": context.test_images}
    return by_layer, sweep(context.model, train, layers=[context.layer], n_concepts=list(sizes), **shared)


def _evaluate(
    context: Context,
    train: Representations,
    noise: Representations,
    test: Representations,
    naming: Naming,
    sizes: Sequence[int],
) -> dict[str, Any]:
    """All of one token but its sweeps, by the names of the fields of :class:`Reproduction`."""
    one = learn(context, train, noise, test.layer(context.layer), naming, context.random_state)
    own, g = one.dictionaries["SemiNMF"], one.groundings["SemiNMF"]
    images = context.test_images(test.sample_ids)
    scores = one.clip_scores(images, context)
    scores["GT-captions"] = caption_clip_score(test.references, images, context.test_images.texts)
    texts = _text_scores(context, one, test)
    again = list(replicates(context, train, noise, test, naming))
    runs = {name: np.stack([r.scores.get(name, scores[name]).values for r in again]) for name in scores if again}
    random = one.systems["Rnd-Words"][1]
    return {
        "scores": _in_order(scores),
        "texts": _in_order(texts),
        "overlaps": {name: overlap(one.groundings[name].words).mean for name in METHODS},
        "random_overlaps": overlap(random).mean,
        "centred_overlaps": overlap(context.ground(own, Naming(CENTRED[naming.rule])).words).mean,
        "tests": _tests(scores, runs),
        "text_tests": _tests(texts, {}),
        "grounding": evaluate(
            own, g, images=context.train_images, texts=context.train_images.texts, random_words=random
        ),
        "groundings": g,
        "words": {name: [list(w) for w in one.groundings[name].words] for name in METHODS},
        "panels": panel(own, g, test, context),
        "samples": (len(train), len(test)),
        "replicates": runs,
        "overlap_replicates": {m: np.array([r.overlaps[m] for r in again]) for m in METHODS},
        "stability": _stability(context, again, train),
        "held_out": held_out(context, train, sizes),
        "causal": causal(context, one, test),
        "dead": {m: int((np.abs(one.dictionaries[m].activations).max(0) <= 0).sum()) for m in METHODS},
        "lambdas": float(own.encoder.alpha_),  # type: ignore[union-attr] # a fresh Semi-NMF has its estimator
    }


def _text_scores(context: Context, one: Systems, test: Representations) -> dict[str, Score]:
    """BERTScore of every system; none without an encoder."""
    if context.encoder is None:
        return {}
    references, embed = test.references, context.encoder
    texts = {name: top_words_bert_score(V, words, references, embed) for name, (V, words) in one.systems.items()}
    return texts | {"GT-captions": captions_bert_score(references, embed)}


def _stability(context: Context, again: Sequence[Replicate], train: Representations) -> dict[str, Any]:
    """Stability of each method over the dictionaries that were learnt again; empty for fewer than two."""
    if len(again) < 2:
        return {}
    states, seed = train.layer(context.layer), context.random_state
    return {m: stability([r.concepts[m] for r in again], states=states, random_state=seed) for m in METHODS}


def _in_order(scores: Mapping[str, Score]) -> dict[str, Score]:
    return {name: scores[name] for name in SYSTEMS if name in scores}


def _tests(scores: Mapping[str, Score], runs: Mapping[str, Array]) -> dict[str, Comparison]:
    """Semi-NMF against every other system, on the samples where all of them are defined."""
    common, _ = on_common_samples(scores)
    return {
        name: compare(
            common["SemiNMF"],
            score,
            replicates=(runs["SemiNMF"], runs[name]) if name in runs else None,
            paired=True,
        )
        for name, score in common.items()
        if name != "SemiNMF" and min(len(score.defined), len(common["SemiNMF"].defined)) > 1
    }
