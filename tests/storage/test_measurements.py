"""Measurements as files: everything comes back, and nothing altered does."""

import hashlib
import json

import numpy as np
import pytest
import xarray
from safetensors import safe_open
from safetensors.numpy import load_file, save_file

import nbtoolkit as nbt
from nbtoolkit.storage.measurements import read

from ..types.test_measurement import example


def test_everything_comes_back(tmp_path):
    m = example(image=b"jpeg", note="A note.")
    path = m.save(tmp_path / "one.measurement")
    again = nbt.Measurement.open(path)
    assert path.name == "one.measurement" and sorted(tmp_path.iterdir()) == [path]
    np.testing.assert_array_equal(again.values.values, m.values.values)
    assert again.values.dtype == np.float32 and again.values.dims == m.values.dims and again.name == m.name
    assert again.values.text.values.tolist() == ["a", " dog", "\ufffd"]  # no file can hold a lone surrogate
    xarray.testing.assert_identical(again.null, m.null.rename("null"))
    assert again.details["word"].values.tolist() == m.details["word"].values.tolist()
    for name in ("unit", "check", "null_kind", "provenance", "image", "note"):
        assert getattr(again, name) == getattr(m, name)
    assert example(null=None, null_kind=None, details={}).save(path) == path and read(path).null is None


def test_every_flipped_bit_is_one_clear_error(tmp_path):
    path = example().save(tmp_path / "one.measurement")
    raw = path.read_bytes()
    for k in range(0, 8 * len(raw), 7):
        damaged = bytearray(raw)
        damaged[k // 8] ^= 1 << k % 8
        path.write_bytes(damaged)
        with pytest.raises(nbt.errors.StudyError, match="one.measurement"):
            read(path)
    path.write_bytes(raw)
    assert read(path).name == "example"


def test_files_of_others_are_refused(tmp_path):
    path = example().save(tmp_path / "one.measurement")
    with pytest.raises(nbt.errors.StudyError, match="is of the model 'toy'; expected 'other'"):
        read(path, model=type("M", (), {"name": "other"}))
    save_file(load_file(path), tmp_path / "two")
    with pytest.raises(nbt.errors.StudyError, match="is not a measurement; expected a file that its save"):
        read(tmp_path / "two")
    for missing in (tmp_path / "none", tmp_path):
        with pytest.raises(nbt.errors.StudyError, match="expected a"):
            read(missing)
    with pytest.raises(nbt.errors.StudyError, match="What was there stays"):
        example().save(path / "below")


@pytest.mark.parametrize(("name", "dims"), [("null", ["draw", "x", "position"]), ("values", ["layer", "layer"])])
def test_axes_of_another_shape_are_refused(tmp_path, name, dims):
    path = example().save(tmp_path / "one.measurement")
    with safe_open(path, "np") as file:
        body = json.loads(file.metadata()["nbtoolkit"])
    body["content"]["arrays"][name]["dims"] = dims
    text = json.dumps(body)
    save_file(load_file(path), path, {"nbtoolkit": text, "sha256": hashlib.sha256(text.encode()).hexdigest()})
    with pytest.raises(
        nbt.errors.StudyError, match=r"one.measurement' has the axes \[.*\]; expected each once, and the null on"
    ):
        nbt.Measurement.open(path)
