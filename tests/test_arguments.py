"""Every public function with bad arguments of each kind: the right result, or one sentence of ours; no other exception.

The functions are found by introspection: one without valid arguments here fails, so a new one is tested from its first day.
"""

import contextlib
import functools
import importlib
import inspect
import math
import types as python_types
import warnings

import numpy as np
import pandas
import pytest
from PIL import Image

import nbtoolkit as nbt
from nbtoolkit import attribution
from nbtoolkit.attribution.local import Interpretation, Part
from nbtoolkit.data import thumbnail
from nbtoolkit.storage.study import Sample


@pytest.fixture(autouse=True)
def _folder_of_its_own(tmp_path, monkeypatch):
    """Relative paths among the bad arguments write here."""
    monkeypatch.chdir(tmp_path)


PACKAGES = ["", "metrics", "interventions", "attribution", "plots", "decomposition", "studies", "toy", "toy.benchmark", "reproduction",
            "extraction", "models", "live", "targets", "lens"]  # fmt: skip
N, D, K = 12, 6, 3


def _matrix(n=N, d=D, seed=0):
    return np.random.default_rng(seed).normal(size=(n, d)).astype(np.float32)


IDS = [f"p{i}" for i in range(N)]
WORDS = [["sun", "day"], ["sea"], ["dog", "cat"]]
FACTORS = [{"animal": "dog" if i % 2 else "cat"} for i in range(N)]
MEANING = {"dog": ("animal", "dog"), "sun": ("animal", "cat")}


@functools.cache
def reps():
    return nbt.Representations(np.stack([_matrix(seed=0), _matrix(seed=1)], 1), IDS, ["a dog"] * N, [1] * N)


@functools.cache
def cd(seed=0):
    return nbt.decompose(reps(), nbt.SemiNMF(K, random_state=seed))


@functools.cache
def grounding():
    return nbt.Grounding(WORDS, [["p1"], ["p2"], ["p3"]])


@functools.cache
def study():
    samples = [Sample(i, "a dog", ("a dog",), thumbnail(Image.new("RGB", (8, 8))), ("a ", "dog"), 1) for i in IDS]
    return nbt.Study("dog", {1: cd()}, {1: grounding()}, samples, reps(), {1: nbt.Scores({"clip_score": 0.2})})


@functools.cache
def model():
    return nbt.load_model("toy")


@functools.cache
def data():
    return nbt.load_data("toy", n=40)


@functools.cache
def explained():
    return nbt.target(model(), data()[0]["image"], "dog", response="a dog", foil="cat")


@functools.cache
def image_map():
    return nbt.attribution.gradient_x_input(explained())


@functools.cache
def bank():
    return nbt.lens.ContextualBank.of(model(), nbt.load_data("toy", n=4), layers=[1])


@functools.cache
def toy_reps():
    return nbt.extract(model(), data(), "dog", layers=[3, 5], progress=False)


@functools.cache
def toy_cd():
    return nbt.decompose(toy_reps(), nbt.SemiNMF(2, random_state=0), layer=3)


@functools.cache
def toy_grounding():
    return nbt.Grounding([["sun"], ["sea"]], [[], []])


@functools.cache
def one():
    row = attribution.mentions(model(), data()["image"], "dog").rows[0]
    return attribution.mentions(model(), [data()["image"][row]], "dog")


@functools.cache
def image():
    return data()["image"][0]


@functools.cache
def scene():
    return nbt.toy.scenes(1, world="second")[0]


def contributions_of_three():
    return attribution.Contributions(V, V, V / 2, None, V * 1.5, V.sum(1))


def few_rows():
    return nbt.toy.benchmark.Task("few rows", model="toy", n=12, n_test=12, n_concepts=2)


@functools.cache
def benchmarked():
    return nbt.toy.benchmark.run({"mine": nbt.SemiNMF()}, tasks=[few_rows()])


def embed(texts):
    return np.eye(D)[[hash(t) % D for t in texts]] if len(texts) else np.zeros((0, D))


def embed_tokens(texts):
    return [(np.eye(D)[:2], np.ones(2)) for _ in texts]


def score(seed=0):
    return nbt.metrics.Score(np.random.default_rng(seed).normal(size=N))


def _log_probability(states):
    return states.sum(1)


def _interpretation():
    return Interpretation("p1", "a dog", (Part(1, 0.5, 1.0, ("sun",), ("p1",)),), 0.25)


V = np.abs(_matrix(N, K))
U = _matrix(K)
VALID = {
    "check_model": lambda: {"model": model(), "images": None, "prompt": None, "max_new_tokens": 2},
    "compare": lambda: {"a": score(), "b": score(1), "replicates": None, "paired": True, "n_resamples": 19, "random_state": 0},
    "decompose": lambda: {"reps": reps(), "method": nbt.SemiNMF(K, random_state=0), "layer": -1},
    "evaluate": lambda: {"cd": cd(), "grounding": grounding(), "images": embed, "texts": embed, "factors": FACTORS, "meaning": MEANING,
                         "n_words": 2, "random_words": None, "random_state": 0},
    "explore": lambda: {"study": study(), "model": None, "data": None, "prompt": None, "directions": None},
    "extract": lambda: {"model": model(), "data": data(), "token": "dog", "out": None, "progress": False, "engine": None, "cancel": None,
                        "options": None},
    "ground": lambda: {"cd": toy_cd(), "model": model(), "n_words": 2, "n_exemplars": 2, "filter": "default", "vocabulary": None,
                       "naming": None, "norm": None, "centred": None},
    "inspect": lambda: {"subject": explained(), "image": None, "word": None, "question": None, "response": None, "foil": None, "study": None,
                        "other": None, "compute": (), "steps": ()},
    "interpret": lambda: {"model": model(), "images": [image()], "cd": toy_cd(), "g": toy_grounding(), "token": "dog", "r": 2, "ids": None,
                          "progress": False, "options": None},
    "list_decompositions": dict,
    "load_data": lambda: {"source": "toy", "split": None, "image": None, "captions": None, "id": None, "n": 4, "images": None, "config": None,
                          "streaming": False},
    "load_model": lambda: {"source": "toy", "processor": None, "device": "auto", "dtype": "auto", "check": False, "revision": None,
                           "device_map": None, "quantization_config": None, "attn_implementation": None, "system": "", "max_image_tokens": None},
    "load_scorer": lambda: {"source": "toy"},
    "open_study": lambda: {"path": "nowhere.study"},
    "read_sae": lambda: {"path": "nowhere"},
    "read_xl_vlms": lambda: {"path": "nowhere", "token": "dog", "model": "", "n_layers": None},
    "saliency": lambda: {"model": model(), "image": image(), "cd": toy_cd(), "concept": 0, "prompt": None},
    "study": lambda: {"model": model(), "data": data(), "token": "dog", "method": nbt.SemiNMF(2, random_state=0), "layers": [3], "scorer": None,
                      "n_words": 2, "n_exemplars": 2, "filter": "default", "naming": "paper", "out": None, "progress": False, "engine": None,
                      "cancel": None, "options": None},
    "sweep": lambda: {"model": model(), "reps": {"dog": toy_reps()}, "layers": [3], "methods": ["SemiNMF"], "n_concepts": [2],
                      "random_states": [0], "test": None, "data": None, "test_data": None, "scorer": None, "naming": "paper",
                      "filter": "default", "cache": None, "progress": False},
    "metrics.active_concepts": lambda: {"activations": V, "threshold": 1e-6},
    "metrics.bert_score": lambda: {"candidates": ["a dog"], "references": [["the dog"]], "embed": embed_tokens, "baseline": 0.0},
    "metrics.c_deletion": lambda: {"states": _matrix(), "activations": V, "concepts": U, "log_probability": _log_probability, "order": None,
                                   "n_null": 2, "random_state": 0},
    "metrics.c_insertion": lambda: {"states": _matrix(), "activations": V, "concepts": U, "log_probability": _log_probability, "order": None,
                                    "n_null": 2, "random_state": 0},
    "metrics.caption_clip_score": lambda: {"captions": [["a dog"]] * N, "images": _matrix(), "texts": embed},
    "metrics.captions_bert_score": lambda: {"references": [["a dog", "the dog"]], "embed": embed_tokens},
    "metrics.clip_score": lambda: {"cosines": V},
    "metrics.compare_dictionaries": lambda: {"a": cd(), "b": cd(1), "measure": "auto", "states": _matrix(), "random_state": 0},
    "metrics.concept_shift": lambda: {"before": reps(), "after": reps(), "cd": cd(), "tuned": cd(1), "alpha": 1.0},
    "metrics.constant_clip_score": lambda: {"token": "dog", "images": _matrix(), "texts": embed},
    "metrics.correspondence": lambda: {"grounding": grounding(), "images": embed, "texts": embed, "random_words": None, "random_state": 0},
    "metrics.dictionary_interval": lambda: {"values": V[:, 0], "replicates": np.abs(_matrix(3, N)), "level": 0.9},
    "metrics.exceedance": lambda: {"observed": 0.5, "null": V[:, 0], "two_sided": False},
    "metrics.exchanged": lambda: {"concepts": U, "random_state": 0},
    "metrics.explained_variance": lambda: {"states": _matrix(), "reconstruction": _matrix(seed=1)},
    "metrics.gaussian_surrogate": lambda: {"states": _matrix(), "random_state": 0, "n": 5},
    "metrics.holm": lambda: {"p_values": [0.1, 0.02]},
    "metrics.hoyer": lambda: {"activations": V},
    "metrics.match": lambda: {"a": U, "b": _matrix(4)},
    "metrics.matched_cosines": lambda: {"a": U, "b": _matrix(4)},
    "metrics.naming": lambda: {"activations": V, "words": WORDS, "factors": FACTORS, "meaning": MEANING},
    "metrics.of_top_concepts": lambda: {"activations": V, "scores": V, "r": 1, "name": "score"},
    "metrics.on_common_samples": lambda: {"scores": {"a": score(), "b": score(1)}},
    "metrics.overlap": lambda: {"words": WORDS},
    "metrics.random_order": lambda: {"activations": V, "random_state": 0},
    "metrics.random_rows": lambda: {"states": _matrix(), "n": 3, "random_state": 0},
    "metrics.rotated": lambda: {"concepts": U, "random_state": 0},
    "metrics.specificity": lambda: {"activations": V, "truth": V > 0.5, "threshold": 0.5},
    "metrics.stability": lambda: {"dictionaries": [U, _matrix(K, seed=1)], "states": _matrix(), "other": None, "random_state": 0},
    "metrics.t_overlap": lambda: {"words": WORDS, "others": WORDS},
    "metrics.top_words_bert_score": lambda: {"activations": V, "words": WORDS, "references": [["a dog"]] * N, "embed": embed_tokens, "n_words": 2},
    "metrics.top_words_clip_score": lambda: {"activations": V, "words": WORDS, "images": _matrix(), "texts": embed, "r": 1, "n_words": 2},
    "metrics.word_list": lambda: {"words": ["sun", "sea"]},
    "interventions.ablate": lambda: {"model": model(), "layers": [1], "part": "block", "how": "mean", "heads": None,
                                     "neurons": None, "means": {1: np.ones(128)}, "direction": None},
    "metrics.match_layers": lambda: {"a": cd(), "b": cd(1), "random_state": 0},
    "metrics.threads": lambda: {"study": study(), "random_state": 0},
    "interventions.causal_selectivity": lambda: {"model": model(), "images": [image()], "concepts": np.eye(1, 128), "names": [["dog"]], "layer": 3,
                                                 "facts": None, "prompt": None, "n_images": 1, "n_null": 1, "random_state": 0,
                                                 "max_new_tokens": 2, "progress": False},
    "interventions.concept_pair": lambda: {"cd": cd(), "i": 0, "j": 1},
    "interventions.difference_of_means": lambda: {"source": reps(), "target": reps(), "layer": -1},
    "interventions.effect": lambda: {"targets": one(), "cd": toy_cd(), "intervention": contextlib.nullcontext, "max_new_tokens": 2},
    "interventions.layer_effects": lambda: {"targets": one(), "layers": [1], "part": "block", "how": "mean", "means": {1: np.ones(128)},
                                            "direction": None, "n_random": 1, "other": None, "random_state": 0, "progress": None},
    "models.respond": lambda: {"model": model(), "inputs": model().inputs([image()]), "max_new_tokens": 2},
    "targets.other_image": lambda: {"image": image()},
    "interventions.knock_out": lambda: {"model": model(), "sources": [1, 2], "targets": [3], "layers": [1], "heads": [0]},
    "interventions.mask_patches": lambda: {"target": explained(), "patches": [0, 1]},
    "interventions.mean_contributions": lambda: {"model": model(), "images": [image()], "layers": [1], "part": "block", "prompt": None},
    "interventions.patch": lambda: {"model": model(), "layer": 1, "states": np.zeros((1, 1, 128)), "positions": [0]},
    "interventions.steer": lambda: {"model": model(), "layers": [1], "vector": np.ones(128), "scale": 1.0, "positions": [0]},
    "interventions.concept_unit": lambda: {"cd": cd(), "k": 0},
    "interventions.typical_coefficient": lambda: {"cd": cd(), "k": 0},
    "interventions.unembedding_direction": lambda: {"model": model(), "word": "snow", "states": np.ones((1, 128)), "length": 1.0},
    "interventions.word_contrast": lambda: {"reps": reps(), "word": "snow", "layer": -1},
    "interventions.word_difference": lambda: {"before": "a dog", "after": "a cat"},
    "attribution.contributions": lambda: {"targets": one(), "cd": toy_cd(), "quantity": "auto", "foil": None, "n_steps": 2},
    "attribution.interpret_states": lambda: {"cd": cd(), "g": grounding(), "states": _matrix(), "ids": IDS, "captions": ["a dog"] * N, "r": 2},
    "attribution.mentions": lambda: {"model": model(), "images": [image()], "token": "dog", "variants": (), "answers": ["a dog"], "prompt": None,
                                     "max_new_tokens": 2},
    "attribution.patch_scores": lambda: {"model": model(), "image": image(), "cd": toy_cd(), "prompt": None},
    "attribution.saliencies": lambda: {"model": model(), "image": image(), "cd": toy_cd(), "prompt": None},
    "plots.across_layers": lambda: {"study": study(), "concept": 0, "layer": -1, "layers": None, "n_images": 2, "n_words": 2},
    "plots.attribution": lambda: {"result": contributions_of_three(), "row": None, "names": ["a", "b", "c"], "n_concepts": 2},
    "plots.concept_cards": lambda: {"study": study(), "layer": -1, "concepts": [0], "n_images": 2, "n_words": 2, "columns": 2},
    "plots.correspondence": lambda: {"scores": {"a": study().scores[1]}, "name": "clip_score"},
    "plots.curves": lambda: {"table": pandas.DataFrame({"token": ["a", "a"], "x": [1, 2], "y": [0.1, 0.2]}), "x": "x", "y": "y", "by": "token",
                             "random": None},
    "plots.local": lambda: {"interpretations": [_interpretation()], "images": [Image.new("RGB", (8, 8))], "pictures": {}, "n_images": 1, "n_words": 2},
    "plots.river": lambda: {"study": study(), "layers": None, "thread": None, "width": 3.0, "height": 2.0, "images": False, "random_state": 0},
    "plots.saliency_map": lambda: {"images": [Image.new("RGB", (8, 8))], "scores": [np.ones((2, 2))], "titles": ["dog"]},
    "decomposition.named": lambda: {"name": "SemiNMF"},
    "decomposition.reconstruct": lambda: {"estimator": cd().encoder, "activations": V},
    "decomposition.relative_error": lambda: {"Z": _matrix(), "reconstruction": _matrix(seed=1)},
    "decomposition.unexplained": lambda: {"Z": _matrix(), "reconstruction": _matrix(seed=1)},
    "toy.masks": lambda: {"row": scene()},
    "toy.parse": lambda: {"caption": "a dog", "world": "first"},
    "toy.render": lambda: {"row": scene()},
    "toy.scenes": lambda: {"n": 1, "random_state": 0, "split": "train", "world": "first"},
    "toy.benchmark.methods": dict,
    "toy.benchmark.quick_tasks": dict,
    "toy.benchmark.run": lambda: {"methods": {"mine": nbt.SemiNMF()}, "tasks": [few_rows()], "quick": False, "n_replicates": 0, "n_maps": 0, "random_state": 0,
                                  "cache": None, "progress": None},
    "toy.benchmark.unsolved": lambda: {"results": benchmarked()},
    "toy.benchmark.write_report": lambda: {"results": benchmarked(), "html": "x.html", "csv": None},
    "reproduction.reproduce": lambda: {"model": model(), "data": data(), "test_data": data(), "tokens": ["dog"], "scorer": nbt.load_scorer("toy"),
                                       "settings": "nbtoolkit", "n_concepts": 20, "layer": -1, "layers": [3], "sizes": [10], "random_state": 0,
                                       "n_replicates": 0, "n_ablations": 0, "encoder": None, "naming": None, "cache": None, "progress": None},
    "extraction.estimate": lambda: {"model": model(), "data": data(), "options": None},
    "models.load_text_encoder": lambda: {"source": "nowhere/nothing", "layer": None},
    "target": lambda: {"model": model(), "image": image(), "word": "dog", "question": None, "response": "a dog", "foil": "cat", "occurrence": 0,
                       "quantity": "auto", "max_new_tokens": 2},
    "lens.logit_lens": lambda: {"target": explained(), "words": ["sea"], "positions": "last", "layers": [1], "top": 2, "tuned": None,
                                "placebo": None},
    "lens.contextual": lambda: {"target": explained(), "bank": bank(), "positions": "last", "layers": [1], "k": 1, "across_layers": False,
                                "placebo": None},
    "metrics.faithfulness": lambda: {"measurement": image_map(), "target": None, "n_steps": 2, "n_random": 2, "baseline": None, "mask": None,
                                     "random_state": 0},
    "metrics.randomization_check": lambda: {"instrument": attribution.gradient_x_input, "target": explained(), "weights": "all", "n_draws": 1,
                                            "n_null": 2, "random_state": 0},
    "toy.benchmark.attribution_maps": lambda: {"model": "toy-plain", "n": 1, "methods": {"mine": attribution.gradient_x_input},
                                               "random_state": 0, "progress": None},
    "plots.measurement": lambda: {"m": image_map(), "n_bars": 3, "select": None},
    "attribution.attention_to_image": lambda: {"target": explained(), "null": "none"},
    "attribution.direct_logit_attribution": lambda: {"target": explained(), "unit": "layer", "layers": [1], "n_draws": 2, "random_state": 0},
    "attribution.gradient_x_input": lambda: {"target": explained(), "layer": 0, "baseline": "mean", "null": "none"},
    "attribution.integrated_gradients": lambda: {"target": explained(), "layer": 4, "baseline": "mean", "null": "none", "along": "both",
                                                   "n_nodes": 2, "tolerance": 1.0},
    "attribution.occlusion": lambda: {"target": explained(), "unit": "block", "size": 8, "baseline": "mean", "keep_only": False, "data": None,
                                      "layer": 0, "null": "none"},
    "interventions.activation_patching": lambda: {"target": explained(), "other": explained().again(image()), "part": "stream",
                                                  "groups": ["last"], "layers": [3], "placebo": None},
    "interventions.attention_knockout": lambda: {"target": explained(), "sources": "image", "targets": "last", "window": 1, "layers": [1],
                                                 "heads": None, "n_null": 1, "random_state": 0},
    "interventions.path_effects": lambda: {"target": explained(), "baselines": ["grey"], "through": "system"},
    "studies.extend": lambda: {"study": study(), "model": model(), "layers": [1], "naming": None, "progress": None, "cancel": None},
}  # fmt: skip

BAD = {
    "None": None,
    "a text": "x",
    "an empty text": "",
    "a number": 3,
    "a negative number": -1,
    "a large number": 1000,
    "NaN": math.nan,
    "infinity": math.inf,
    "True": True,
    "bytes": b"\x00",
    "an object": object(),
    "a class": dict,
    "a function": lambda *_: None,
    "an empty list": [],
    "a list of texts": ["x", "y"],
    "a list of numbers": [1, 2],
    "a mixed list": [1, "x", None],
    "a ragged list": [[1], [1, 2]],
    "an empty mapping": {},
    "a mapping": {"x": 1},
    "an array without axes": np.array(1.0),
    "an empty array": np.zeros((0, 0)),
    "no rows": np.zeros((0, D)),
    "no columns": np.zeros((N, 0)),
    "one axis": np.ones(N),
    "one dimension": np.ones((N, 1)),
    "one row": np.ones((1, D)),
    "zeros": np.zeros((N, D)),
    "zeros for concepts": np.zeros((N, K)),
    "NaN states": np.full((N, D), np.nan),
    "NaN activations": np.full((N, K), np.nan),
    "infinite states": np.full((N, D), np.inf),
    "huge states": np.full((N, D), 3e38, np.float32),
    "huge activations": np.full((N, K), 3e38, np.float32),
    "huge concepts": np.full((K, D), 3e38, np.float32),
    "texts in an array": np.full((N, D), "x"),
    "objects in an array": np.full((N, D), None),
    "three axes": np.ones((2, 2, 2)),
    "an image": Image.new("RGB", (4, 4)),
    "a table": pandas.DataFrame({"x": [1]}),
}
CALLBACKS = (
    "embed",
    "images",
    "texts",
    "log_probability",
    "progress",
    "intervention",
    "facts",
)  # a class that fails is the caller's
FEW = (
    "None",
    "a text",
    "a number",
    "a negative number",
    "NaN",
    "an object",
    "an empty list",
    "a mixed list",
    "an empty array",
    "NaN states",
    "huge states",
    "an image",
)  # of what runs a model or draws, where many values are accepted
LONG = (
    "check_model",
    "extract",
    "study",
    "sweep",
    "load_model",
    "load_data",
    "interpret",
    "interventions.causal_selectivity",
    "ground",
    "interventions.layer_effects",
    "interventions.effect",
    "plots.across_layers",
    "plots.concept_cards",
    "plots.local",
    "plots.river",
    "toy.benchmark.run",
    "toy.benchmark.write_report",
    "reproduction.reproduce",
    "extraction.estimate",
    "models.load_text_encoder",
    "target",
    "lens.logit_lens",
    "lens.contextual",
    "metrics.faithfulness",
    "metrics.randomization_check",
    "toy.benchmark.attribution_maps",
    "plots.measurement",
    "attribution.attention_to_image",
    "attribution.direct_logit_attribution",
    "attribution.gradient_x_input",
    "attribution.integrated_gradients",
    "attribution.occlusion",
    "interventions.activation_patching",
    "interventions.attention_knockout",
    "interventions.path_effects",
)


# 3 is a fit number of images here, and what it leads to takes seconds: tests/toy/benchmark has it
COUNTS = {("toy.benchmark.run", "n_maps"), ("toy.benchmark.attribution_maps", "n")}


@functools.cache
def functions():
    """Public functions by path in the package, those of the root first."""
    result = {}
    for package in PACKAGES:
        module = importlib.import_module(f"nbtoolkit.{package}".rstrip("."))
        for name in module.__all__:
            value = getattr(module, name)
            if isinstance(value, python_types.FunctionType) and value not in result.values():
                result[f"{package}.{name}".lstrip(".")] = value
    return result


def call(function, arguments):
    """Call a function, and enter the context that it gives; warnings of numpy are errors."""
    result = function(**arguments)
    if hasattr(result, "__enter__") and hasattr(result, "gen"):
        with result:
            pass
    return result


def outcome(name, parameter, bad):
    """What a bad argument leads to: an empty text where it is a result or a sentence of ours, else the fault."""
    arguments = VALID[name]() | {parameter: bad}
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            call(functions()[name], arguments)
    except nbt.NbtoolkitError as error:
        return "" if 10 < len(str(error)) < 700 else f"message of {len(str(error))} characters"
    except Exception as error:
        return f"{type(error).__name__}: {error}".splitlines()[0][:150]
    return ""


def test_every_public_function_has_valid_arguments_here():
    """And they are valid: only paths to nothing, and a study without what is asked for, are refused."""
    assert set(VALID) == set(functions())
    for name, function in functions().items():
        parameters = inspect.signature(function).parameters.values()
        assert set(VALID[name]()) == {p.name for p in parameters if p.kind is not p.VAR_KEYWORD}, name


@pytest.mark.parametrize("name", VALID)
def test_bad_arguments_are_refused_in_one_sentence(name):
    faults = {}
    defaults = inspect.signature(functions()[name]).parameters
    for parameter in VALID[name]():
        for what, bad in BAD.items():
            few = name in LONG and (what not in FEW or bad is defaults[parameter].default)
            fits = what == "a number" and (name, parameter) in COUNTS
            if few or fits or (what == "a class" and parameter in CALLBACKS):
                continue
            fault = outcome(name, parameter, bad)
            if fault:
                faults[f"{parameter} is {what}"] = fault
    assert not faults, "\n" + "\n".join(f"{k}: {v}" for k, v in faults.items())


MATRICES = {
    "one dimension": _matrix(N, 1),
    "huge": _matrix() * np.float32(1e38),
    "zeros": np.zeros((N, D)),
    "a zero row": np.vstack([_matrix(N - 1), np.zeros((1, D))]),
    "NaN": np.full((N, D), np.nan),
    "constant": np.ones((N, D)),
    "no rows": np.zeros((0, D)),
    "no columns": np.zeros((N, 0)),
    "tiny": _matrix() * np.float32(1e-30),
    "texts": np.full((N, D), "x"),
    "complex": _matrix() * 1j,
    "whole numbers": np.arange(N * D).reshape(N, D),
}


def _method(name, n_concepts):
    method = nbt.decomposition.named(name)
    known = method.get_params()
    size = next((p for p in ("n_components", "n_clusters") if p in known), None)
    return method.set_params(**({size: n_concepts} if size else {}) | ({"n_epochs": 1} if "n_epochs" in known else {}))


def _decomposed(states, method):
    n = len(states)
    return nbt.decompose(nbt.Representations(states[:, None], [f"p{i}" for i in range(n)], ["a"] * n, [0] * n), method)


@pytest.mark.parametrize("name", nbt.list_decompositions())
@pytest.mark.filterwarnings("ignore")  # of scikit-learn and of methods that do not converge
def test_states_that_cannot_be_decomposed_are_refused(name):
    """Else everything that the dictionary says is finite, but the unexplained share of a row of zeros."""
    for what, states in MATRICES.items():
        try:
            cd = _decomposed(states, _method(name, 1))
        except nbt.NbtoolkitError:
            assert what not in ("a zero row", "whole numbers") or name in ("NMF", "MiniBatchNMF")
            continue
        assert what not in ("huge", "zeros", "NaN", "constant", "no rows", "no columns", "texts", "complex"), what
        assert np.isfinite(cd.concepts).all() and np.isfinite(cd.activations).all(), what
        if not cd.missing_decoder:
            assert math.isfinite(cd.reconstruction_error) and np.isfinite(cd.unexplained[:-1]).all(), what
            assert np.isfinite(cd.unexplained[-1]) or what == "a zero row", what
        assert cd.encode(np.zeros((0, states.shape[1]))).shape == (0, cd.n_concepts)


@pytest.mark.parametrize("name", nbt.list_decompositions())
@pytest.mark.parametrize("n_concepts", [0, -1, 1.5, "x", None, 1000, True, math.nan])
@pytest.mark.filterwarnings("ignore")
def test_numbers_of_concepts_that_are_none_are_refused(name, n_concepts):
    with contextlib.suppress(nbt.NbtoolkitError):
        assert len(_decomposed(_matrix(), _method(name, n_concepts)).concepts)


def test_states_that_cannot_be_encoded_are_refused():
    for bad in (
        np.full((2, D), np.nan),
        np.full((2, D), 3e38, np.float32),
        np.ones((2, D + 1)),
        "x",
        None,
        [["x"] * D],
    ):
        with pytest.raises(nbt.NbtoolkitError, match="states"):
            cd().encode(bad)
    assert cd().encode(_matrix()[0]).shape == (1, K)


def test_a_row_of_zeros_has_no_unexplained_share_unless_it_is_reconstructed():
    Z, reconstruction = np.array([[0.0, 0.0], [0.0, 0.0], [2.0, 0.0]]), np.array([[0.0, 0.0], [1.0, 0.0], [1.0, 0.0]])
    np.testing.assert_array_equal(nbt.decomposition.unexplained(Z, reconstruction), [0, np.nan, 0.25])
