"""Many instruments on one target: a refused one does not lose the others, and the folder is written whole."""

import dataclasses

import numpy as np
import pytest
import torch
from PIL import Image

import nbtoolkit as nbt
from nbtoolkit.attribution import occlusion
from nbtoolkit.live import inspection
from nbtoolkit.live.drawings import as_map, drawings
from nbtoolkit.live.inspection import Inspection, check_folder, inspect_target
from nbtoolkit.live.instruments import INSTRUMENTS, instruments
from nbtoolkit.types.measurement import Identity, Measurement

from ..zoo_targets import zoo_target

INSTRUMENTS_ALONE = [one for name, one in INSTRUMENTS.items() if name != "faithfulness"]  # of every map takes seconds


@pytest.fixture(scope="module")
def t(model, data):
    return nbt.target(model, data[3]["image"], "train", foil="bus")


@pytest.fixture(scope="module")
def whole(t):
    parts = [inspect_target(t, INSTRUMENTS_ALONE), inspect_target(t, instruments("occlusion,faithfulness"))]
    return Inspection(t, parts[0].results + parts[1].results[1:])


def test_one_that_is_refused_does_not_lose_the_others(whole, t):
    """The embedded model takes no question, so that there are no positions of it between image and word."""
    (refused,) = whole.refused
    assert refused.name == "path-effects" and "through is 'question'" in refused.reason
    assert [result.name for result in whole.results] == [*[*INSTRUMENTS][:-1], "faithfulness-occlusion"]
    by_name = {result.name: result.measurement for result in whole.results}
    assert np.array_equal(by_name["occlusion"].values, occlusion(t).values)
    assert by_name["faithfulness-occlusion"].provenance["map"] == "occlusion"


def test_what_is_drawn_has_two_axes_at_most_and_is_of_the_measurement(whole):
    for result in whole.results:
        for drawing in drawings(result.measurement) if result.measurement else ():
            assert 1 <= drawing.part.values.ndim <= 2
            drawing.part.plot()
    by_name = {result.name: result.measurement for result in whole.results}
    attention = by_name["attention"]
    mean, share = (d.part for d in drawings(attention))
    assert np.allclose(mean.values, attention.values.values.mean((0, 1)))
    assert np.allclose(mean.null, attention.null.values.mean((0, 1))) and as_map(mean) is mean
    assert np.allclose(share.values, attention.values.sum("patch"), atol=1e-6)
    lens = by_name["lens"]
    assert np.array_equal(drawings(lens)[0].part.values, lens.values.values[:, -1])
    assert set(drawings(lens)[1].part.values.role.values) == {"system", "response"}
    patches = drawings(lens)[2].part
    assert patches.values.dims == ("patch",)
    gain = (lens.values - lens.null)[:, :64, 0].mean("position")
    assert np.array_equal(patches.values, lens.values[int(np.argmax(gain.values)), :64, 0])


def test_a_word_of_several_pieces_is_read_where_its_first_piece_is_predicted(model, data):
    image = data[3]["image"]
    t = nbt.target(model, image, "zebra", response="a zebra on the beach", quantity="log_prob")
    lens = nbt.lens.logit_lens(t)
    n = int(lens.details["n_pieces"][0])  # without the piece of a space in front
    assert n == len(t.positions) - 1 == 3 and np.array_equal(drawings(lens)[0].part.values, lens.values.values[:, -n])


@pytest.mark.parametrize(("name", "reason"), [("git", "attention"), ("blip-2-t5", "image positions")])
def test_a_family_without_rows_or_image_positions_keeps_the_other_instruments(name, reason, tmp_path):
    result = inspect_target(zoo_target(name), instruments("attention,occlusion-text,gradients,logits"))
    assert "attention" in [r.name for r in result.refused] and reason in result.refused[0].reason
    measured = {r.name for r in result.results if r.measurement is not None}
    assert {"occlusion-text", "gradients"} <= measured
    assert result.refused[0].reason.split(";")[0] in result.save(tmp_path / "why").read_text("utf-8").replace(
        "&#x27;", "'"
    )


@pytest.mark.parametrize("error", [torch.OutOfMemoryError("8 GB more"), MemoryError("8 GB more")])
def test_a_full_memory_loses_one_instrument(t, monkeypatch, error):
    def raises(*_, **__):
        raise error

    monkeypatch.setattr("nbtoolkit.attribution.occlusion", raises)
    first, last = inspect_target(t, instruments("occlusion,heads")).results
    assert first.reason.startswith("The memory does not suffice (8 GB more).") and last.measurement is not None


def test_a_check_that_fails_gives_a_reason_and_no_number(t, monkeypatch, tmp_path):
    fails = dataclasses.replace(Identity("parts sum to the whole", 0.5, 1e-4))
    values = occlusion(t, null="none").values
    monkeypatch.setattr("nbtoolkit.attribution.occlusion", lambda _t: Measurement(values, "nats", fails))
    result = inspect_target(t, instruments("occlusion,faithfulness,heads"))
    assert [r.name for r in result.refused] == ["occlusion", "faithfulness-occlusion"]
    assert "its check fails: parts sum to the whole: residual 0.5 > 0.0001" in result.refused[0].reason
    assert result.refused[1].reason.startswith("There is no map: ")
    page = result.save(tmp_path / "folder").read_text("utf-8")
    assert page.count("Not measured.") == 2 and page.count("data:image/png") == 1
    assert sorted(p.name for p in (tmp_path / "folder").iterdir()) == ["heads.measurement", "inspect.html"]


def test_the_files_are_the_measurements(whole, tmp_path, t):
    page = whole.save(tmp_path / "new" / "folder", image="scene.png")
    assert page == tmp_path / "new" / "folder" / "inspect.html"
    for result in whole.results:
        if result.measurement is not None:
            m = nbt.Measurement.open(page.parent / result.file, model=t.model)
            assert m.values.identical(result.measurement.values) or m.values.equals(result.measurement.values)
            assert f"href='{result.file}'" in page.read_text("utf-8")


def test_a_folder_is_replaced_only_where_it_is_an_inspections(whole, tmp_path, monkeypatch):
    few = Inspection(whole.target, whole.results[-1:])
    folder = tmp_path / "folder"
    folder.mkdir()
    few.save(folder)  # an empty one
    names = {p.name for p in folder.iterdir()}
    Inspection(whole.target, whole.results[2:3]).save(folder)
    assert {p.name for p in folder.iterdir()} == {"inspect.html", "occlusion.measurement"} != names

    def full(*_):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(inspection, "write_text", full)
        with pytest.raises(nbt.NbtoolkitError, match="No space left on device.*What was there stays"):
            few.save(folder)
    assert {p.name for p in folder.iterdir()} == {"inspect.html", "occlusion.measurement"}
    (folder / "notes.txt").write_text("mine")
    with pytest.raises(nbt.NbtoolkitError, match=r"is not the folder of an inspection \(it has 'notes.txt'\)"):
        few.save(folder)
    assert (folder / "notes.txt").read_text() == "mine"
    (tmp_path / "file").write_text("mine")
    with pytest.raises(nbt.NbtoolkitError, match="could not be written"):
        check_folder(tmp_path / "file")
    (tmp_path / "measured").mkdir()
    whole.results[2].measurement.save(tmp_path / "measured" / "mine")  # somebody's, without a page
    with pytest.raises(nbt.NbtoolkitError, match="is not the folder of an inspection"):
        check_folder(tmp_path / "measured")


def test_an_image_that_is_not_square_is_inspected(model, tmp_path):
    image = Image.fromarray(np.random.default_rng(0).integers(0, 255, (60, 150, 3), np.uint8))
    t = nbt.target(model, image, "dog", response="a dog", quantity="log_prob")
    result = inspect_target(t, instruments("attention,gradients"))
    assert not result.refused and "150 × 60 pixels" in result.save(tmp_path / "folder").read_text("utf-8")
