"""Every public result copies, deep-copies and pickles: a class of results without a maker here fails."""

import copy
import dataclasses
import functools
import importlib
import pickle
import pkgutil
import subprocess
import sys
from collections.abc import Mapping

import numpy as np
import pandas
import pytest
import torch
import xarray

import nbtoolkit as nbt
from nbtoolkit import interventions, metrics, types
from nbtoolkit.attribution import contributions, mentions
from nbtoolkit.attribution.local import Interpretation, Part
from nbtoolkit.decomposition.decoder import decoder_of
from nbtoolkit.decomposition.starts import Fit, Starts
from nbtoolkit.extraction.estimates import Estimate
from nbtoolkit.extraction.options import ReadingOptions, ReadingPlan
from nbtoolkit.lens.words import watch
from nbtoolkit.models.checks import check_model
from nbtoolkit.models.image_options import ImageLimit
from nbtoolkit.models.reports import Check
from nbtoolkit.models.taps import Cut
from nbtoolkit.models.tiles import Layout
from nbtoolkit.reproduction import Panel, Reproduction, Settings
from nbtoolkit.reproduction.claims import Claim
from nbtoolkit.reproduction.encoders import Encoder
from nbtoolkit.reproduction.sizes import HeldOut
from nbtoolkit.reproduction.systems import Replicate, Systems
from nbtoolkit.storage.study import Sample
from nbtoolkit.targets.quantities import Quantity
from nbtoolkit.targets.roles import Token
from nbtoolkit.text.tokens import Span
from nbtoolkit.toy import benchmark
from nbtoolkit.toy.benchmark.dictionaries import Candidate
from nbtoolkit.toy.benchmark.maps import Patches
from nbtoolkit.toy.benchmark.rows import Rows
from nbtoolkit.toy.benchmark.scores import Truth
from nbtoolkit.toy.benchmark.truth import Group
from nbtoolkit.toy.world.second.grammar import Scene
from nbtoolkit.types.measurement import Identity
from nbtoolkit.types.nulls import Null
from nbtoolkit.types.rules import Rule
from nbtoolkit.widgets.page_images import PageImages
from nbtoolkit.widgets.picture import Card, Picture

NO_RESULTS = {
    "models.anatomy.Anatomy": "the modules of a model",
    "extraction.image_batches.Batch": "inputs on their way to a model, inside extraction",
    "extraction.reader.Rows": "rows that are being read, inside extraction",
    "extraction.dask_cluster.ShardTask": "a message to a worker; tests/extraction/test_dask_cluster.py pickles it",
    "parquet.Chunk": "sizes in a file's footer, inside reading",
    "reproduction.systems.Context": "a model and settings, inside the evaluation",
    "storage.reading.MappedStates": "states of a folder; a copy is in memory, see test_copies_of_mapped_states_are_in_memory",
    "attribution.directions.Directions": "tensors of one pass, inside attribution",
    "attribution.frozen.Frozen": "a model's norms, inside attribution",
    "attribution.parts.Matrix": "tensors of one pass, inside attribution",
    "attribution.parts.Parts": "tensors of one pass, inside attribution",
    "lens.reading.Reading": "a model and words, inside a lens",
    "lens.training.States": "states of a model, inside the fit of a tuned lens",
    "live.drawings.Drawing": "a figure of a page, on its way there",
    "live.edited.Unit": "a vector and how to write it, inside a session",
    "live.steering.Base": "a pass of a model, inside a session",
    "live.steering.Row": "a response on its way to a page",
    "live.inspection.Inspection": "targets and measurements, inside the command line",
    "live.inspection_page.Result": "a measurement or a reason, inside the command line",
    "live.instruments.Instrument": "a name and a function; copies of its options are read-only views, which do not copy",
    "live.inspector_case.Case": "a session and what it is asked, inside an Inspector",
    "widgets.inspector_edits.Facts": "bounds of a model, inside a view",
    "live.inspector_instruments.Instrument": "a name and functions, in a table",
    "live.inspector_reading.Reading": "contexts and states of a model, inside an Inspector",
    "live.inspector_results.Result": "a measurement on its way to a page",
    "live.inspector_words.Word": "a word of a response, inside an Inspector",
    "widgets.inspector_picture.InspectorPicture": "an image on its way to a picture",
    "targets.recorded.RecordedBatch": "a pass of a model, inside measurements",
    "models.attention_calls.Call": "one call of an attention function",
    "models.drafts.Draft": "keys and values of a pass",
    "models.drafts.Shift": "tensors on their way to a pass",
    "models.prefix.Prefix": "keys and values of a pass",
    "models.replay.Recording": "a pass of a model, inside a target",
    "models.taps.Attention": "a pass of a model, inside an instrument",
    "targets.passes.Pass": "what a Target is made of, never alone",
    "targets.batches.Batch": "inputs on their way to a model, inside targets",
    "toy.benchmark.data.Loader": "reads from a model, inside the benchmark",
    "toy.benchmark.dictionaries.Reader": "a model and a vocabulary, inside the benchmark",
    "toy.benchmark.problem.Problem": "one task with its model, inside the benchmark",
    "toy.training.worlds.World": "the functions that make a world",
    "toy.world.pen.Pen": "draws into an open image",
}


def _states(n=12, d=6, layers=3):
    return np.random.default_rng(0).normal(size=(n, layers, d)).astype(np.float32)


def _reps():
    ids = [f"p{i}" for i in range(12)]
    source = types.Source("m", token="dog", token_ids=((1, 2),), versions={"torch": "2"}, image_options={"size": 4})
    return types.Representations(_states(), ids, ["a dog"] * 12, [1] * 12, skipped={"q": "no dog"}, source=source)


def _dictionary(seed=0, method=None):
    return nbt.decompose(_reps(), method or nbt.SemiNMF(3, random_state=seed), layer=-1)


def _grounding():
    words = [["sun", "day"], ["sea"], []]
    return types.Grounding(words, [["p1"], ["p2"], []], words, naming=types.Naming("norm", "measured"))


def _scores():
    return types.Scores(
        {"overlap": 0.25}, {"overlap": 0.1}, {"overlap": 0.2}, {"overlap": np.array([0.2, np.nan, 0.3])}
    )


def _study():
    samples = [Sample(i, "a dog", ("a dog",), b"\xff\xd8", ("a ", "dog"), 1) for i in _reps().sample_ids]
    layer = _dictionary().layer
    return nbt.Study("dog", {layer: _dictionary()}, {layer: _grounding()}, samples, _reps(), {layer: _scores()},
                     _reps().source, {f"{layer}:0": "sun"})  # fmt: skip


def _part():
    return Part(1, 0.5, 1.0, ("sun",), ("p1",))


def _interpretation():
    return Interpretation("p1", "a dog", (_part(),), 0.25)


def _score(name="clip_score"):
    return types.Score(np.array([0.1, np.nan, 0.3]), name, "the words")


def _reproduction():
    table = pandas.DataFrame({"layer": [1, 2], "clip_score": [0.1, 0.2]})
    comparison = metrics.compare(_score(), types.Score(np.array([0.2, 0.1, 0.5])))
    scores = {"dog": {"Semi-NMF": _score(), "PCA": _score()}}
    return Reproduction(scores, {"dog": {"PCA": 0.1}}, {"dog": {"PCA": comparison}}, {"dog": {}}, {"dog": {}}, {"dog": _scores()}, table,
                        table, {"dog": _grounding()}, {"dog": _panel()}, {"dog": (10, 5)}, "m",
                        replicates={"dog": {"PCA": np.ones((2, 3))}})  # fmt: skip


def _panel():
    return Panel((_interpretation(),), (b"\xff\xd8",), {"p1": b"\xff\xd8"})


def _curve():
    D = _dictionary()
    return metrics.c_deletion(_states()[:, -1], D, None, lambda Z: Z.sum(1), n_null=3)


@functools.cache
def _targets():
    return mentions(nbt.load_model("toy"), nbt.load_data("toy", n=40)["image"], "dog")


@functools.cache
def _toy_dictionary():
    states = _targets().read([3])[1][:, 0]
    reps = types.Representations(states[:, None], [f"p{i}" for i in range(len(states))], ["a dog"] * len(states),
                                 [1] * len(states), layers=(3,), n_layers=5)  # fmt: skip
    return nbt.decompose(reps, nbt.SemiNMF(2, random_state=0), layer=3)


@functools.cache
def _target():
    return _targets()[0]


def _one():
    return mentions(_targets().model, [nbt.load_data("toy", n=40)["image"][_targets().rows[0]]], "dog")


def _selectivity():
    images = nbt.load_data("toy", n=3)["image"]
    return interventions.causal_selectivity(_targets().model, images, _toy_dictionary(), [{"dog"}, {"cat"}], n_images=2)


def _geometry():
    return _targets().model.geometry(nbt.load_data("toy", n=1)["image"][0])


def _rows():
    return Rows(_reps(), ({"animal": "dog"},) * 12)


def _group():
    return Group((("animal", "dog"),), "animal")


def _benchmark():
    table = pandas.DataFrame({"task": ["a"], "method": ["PCA"], "metric": ["recovery"], "value": [0.5]})
    return benchmark.Results(benchmark.TASKS[:1], table, {("a", "PCA"): "few"}, {"a": (10, 5, 2)})


MAKERS = {
    "attribution.measures.Contributions": lambda: contributions(_targets(), _toy_dictionary()),
    "attribution.local.Interpretation": _interpretation,
    "attribution.local.Part": _part,
    "decomposition.decoder.Decoder": lambda: decoder_of(_dictionary().encoder, _dictionary().activations, _states()[:, -1]),
    "decomposition.starts.Fit": lambda: Fit(np.ones((2, 3)), np.ones((2, 4)), [1.0, 0.5], True),
    "decomposition.starts.Starts": lambda: Starts("random", 1, 3, 6, 10, 1e-3),
    "extraction.estimates.Estimate": lambda: Estimate(10, 20, 0.1, 100, 1000, None, 4, "fits"),
    "extraction.options.ReadingOptions": lambda: ReadingOptions(layers=[1, 2]),
    "extraction.options.ReadingPlan": lambda: ReadingPlan(("dog",), ((1,),), (1,), ReadingOptions(), {"p1": "What?"}),
    "grounding.WordFilter": lambda: nbt.WordFilter("mine", vocabulary=frozenset({"dog"})),
    "interventions.effects.Effect": lambda: interventions.effect(_one(), _toy_dictionary(), lambda: interventions.ablate(_targets().model, 1)),
    "interventions.layers.LayerEffects": lambda: interventions.layer_effects(_one(), [1], n_random=2),
    "interventions.selectivity.Selectivity": _selectivity,
    "metrics.layer_matching.LayerMatch": lambda: metrics.match_layers(_dictionary(), _dictionary(1)),
    "metrics.across_layers.Threads": lambda: metrics.threads(_study()),
    "metrics.deletion.Curve": _curve,
    "metrics.matching.Agreement": lambda: metrics.compare_dictionaries(_dictionary(), _dictionary(1)),
    "metrics.runs.Stability": lambda: metrics.stability([_dictionary(i).concepts for i in range(2)], states=_states()[:, -1]),
    "metrics.shift.Shift": lambda: metrics.concept_shift(_reps(), _reps(), _dictionary(), _dictionary(1)),
    "metrics.statistics.Comparison": lambda: metrics.compare(_score(), types.Score(np.array([0.2, 0.1, 0.5]))),
    "models.image_options.ImageLimit": lambda: ImageLimit(16, {"size": 4}),
    "models.reports.Check": lambda: Check("hooks fire", True, "at 5 points", "they do not"),
    "models.reports.Report": lambda: check_model(_targets().model),
    "models.tiles.Layout": lambda: Layout(*(np.ones((2, 2)) for _ in range(5))),
    "reproduction.claims.Claim": lambda: Claim("better", {"dog": (0.1, 0.0, 0.2)}, 0.1, 0.0, 0.2),
    "reproduction.encoders.Encoder": lambda: Encoder(None, "words"),
    "reproduction.panels.Panel": _panel,
    "reproduction.results.Reproduction": _reproduction,
    "reproduction.settings.Settings": lambda: Settings("mine", "auto", "paper", "default", 15),
    "reproduction.sizes.HeldOut": lambda: HeldOut({10: np.full(9, 0.5), 20: np.full(9, np.nan)}, 0.5),
    "reproduction.systems.Replicate": lambda: Replicate({"PCA": _score()}, {"PCA": 0.1}, {"PCA": np.ones((2, 3))}),
    "reproduction.systems.Systems": lambda: Systems({"PCA": _dictionary()}, {"PCA": _grounding()}, {"PCA": (np.ones((2, 3)), [["sun"]])}),
    "storage.study.Sample": lambda: _study().samples[0],
    "storage.study.Study": _study,
    "lens.banks.ContextualBank": lambda: nbt.lens.ContextualBank.of(_targets().model, nbt.load_data("toy", n=2), layers=[1]),
    "lens.words.Watched": lambda: watch(_target(), ["sea"]),
    "models.taps.Cut": lambda: Cut(1, (2,), (0, 1)),
    "targets.roles.Token": lambda: Token(3, 17, " dog", "response"),
    "targets.target.Target": _target,
    "types.measurement.Identity": lambda: Identity("parts sum to the whole", 1e-7, 1e-5),
    "types.measurement.Measurement": lambda: nbt.attribution.gradient_x_input(_target()),
    "targets.quantities.Quantity": lambda: Quantity("logit_difference", ("cat",), 0.5, True, ((0, 3),)),
    "targets.targets.Targets": _targets,
    "text.tokens.Span": lambda: Span(1, 2, "a ", "dog"),
    "widgets.page_images.PageImages": lambda: PageImages({"0": "AA=="}, 3, 96),
    "widgets.picture.Card": lambda: Card("dog", "dogs · cat", [Sample("a", "a dog")], "9 %", "#0072b2"),
    "widgets.picture.Picture": lambda: Picture("“dog”", "layer 4", [], (0.1, None, 0.3), 1, "CLIPScore 0.30", Sample("a", "a dog")),
    "toy.benchmark.dictionaries.Candidate": lambda: Candidate(np.eye(2), np.ones((3, 2)), np.abs, [["sun"]], {"dog": np.ones(3)}, ("few",)),
    "toy.benchmark.maps.Patches": lambda: Patches(np.ones((2, 3)), np.ones(2), np.ones((2, 1)), 1),
    "toy.benchmark.results.Metric": lambda: benchmark.METRICS["naming"],
    "toy.benchmark.results.Results": _benchmark,
    "toy.benchmark.rows.Rows": _rows,
    "toy.benchmark.scores.Truth": lambda: Truth(_rows(), _rows(), 3, [_group()], {"dog": ("animal", "dog")}),
    "toy.benchmark.tasks.Task": lambda: benchmark.TASKS[0],
    "toy.benchmark.truth.Group": _group,
    "toy.world.second.grammar.Scene": lambda: Scene({"animal": "dog"}, {"size": 0.5}, 3),
    "types.concept_map.ConceptMap": lambda: types.ConceptMap(np.ones(_geometry().n_positions), _geometry()),
    "types.dictionary.ConceptDictionary": _dictionary,
    "types.geometry.Geometry": _geometry,
    "types.grounding.Grounding": _grounding,
    "types.naming.Naming": lambda: types.Naming("norm", "measured"),
    "types.nulls.Null": lambda: Null("random", "the mean"),
    "types.representations.Representations": _reps,
    "types.representations.Source": lambda: _reps().source,
    "types.rules.Rule": lambda: Rule("n d", rows=1),
    "types.score.Score": _score,
    "types.score.Scores": _scores,
}  # fmt: skip

_result = functools.cache(lambda name: MAKERS[name]())
COPIES = {"copy": copy.copy, "deepcopy": copy.deepcopy, "pickle": lambda value: pickle.loads(pickle.dumps(value))}


def results():
    """Public classes that hold data: dataclasses, named tuples and arrays, by path in the package."""
    classes = {}
    for info in pkgutil.walk_packages(nbt.__path__, "nbtoolkit."):
        if info.name.endswith("__main__"):
            continue
        module = importlib.import_module(info.name)
        for name, value in vars(module).items():
            own = isinstance(value, type) and value.__module__ == info.name and not name.startswith("_")
            if own and (dataclasses.is_dataclass(value) or issubclass(value, tuple | np.ndarray)):
                classes[f"{info.name.removeprefix('nbtoolkit.')}.{name}"] = value
    return classes


def same(a, b, path=""):
    """Equal values of one type, arrays of one dtype and as read-only as the other; a model's modules by their type."""
    assert type(a) is type(b) or isinstance(a, np.memmap), path
    if isinstance(a, np.ndarray):
        assert a.dtype == b.dtype and a.flags.writeable == b.flags.writeable, path
        np.testing.assert_array_equal(a, b, err_msg=path)
    elif isinstance(a, torch.Tensor):
        assert torch.equal(a, b), path
    elif isinstance(a, xarray.DataArray):
        xarray.testing.assert_identical(a, b)
    elif isinstance(a, pandas.DataFrame):
        pandas.testing.assert_frame_equal(a, b)
    elif dataclasses.is_dataclass(a):
        for f in (
            f for f in dataclasses.fields(a) if f.init and not (f.name == "target" and isinstance(a, nbt.Measurement))
        ):
            same(vars(a)[f.name], vars(b)[f.name], f"{path}.{f.name}")
    elif isinstance(a, Mapping):
        assert list(a) == list(b), path
        for key in a:
            same(a[key], b[key], f"{path}[{key!r}]")
    elif isinstance(a, list | tuple):
        assert len(a) == len(b), path
        for i, (x, y) in enumerate(zip(a, b, strict=True)):
            same(x, y, f"{path}[{i}]")
    elif isinstance(a, str | bytes | int | float | bool | frozenset | type(None) | np.generic):
        assert a == b or (a != a and b != b), path


def test_every_class_of_results_has_a_maker():
    classes = results()
    assert set(MAKERS) | set(NO_RESULTS) == set(classes) and not set(MAKERS) & set(NO_RESULTS)
    assert {"types.representations.Representations", "types.concept_map.ConceptMap", "models.tiles.Layout"} <= set(
        classes
    )


@pytest.mark.parametrize("name", MAKERS)
@pytest.mark.parametrize("how", COPIES)
def test_results_copy(name, how):
    result = _result(name)
    assert type(result).__qualname__ == name.rpartition(".")[2]
    again = COPIES[how](result)
    assert again is not result
    same(result, again, name)
    if name not in ("targets.targets.Targets", "targets.target.Target"):
        same(result, COPIES[how](again), name)  # and once more
    assert sorted(repr(again)) == sorted(repr(result))  # sets have no order


@pytest.mark.parametrize("how", COPIES)
def test_results_of_an_opened_study_copy(how, tmp_path):
    opened = nbt.open_study(_study().save(tmp_path / "s"))
    for result in (
        opened,
        opened.representations,
        opened.dictionary(),
        opened.grounding(),
        opened.scores[opened.layers[0]],
        opened.source,
    ):
        same(result, COPIES[how](result), type(result).__name__)
    again = COPIES[how](opened)
    states = opened.representations.layer(-1)
    np.testing.assert_array_equal(again.dictionary().encode(states), opened.dictionary().activations)
    assert again.sample("p3") == opened.sample("p3") and again.representations.digest(
        -1
    ) == opened.representations.digest(-1)
    same(opened, nbt.open_study(again.save(tmp_path / "again")), "saved again")


@functools.cache
def _by(method):
    estimator = nbt.decomposition.named(method)
    known = estimator.get_params()
    size = next(name for name in ("n_clusters", "n_components", "n_concepts") if name in known)
    return _dictionary(method=estimator.set_params(**{size: 3} | ({"n_epochs": 2} if "n_epochs" in known else {})))


@pytest.mark.parametrize("how", COPIES)
@pytest.mark.parametrize(
    "method", ["KMeans", "LargestNorm", "PCA", "FastICA", "RandomDirections", "SemiNMF", "TopKSAE"]
)
def test_dictionaries_of_every_coding_copy_with_their_encoder(how, method):
    """With or without a decoder, with one-hot coefficients, offsets and signs; a field that only a decoder defines stays refused."""
    cd = _by(method)
    again = COPIES[how](cd)
    same(cd, again)
    np.testing.assert_array_equal(cd.encode(_states()[:, -1]), again.encode(_states()[:, -1]))
    assert again.missing_decoder == cd.missing_decoder
    bare = COPIES[how](dataclasses.replace(_dictionary(), missing_decoder="it has none"))
    with pytest.raises(nbt.NbtoolkitError, match="has no decoder"):
        bare.unexplained  # noqa: B018 - the access is the test


@pytest.mark.parametrize("how", COPIES)
def test_copied_targets_read_the_same(how):
    """A pickle names the model; a copy has it."""
    again = COPIES[how](_targets())
    np.testing.assert_array_equal(again.read([2])[1], _targets().read([2])[1])
    assert (again.model.hf is _targets().model.hf) is (how == "copy")
    np.testing.assert_array_equal(again.model.unembed(np.ones(128)), _targets().model.unembed(np.ones(128)))
    assert again.model.parts_sum is True and again.model.origin == _targets().model.origin
    assert len(pickle.dumps(_targets())) < 1e6  # no weights


def test_a_model_without_a_name_or_with_other_weights_has_no_pickle():
    toy = copy.deepcopy(_targets().model)
    changed = pickle.dumps(toy)
    with torch.no_grad():
        next(toy.hf.parameters()).add_(1)
    with pytest.raises(nbt.NbtoolkitError, match="'toy' has other weights than the model that was pickled"):
        pickle.loads(pickle.dumps(toy))
    assert pickle.loads(changed).name == "toy"
    unnamed = nbt.load_model(toy.hf, processor=toy.processor)
    with pytest.raises(nbt.NbtoolkitError, match="was given as a loaded model, which cannot be pickled"):
        pickle.dumps(unnamed)
    assert copy.copy(unnamed).hf is unnamed.hf


def test_copies_share_arrays_and_deep_copies_do_not():
    reps = _reps()
    assert np.shares_memory(copy.copy(reps).states, reps.states)
    assert not np.shares_memory(copy.deepcopy(reps).states, reps.states)


def test_copies_of_mapped_states_are_in_memory(tmp_path):
    """They hold the numbers, so a copy outlives the folder."""
    opened = nbt.open_study(_study().save(tmp_path / "s"))
    states = opened.representations.states
    for again in (copy.deepcopy(states), pickle.loads(pickle.dumps(states))):
        assert getattr(again, "_mmap", None) is None
        np.testing.assert_array_equal(again, _states())


READ = "import pickle, sys; s = pickle.load(open(sys.argv[1], 'rb')); print(s.token, s.dictionary().n_concepts, 'torch' in sys.modules)"


def test_a_pickled_study_is_read_in_another_process_without_torch(tmp_path):
    study = nbt.open_study(_study().save(tmp_path / "s"))
    (tmp_path / "study.pickle").write_bytes(pickle.dumps(study))
    done = subprocess.run(
        [sys.executable, "-c", READ, tmp_path / "study.pickle"], capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["dog", "3", "False"]
