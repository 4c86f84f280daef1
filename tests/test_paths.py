"""Paths as arguments: ``~`` is the home folder everywhere, and an empty text is one error, not the working folder.

The functions are found by introspection: a new one without a call here fails.
"""

import contextlib
import functools
import importlib
import inspect
import json
import pkgutil

import numpy as np
import pytest
import torch
from PIL import Image

import nbtoolkit as nbt
from nbtoolkit import studies
from nbtoolkit.cli.parser import make_parser
from nbtoolkit.storage.example import noise_study
from nbtoolkit.widgets import DictionaryComparison

from .decomposition.test_sae_files import write as write_sae
from .extraction.test_xl_vlms import features

SETTINGS = {"layers": [1], "n_concepts": [2], "methods": ["LargestNorm"], "progress": False}


def inspector():
    return nbt.inspect(nbt.load_model("toy"), nbt.load_data("toy", n=1)[0]["image"], word="a", compute=())


def two_dictionaries():
    study = noise_study()
    return DictionaryComparison(study, layers=study.layers[:2])


def train(data):
    return nbt.load_data("toy", n=60) if data is None else data


@functools.cache
def measured():
    t = nbt.target(nbt.load_model("toy"), nbt.load_data("toy", n=1)[0]["image"], "dog", response="a dog", foil="cat")
    return nbt.attribution.gradient_x_input(t)


@functools.cache
def bank():
    return nbt.lens.ContextualBank.of(nbt.load_model("toy"), nbt.load_data("toy", n=2), layers=[1])


@functools.cache
def inspection():
    return importlib.import_module("nbtoolkit.live.inspection").Inspection(measured().target, ())


@functools.cache
def fitted():
    return nbt.lens.TunedLens([1], n_positions=60, n_epochs=1).fit(
        nbt.load_model("toy"), nbt.load_data("toy", n=6), captions="given"
    )


CALLS = {
    "extraction.representations.extract(out)": lambda path, data: nbt.extract(nbt.load_model("toy"), train(data), "dog", out=path, progress=False),
    "studies.pipeline.study(out)": lambda path, data: nbt.study(nbt.load_model("toy"), train(data), "dog", out=path, layers=[1],
                                                                method=nbt.LargestNorm(2), progress=False),
    "studies.baselines.noise_representations(out)": lambda path, data: studies.baselines.noise_representations(
        nbt.load_model("toy"), train(data), nbt.extract(nbt.load_model("toy"), train(data), "dog", progress=False), out=path, progress=False),
    "studies.sweeps.sweep(cache)": lambda path, data: nbt.sweep(
        nbt.load_model("toy"), nbt.extract(nbt.load_model("toy"), train(data), "dog", progress=False), cache=path, **SETTINGS),
    "storage.study.Study.save(path)": lambda path, data: noise_study().save(path),
    "storage.study.save_study(path)": lambda path, data: importlib.import_module("nbtoolkit.storage.study").save_study(noise_study(), path),
    "widgets.study_view.StudyView.to_html(path)": lambda path, data: nbt.explore(noise_study()).to_html(path),
    "widgets.dictionary_comparison.DictionaryComparison.to_html(path)": lambda path, data: two_dictionaries().to_html(path),
    "widgets.inspector_export.Exported.to_html(path)": lambda path, data: inspector().to_html(path),
    "widgets.snapshot.Snapshot.save(path)": lambda path, data: nbt.explore(noise_study()).snapshot().save(path),
    "live.inspection.Inspection.save(path)": lambda path, data: inspection().save(path),
    "storage.measurements.save(path)": lambda path, data: measured().save(path),
    "lens.banks.ContextualBank.save(path)": lambda path, data: bank().save(path),
    "lens.tuned.TunedLens.save(path)": lambda path, data: fitted().save(path),
    "storage.files.write_text(path)": lambda path, data: importlib.import_module("nbtoolkit.storage.files").write_text(path, "x"),
    "storage.files.write_bytes(path)": lambda path, data: importlib.import_module("nbtoolkit.storage.files").write_bytes(path, b"x"),
}  # fmt: skip
READS = {
    "data.loading.load_data(images)": lambda path: nbt.load_data([{"image": "a.png", "caption": "x"}], images=path),
    "data.loading.load_data(source)": nbt.load_data,
    "storage.study.open_study(path)": nbt.open_study,
    "extraction.xl_vlms.read_xl_vlms(path)": nbt.read_xl_vlms,
    "decomposition.sae_files.read_sae(path)": nbt.read_sae,
    "storage.measurements.read(path)": nbt.Measurement.open,
    "lens.banks.ContextualBank.open(path)": nbt.lens.ContextualBank.open,
    "lens.tuned.TunedLens.open(path)": nbt.lens.TunedLens.open,
    "models.loading.load_model(source)": nbt.load_model,
    "models.scorers.load_scorer(source)": nbt.load_scorer,
}
INNER = {  # functions that are given whole paths by those above, or whose arguments go through one of them
    "data.sources", "durable.", "extraction.shards", "extraction.shard_rows", "storage.reading", "storage.study_reader",
    "storage.study_folder", "storage.described.",  "storage.files.write_json", "storage.files.write_tensors", "storage.files.write_stacked",
    "storage.files.write_table", "files.", "parquet.", "strict_json.", "toy.", "models.peft_adapters", "models.anatomy",
    "reproduction.", "widgets.page.", "live.inspection.check_folder",
}  # fmt: skip


def test_every_public_argument_that_is_a_path_is_here():
    names = set()
    for module in pkgutil.walk_packages(nbt.__path__, "nbtoolkit."):
        if ".cli" in module.name or module.name.endswith("__main__"):
            continue
        for name, value in vars(importlib.import_module(module.name)).items():
            if getattr(value, "__module__", "") != module.name or name.startswith("_"):
                continue
            functions = {name: value} if inspect.isfunction(value) else {}
            if inspect.isclass(value):
                functions = {f"{name}.{k}": f for k, f in vars(value).items() if inspect.isfunction(f) and k[0] != "_"}
            for place, function in functions.items():
                for argument, parameter in inspect.signature(function).parameters.items():
                    if "PathLike" in str(parameter.annotation) or str(parameter.annotation) == "Path":
                        names.add(f"{module.name.removeprefix('nbtoolkit.')}.{place}({argument})")
    assert {name for name in names if not name.startswith(tuple(INNER))} <= {*CALLS, *READS}


@pytest.mark.parametrize("name", [*CALLS, *READS])
def test_an_empty_path_is_refused_and_writes_nothing(name, tmp_path, monkeypatch, data):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(nbt.NbtoolkitError, match="The path is ''; expected a file or folder. Give its name; '.' is"):
        CALLS[name]("", data) if name in CALLS else READS[name]("")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", CALLS)
def test_what_is_written_is_written_at_home(name, tmp_path, monkeypatch, data):
    here = tmp_path / "here"
    here.mkdir()
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(here)
    CALLS[name]("~/x", data)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["here", "x"] and not list(here.iterdir())


def test_what_is_read_is_read_at_home(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    noise_study().save(tmp_path / "dog.study")
    torch.save(features(), tmp_path / "x.pth")
    write_sae(tmp_path / "sae")
    Image.new("RGB", (8, 8)).save(tmp_path / "a.png")
    (tmp_path / "captions.csv").write_text("image,caption\na.png,a dog\n")
    assert nbt.open_study("~/dog.study").token == "dog" and len(nbt.read_xl_vlms("~/x.pth", "dog")) == 5
    assert nbt.read_sae("~/sae").components_.shape == (40, 12) and len(nbt.load_data("~/captions.csv")) == 1
    assert np.asarray(READS["data.loading.load_data(images)"]("~")[0]["image"]).shape == (8, 8, 3)


def test_paths_of_the_command_line(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("HOME", str(tmp_path))
    parser = make_parser()
    assert parser.parse_args(["export", "~/a.study", "~/a.html"]).study == tmp_path / "a.study"
    with pytest.raises(SystemExit):
        parser.parse_args(["demo", "--out", ""])
    assert "argument --out: The path is ''; expected a file or folder" in capsys.readouterr().err


@pytest.mark.parametrize("name", READS)
@pytest.mark.parametrize(
    "path",
    ["x" * 5_000, "x" * 5_000 + ".json", "a/" * 3_000 + "x.parquet", "a\0b"],
    ids=["name", "json", "folders", "null"],
)
def test_a_path_that_no_disk_has_is_one_error(name, path):
    with contextlib.suppress(nbt.NbtoolkitError):
        READS[name](path)
        assert "images" in name  # whose files are looked at when they are read


@pytest.mark.parametrize("name", CALLS)
def test_a_path_with_a_null_byte_is_one_error(name, data):
    with pytest.raises(nbt.NbtoolkitError, match="has a null byte; expected a file or folder"):
        CALLS[name]("a\0b", data)


def test_names_in_files_that_no_disk_has_are_one_error(tmp_path):
    name = "x" * 5_000
    for content in (
        {"images": [{"id": 1, "file_name": name}], "annotations": [{"image_id": 1, "caption": "a"}]},
        {"images": [{"filename": name, "cocoid": 1, "split": "t", "sentences": [{"raw": "a"}]}]},
        [{"image": name, "conversations": [{"from": "human", "value": "<image>"}, {"from": "gpt", "value": "a"}]}],
    ):
        (tmp_path / "x.json").write_text(json.dumps(content))
        with pytest.raises(nbt.errors.DataError, match="The first image of 'x.json' is not at"):
            nbt.load_data(tmp_path / "x.json")
