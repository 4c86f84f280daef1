"""Flaws of study folders that have a rule of their own; the attacks have damaged and hostile ones by the thousand."""

import json

import numpy as np
import pytest

import nbtoolkit as nbt

from ..fuzz import studies
from ..fuzz.mutate import MORE, VALUES
from ..fuzz.studies import ATTRIBUTES, FILES, HEADERS, header, outcome, rehash


@pytest.fixture(scope="module")
def small():
    return studies.small()


@pytest.fixture
def folder(small, tmp_path):
    return small.save(tmp_path / "dog.study")


@pytest.mark.parametrize("name", ["study.json", "manifest.json"])
def test_no_other_value_is_taken_for_a_whole_file(folder, name):
    for value in (*VALUES, *MORE):
        (folder / name).write_text(json.dumps(value))
        if name != "manifest.json":
            rehash(folder)
        assert outcome(folder) == "refused", value


@pytest.mark.parametrize("name", ["states.safetensors", "dictionaries.safetensors"])
@pytest.mark.parametrize("change", HEADERS.values(), ids=HEADERS)
def test_safetensors_have_the_promises_of_their_library(folder, name, change):
    header(folder, name, change)
    assert outcome(folder) == "refused"


@pytest.mark.parametrize("name", FILES)
def test_a_link_within_the_folder_is_a_file_of_it(folder, name):
    (folder / name).rename(folder / "moved")
    (folder / name).symlink_to("moved")
    assert outcome(folder) == "opened"


@pytest.mark.parametrize("attribute", ATTRIBUTES)
def test_an_encoder_of_other_values_is_refused_on_use(folder, attribute):
    about = json.loads((folder / "study.json").read_text())
    for layer, value in (("1", "x"), ("2", 10**9)):
        about["dictionaries"][layer]["encoder"]["attributes"][attribute] = value
    (folder / "study.json").write_text(json.dumps(about))
    rehash(folder)
    assert outcome(folder) in ("refused", "refused on use", "opened")
    if attribute in ("transform", "_n_features_out", "__class__", "no name"):
        with pytest.raises(
            nbt.errors.StudyError, match=rf"gives the estimator 'sklearn.decomposition.PCA' the attribute '{attribute}'"
        ):
            nbt.open_study(folder).dictionary(1).encode(np.zeros((1, 4)))


def test_lone_surrogates_not_a_number_and_infinity_go_through_a_file(small, tmp_path):
    import dataclasses

    scores = {1: nbt.Scores({"a": float("nan"), "b": float("-inf")}, {}, {}, {"c": np.array([np.nan, np.inf])})}
    samples = [dataclasses.replace(small.samples[0], caption="a \ud800"), *small.samples[1:]]
    cd = dataclasses.replace(small.dictionary(1), parameters={"tol": float("inf")})
    odd = dataclasses.replace(small, scores=scores, samples=samples, labels={"1:0": "\udfff"}, dictionaries={1: cd})
    path = odd.save(tmp_path / "odd.study")
    json.loads((path / "study.json").read_text("utf-8"), parse_constant=pytest.fail)
    opened = nbt.open_study(path)
    assert opened.samples[0].caption == "a \ufffd" and dict(opened.labels) == {"1:0": "\ufffd"}
    assert repr(opened.scores[1].values) == repr({"a": float("nan"), "b": float("-inf")})
    np.testing.assert_array_equal(opened.scores[1].per_concept["c"], [np.nan, np.inf])
    assert opened.dictionary(1).parameters == {"tol": float("inf")}


def test_json_of_release_0_1_with_nan_still_opens(small, folder):
    about = json.loads((folder / "study.json").read_text())
    about["dictionaries"]["1"]["reconstruction_error"] = float("nan")
    (folder / "study.json").write_text(json.dumps(about))
    rehash(folder)
    assert "NaN" in (folder / "study.json").read_text()
    assert np.isnan(nbt.open_study(folder).dictionary(1).reconstruction_error)


def test_a_killed_save_is_recovered_on_opening(folder):
    folder.rename(folder.with_name(".dog.study.abcd1234.old"))
    assert nbt.open_study(folder).token == "dog"
    assert [p.name for p in folder.parent.iterdir()] == ["dog.study"]


def test_paths_begin_at_home(small, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    assert small.save("~/x.study") == tmp_path / "x.study" and nbt.open_study("~/x.study").token == "dog"
