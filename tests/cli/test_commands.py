"""The command line: what it writes, and errors on one line with status 2."""

import argparse
import contextlib
import json
import re
import subprocess
import sys
import time
import urllib.request

import pytest

import nbtoolkit as nbt
from nbtoolkit.cli import commands, main

from ..zoo import build

# the options are checked before the model is loaded, which does not exist
INSPECT = ["inspect", "--model", "/nowhere", "--image", "toy:3", "--word", "dog", "--out", "x"]


@pytest.fixture(autouse=True)
def _few_scenes(monkeypatch, tmp_path):
    monkeypatch.setattr("nbtoolkit.data.loading._TOY_SIZE", {"train": 300})
    monkeypatch.chdir(tmp_path)


def test_demo_writes_study_and_page(tmp_path, capsys):
    assert main(["demo", "--token", "bus", "--n-concepts", "5", "--out", "b.study", "--html", "bus.html"]) == 0
    said = capsys.readouterr().out
    assert "saved in b.study" in said and "bus.html" in said
    study = nbt.open_study("b.study")
    assert study.token == "bus" and study.dictionary(5).n_concepts == 5 and study.scores[5]["clip_score"] > 0
    assert (tmp_path / "bus.html").stat().st_size > 100_000


def test_a_study_takes_a_method_by_name(model, scorer):
    study = nbt.study(
        model, nbt.load_data("toy", n=200), "cake", method="PCA", layers=[-1], scorer=scorer, progress=False
    )
    assert study.dictionary(5).method == "PCA" and "clip_score" in study.scores[5].values


def test_study_and_export(tmp_path, capsys):
    options = ["--method", "KMeans", "--n-concepts", "3", "--layers", "3,-1"]
    assert main(["study", "--model", "toy", "--data", "toy", "--token", "car", "--out", "c.study", *options]) == 0
    assert nbt.open_study("c.study").layers == (3, 5) and not (tmp_path / "c.study.shards").exists()
    assert main(["export", "c.study", "car.html"]) == 0
    assert "car.html" in capsys.readouterr().out and (tmp_path / "car.html").exists()


def test_a_prompt_may_be_a_column_and_a_system_text_precedes_it(tmp_path):
    hf, processor = build("llava")
    processor.chat_template = (
        "{% for m in messages %}{% for c in m['content'] %}{{ '<image>' if c['type'] == 'image' else c['text'] }} {% endfor %}"
        "{% endfor %}"
    )
    hf.save_pretrained("model")
    processor.save_pretrained("model")
    questions = ["What is this ?", "a cat", "Describe the image ."] * 2
    rows = nbt.load_data("toy", n=6)
    for k, row in enumerate(rows):
        row["image"].save(f"{k}.png")
    lines = [{"file_name": f"{k}.png", "captions": ["the dog"], "ask": q} for k, q in enumerate(questions)]
    (tmp_path / "captions.jsonl").write_text("\n".join(map(json.dumps, lines)))
    command = ["study", "--model", "model", "--data", ".", "--token", "dog", "--out", "c.study", "--captions", "given",
               "--n-concepts", "2", "--layers", "4"]  # fmt: skip
    assert main([*command, "--prompt", "ask", "--system", "a small dog"]) == 0
    source = nbt.open_study("c.study").source
    assert source.questions == {f"{k}.png": q for k, q in enumerate(questions)} and source.system == "a small dog"
    assert source.prompt.startswith("a small dog") and "{question}" in source.prompt
    assert main([*command, "--prompt", "What is this ?"]) == 0
    source = nbt.open_study("c.study").source
    assert not source.questions and "What is this ?" in source.prompt and not source.system


@pytest.mark.parametrize(
    ("model", "data"), [("toy", "toy"), ("toy-plain", "toy-second"), ("toy-smollm2", "toy-second")]
)
def test_an_embedded_model_is_studied_on_the_scenes_that_it_was_trained_on(model, data):
    assert commands._data(argparse.Namespace(model=model, data=None)) == data
    assert commands._data(argparse.Namespace(model=model, data="other.parquet")) == "other.parquet"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["demo", "--token", "zebra", "--html", "x.html"], "No sample's caption contains 'zebra'"),
        (["demo", "--n-concepts", "5000", "--html", "x.html"], "expected at most"),
        (["demo", "--n-concepts", "0", "--html", "x.html"], "--n-concepts is 0"),
        (
            ["study", "--model", "/nowhere", "--data", "toy", "--token", "dog", "--out", "x"],
            "holds no Hugging Face model",
        ),
        (
            ["study", "--model", "toy", "--data", "/nowhere", "--token", "dog", "--out", "x"],
            "There is no file or folder",
        ),
        (
            ["study", "--model", "toy", "--data", "toy", "--token", "dog", "--out", "x", "--method", "Kmeans"],
            "Did you mean 'KMeans'?",
        ),
        (
            ["study", "--model", "toy", "--data", "toy", "--token", "dog", "--out", "x", "--layers", "a"],
            "--layers has 'a'",
        ),
        (["study", "--model", "a/folder", "--token", "dog", "--out", "x"], "--data is missing; expected the images"),
        (["export", "none.study", "x.html"], "There is no study at"),
        ([*INSPECT, "--with", "lens,oclusion"], "There is no instrument 'oclusion'. Did you mean 'occlusion'?"),
        ([*INSPECT, "--with", "faithfulness"], "faithfulness needs a map beside it"),
        ([*INSPECT, "--foil", "Dog"], "foil is 'Dog', which counts as the token"),
        ([*INSPECT, "--foil", "cat", "--quantity", "log_prob"], "foil is 'cat' with quantity='log_prob'"),
        ([*INSPECT, "--quantity", "rank"], "quantity is 'rank'; expected 'auto', 'log_prob'"),
        ([*INSPECT, "--occurrence", "-1"], "--occurrence is -1; expected 0 for the first"),
        ([*INSPECT, "--image", "none.png"], "none.png"),
        ([*INSPECT, "--image", "toy:99999"], "--image is 'toy:99999'; expected a scene from 0 to 999"),
        ([*INSPECT, "--word", " "], "word"),
        (["inspect", "--model", "toy", *INSPECT[3:]], "'dog' is not in the response"),
        (
            ["inspect", "--model", "toy", *INSPECT[3:], "--occurrence", "1", "--response", "a dog"],
            "'dog' is only 1 times",
        ),
    ],
)
def test_errors_take_one_line_and_status_2(arguments, message, capsys):
    assert main(arguments) == 2
    lines = capsys.readouterr().err.strip().splitlines()
    assert lines[-1].startswith("nbtoolkit: ") and message in lines[-1]
    assert "Traceback" not in "".join(lines)


@pytest.mark.slow
def test_demo_serves_the_notebook_and_stops_with_its_server(tmp_path):
    command = [sys.executable, "-c", "import nbtoolkit.data.loading as d; d._TOY_SIZE['train'] = 200; from nbtoolkit.cli import main; main()",
               "demo", "--no-browser", "--token", "car", "--n-concepts", "3"]  # fmt: skip
    with (tmp_path / "log").open("w+") as log:
        demo = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT, cwd=tmp_path)
        try:
            address, deadline = None, time.monotonic() + 120
            while time.monotonic() < deadline and demo.poll() is None:
                if found := re.search(
                    r"JupyterLab: (http://127\.0\.0\.1:\d+)\S*token=(\w+)", (tmp_path / "log").read_text()
                ):
                    address = f"{found[1]}/api/contents/01_first_look.ipynb?content=0&token={found[2]}"
                    with contextlib.suppress(OSError):
                        assert json.load(urllib.request.urlopen(address, timeout=2))["type"] == "notebook"
                        break
                time.sleep(0.3)
            else:
                pytest.fail((tmp_path / "log").read_text()[-2000:])
        finally:
            demo.terminate()
            assert demo.wait(30) == 0
    with pytest.raises(OSError):
        urllib.request.urlopen(address, timeout=2)
    assert nbt.open_study(tmp_path / "car.study").token == "car"


def test_inspect_writes_measurements_and_a_page(tmp_path, capsys):
    nbt.load_data("toy", n=4)[3]["image"].save("a scene.png")
    command = [
        "inspect",
        "--model",
        "toy",
        "--image",
        "a scene.png",
        "--word",
        "train",
        "--foil",
        "bus",
        "--out",
        "new/why",
    ]
    assert main([*command, "--with", "lens,occlusion,attention"]) == 0
    text = capsys.readouterr().out
    assert "s  occlusion" in text and "page: new/why/inspect.html" in text and "3 instruments, 0 refused" in text
    names = {p.name for p in (tmp_path / "new" / "why").iterdir()}
    assert names == {"inspect.html", "lens.measurement", "occlusion.measurement", "attention.measurement"}
    assert "a scene.png, 128 × 128 pixels" in (tmp_path / "new" / "why" / "inspect.html").read_text("utf-8")
    m = nbt.Measurement.open("new/why/occlusion.measurement")
    assert (m.provenance["word"], m.provenance["foil"], m.values.sizes["patch"]) == ("train", "bus", 64)


def test_inspect_has_status_3_where_an_instrument_is_refused_and_keeps_the_others(tmp_path, capsys):
    command = [
        "inspect",
        "--model",
        "toy",
        "--image",
        "toy:3",
        "--word",
        "train",
        "--response",
        "the train",
        "--out",
        "why",
    ]
    assert main([*command, "--with", "path-effects,heads"]) == 3
    error = capsys.readouterr().err.strip().splitlines()
    assert len(error) == 1 and error[0].startswith("nbtoolkit: path-effects was not measured: through is 'question'")
    assert {p.name for p in (tmp_path / "why").iterdir()} == {"inspect.html", "heads.measurement"}
    (tmp_path / "why" / "mine.txt").touch()
    assert main([*command, "--model", "/nowhere"]) == 2  # before the model is loaded
    assert "is not the folder of an inspection (it has 'mine.txt')" in capsys.readouterr().err


def test_unknown_commands_exit_with_2():
    with pytest.raises(SystemExit) as stop:
        main(["dance"])
    assert stop.value.code == 2


def test_the_version_is_printed(capsys):
    with pytest.raises(SystemExit, match="^0$"):
        main(["--version"])
    assert capsys.readouterr().out == f"nbtoolkit {nbt.__version__}\n"


def test_doctor(capsys):
    assert main(["doctor"]) == 0
    said = capsys.readouterr().out
    assert "anywidget" in said and "front end" in said and "missing" not in said.replace("distributed     missing", "")
