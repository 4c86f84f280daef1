"""A study on disk: the round trip is the identity, damage is named, nothing good is replaced by half a file."""

import dataclasses
import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import nbtoolkit as nbt
from nbtoolkit import durable
from nbtoolkit.storage import study_folder
from nbtoolkit.storage.files import sha256


def same(a, b):
    assert a.token == b.token and a.layers == b.layers and a.source == b.source
    assert a.samples == b.samples
    assert (
        a.representations.sample_ids == b.representations.sample_ids
        and a.representations.layers == b.representations.layers
    )
    np.testing.assert_array_equal(a.representations.states, b.representations.states)
    assert (
        dict(a.representations.skipped) == dict(b.representations.skipped)
        and a.representations.references == b.representations.references
    )
    for layer in a.layers:
        x, y, g, h = a.dictionary(layer), b.dictionary(layer), a.grounding(layer), b.grounding(layer)
        for name in ("concepts", "activations", "unexplained"):
            np.testing.assert_array_equal(getattr(x, name), getattr(y, name))
        assert (x.method, x.layer, x.sample_ids) == (y.method, y.layer, y.sample_ids)
        assert {k: repr(v) for k, v in x.parameters.items()} == {k: repr(v) for k, v in y.parameters.items()}
        assert x.reconstruction_error == y.reconstruction_error
        assert (g.words, g.exemplars, g.tokens, g.filter) == (h.words, h.exemplars, h.tokens, h.filter)
        assert (g.logits, g.negative, g.negative_logits) == (h.logits, h.negative, h.negative_logits)
        assert dict(a.scores[layer].values) == dict(b.scores[layer].values) and dict(a.scores[layer].baseline) == dict(
            b.scores[layer].baseline
        )


def test_round_trip_is_the_identity(study, folder, tmp_path):
    opened = nbt.open_study(folder)
    assert all(opened.grounding(layer).logits for layer in opened.layers)
    same(study, opened)
    same(study, nbt.open_study(opened.save(tmp_path / "again.study")))


def test_a_study_without_logits_is_what_it_was(study, tmp_path):
    bare = {layer: replace(g, logits=[], negative=[], negative_logits=[]) for layer, g in study.groundings.items()}
    old = nbt.open_study(replace(study, groundings=bare).save(tmp_path / "old.study"))
    for g in old.groundings.values():
        assert (g.logits, g.negative, g.negative_logits) == ([], [], [])
    assert nbt.explore(old).to_html(tmp_path / "page.html").stat().st_size > 1e5


def test_opening_and_exploring_imports_no_torch(folder):
    code = ("import sys, nbtoolkit as nbt; s = nbt.open_study(sys.argv[1]); w = nbt.explore(s); w.to_html(sys.argv[2]);"
            "assert not {'torch', 'transformers', 'sklearn', 'datasets'} & set(sys.modules)")  # fmt: skip
    subprocess.run([sys.executable, "-c", code, str(folder), str(folder.parent / "x.html")], check=True)


def test_importing_the_package_imports_nothing_heavy():
    code = "import sys, nbtoolkit; assert not {'torch', 'transformers', 'sklearn', 'datasets', 'anywidget', 'numpy'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize(
    "name", ["study.json", "states.safetensors", "dictionaries.safetensors", "samples.parquet", "grounding.parquet"]
)
def test_missing_truncated_and_altered_files_are_named(folder, name):
    file = folder / name
    whole = file.read_bytes()
    file.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    with pytest.raises(nbt.NbtoolkitError, match=f"'{name}' in .* was altered: its SHA-256"):
        nbt.open_study(folder)
    file.write_bytes(whole[:-10])
    with pytest.raises(
        nbt.NbtoolkitError, match=f"'{name}' in .* has {len(whole) - 10} bytes; the manifest says {len(whole)}"
    ):
        nbt.open_study(folder)
    file.unlink()
    with pytest.raises(nbt.NbtoolkitError, match=f"lacks '{name}'"):
        nbt.open_study(folder)


def test_a_damaged_manifest_and_no_study(folder, tmp_path):
    (folder / "manifest.json").write_text("{")
    with pytest.raises(nbt.NbtoolkitError, match="'manifest.json' in .* is damaged"):
        nbt.open_study(folder)
    (folder / "manifest.json").unlink()
    with pytest.raises(nbt.NbtoolkitError, match="is not a study: it has no manifest.json"):
        nbt.open_study(folder)
    for nothing in (tmp_path / "none", folder / "study.json"):
        with pytest.raises(nbt.NbtoolkitError, match="There is no study at"):
            nbt.open_study(nothing)


def test_a_manifest_cannot_point_outside(folder):
    entry = {"sha256": "0" * 64, "bytes": 1}
    manifest = json.loads((folder / "manifest.json").read_text())
    (folder / "manifest.json").write_text(json.dumps(manifest | {"../x": entry}))
    with pytest.raises(nbt.NbtoolkitError, match=r"lacks '\.\./x'"):
        nbt.open_study(folder)


def rewrite(folder, change):
    """Change study.json as somebody might who wants the manifest to agree."""
    about = json.loads((folder / "study.json").read_text())
    change(about)
    (folder / "study.json").write_text(json.dumps(about))
    manifest = json.loads((folder / "manifest.json").read_text())
    size = (folder / "study.json").stat().st_size
    manifest["study.json"] = {"sha256": sha256(folder / "study.json"), "bytes": size}
    (folder / "manifest.json").write_text(json.dumps(manifest))


def test_a_future_format_is_refused(folder):
    rewrite(folder, lambda about: about.update(format=3))
    with pytest.raises(
        nbt.errors.StudyError, match="has study format 3; this nbtoolkit reads formats 1 and 2. Update nbtoolkit"
    ):
        nbt.open_study(folder)


def test_a_failing_save_leaves_the_old_study(study, folder, monkeypatch):
    def fail(*_):
        raise OSError("disk full")

    monkeypatch.setattr(study_folder, "write_table", fail)
    with pytest.raises(nbt.errors.StudyError, match=r"could not be written to .* \(disk full\). What was there stays"):
        study.save(folder)
    same(study, nbt.open_study(folder))
    assert [p.name for p in folder.parent.iterdir()] == ["dog.study"]  # no leftovers


def test_a_study_that_cannot_be_swapped_in_leaves_the_old_one(study, folder, monkeypatch):
    replace = os.replace

    def fail(source, target):
        if Path(target) == folder and not str(source).endswith(".old"):
            raise OSError("busy")
        replace(source, target)

    monkeypatch.setattr(os, "replace", fail)
    monkeypatch.setattr(durable, "_EXCHANGES", {})  # as on a disk that cannot exchange folders
    with pytest.raises(nbt.errors.StudyError, match=r"could not be written to .* \(busy\)"):
        study.save(folder)
    same(study, nbt.open_study(folder))
    assert [p.name for p in folder.parent.iterdir()] == ["dog.study"]


def test_other_folders_are_not_overwritten(study, folder, tmp_path):
    (tmp_path / "thesis").mkdir()
    with pytest.raises(nbt.NbtoolkitError, match="exists and is not a study; nothing was written"):
        study.save(tmp_path / "thesis")
    with pytest.raises(nbt.NbtoolkitError, match="exists already"):
        study.save(folder, overwrite=False)


def test_shapes_are_checked_where_data_is_made():
    with pytest.raises(
        nbt.NbtoolkitError,
        match=r"Representations.states has shape \(3, 4\); expected \(n_samples, n_layers \+ 1, d_model\)\.",
    ):
        nbt.Representations(np.ones((3, 4)), ["a"] * 3, [""] * 3, [0] * 3)
    with pytest.raises(nbt.NbtoolkitError, match="Representations.captions has 1 entries; expected n_samples = 3"):
        nbt.Representations(np.ones((3, 2, 4)), ["a"] * 3, [""], [0] * 3)
    with pytest.raises(
        nbt.NbtoolkitError,
        match=r"ConceptDictionary.activations has shape \(1, 2\); expected \(n_samples, n_concepts\) = \(1, 3\)",
    ):
        nbt.ConceptDictionary(np.eye(3), np.ones((1, 2)), ["a"], 0, "PCA")
    with pytest.raises(nbt.NbtoolkitError, match="Grounding has words for 1 concepts but exemplars for 2"):
        nbt.Grounding([["a"]], [["b"], ["c"]])


KILLS = """
import os, random, signal, sys, time
from pathlib import Path
import numpy as np
import nbtoolkit as nbt
from nbtoolkit import durable
from nbtoolkit.storage.example import noise_study

target, n, one_step = Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3] == "True"
if not one_step:
    durable._EXCHANGES = {}
s = noise_study()
rng = random.Random(0)

def child(work):
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            work()
            code = 0
        finally:
            os._exit(code)
    return pid

def study(version):
    labels = {"1:0": version}
    return nbt.Study(version, s.dictionaries, s.groundings, s.samples, s.representations, {}, nbt.Source(token=version), labels)

def save_for_ever():
    for k in range(10 ** 6):
        study(f"{k}").save(target)

def check():
    opened = nbt.open_study(target)
    assert opened.token == opened.labels["1:0"] == opened.source.token
    opened.save(target)
    assert [p.name for p in target.parent.iterdir()] == [target.name], list(target.parent.iterdir())

child(lambda: study("first").save(target))
os.wait()
left = 0
for k in range(n):
    pid = child(save_for_ever)
    time.sleep(0.02 + 0.5 * rng.random())
    os.kill(pid, signal.SIGKILL)
    assert os.WIFSIGNALED(os.waitpid(pid, 0)[1])
    left += len(list(target.parent.iterdir())) > 1
    assert os.waitpid(child(check), 0)[1] == 0, k
print(n, "kills,", left, "left something, which the next save removed")
"""


def kills(target, n, one_step):
    command = [sys.executable, "-c", KILLS, str(target), str(n), str(one_step)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0 and f"{n} kills" in done.stdout, done.stdout + done.stderr


@pytest.mark.parametrize("one_step", [True, False])
def test_a_killed_save_loses_nothing_and_leaves_nothing(tmp_path, one_step):
    kills(tmp_path / "dog.study", 3, one_step)


@pytest.mark.slow
@pytest.mark.parametrize("one_step", [True, False])
def test_forty_killed_saves_lose_nothing_and_leave_nothing(tmp_path, one_step):
    kills(tmp_path / "dog.study", 40, one_step)


def test_a_study_without_negative_words_opens_and_one_with_wrong_logits_is_refused(study, tmp_path):
    g = study.grounding(4)
    none = [[] for _ in g.words]
    bare = dataclasses.replace(g, negative=none, negative_logits=none)
    opened = nbt.open_study(
        dataclasses.replace(study, groundings=dict(study.groundings) | {4: bare}).save(tmp_path / "a.study")
    )
    assert opened.grounding(4).logits == g.logits and opened.grounding(4).negative_logits == []
    with pytest.raises(nbt.NbtoolkitError, match="logits of other lengths than its words"):
        dataclasses.replace(g, logits=[[1.0]] * len(g.words))
