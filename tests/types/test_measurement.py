"""A measurement has a unit, a null, a check and provenance; where its check fails, it has no numbers."""

import copy
import math
import pickle

import numpy as np
import pytest
import xarray

import nbtoolkit as nbt
from nbtoolkit.types.measurement import Identity, Measurement
from nbtoolkit.types.nulls import OTHER_SOURCES


def example(residual=1e-7, **options):
    values = xarray.DataArray(
        np.array([[0.5, -2.0, np.nan], [1.0, 0.0, 3.0]], np.float32),
        {"layer": [1, 2], "position": [0, 1, 2], "text": ("position", ["a", " dog", "\ud800"])},
        ("layer", "position"),
        "example",
    )
    null = xarray.DataArray(np.full((4, 2, 3), 0.5), dims=("draw", "layer", "position"))
    words = xarray.DataArray(np.array([["u", "v", "w"], ["x", "y", "z"]], object), dims=("layer", "position"))
    given = {
        "null": null,
        "null_kind": OTHER_SOURCES,
        "details": {"word": words},
        "provenance": {"model": "toy", "word": "dog"},
    }
    return Measurement(values, "nats", Identity("parts sum to the whole", residual, 1e-5), **given | options)


@pytest.mark.parametrize("residual", [1.0, math.nan, math.inf])
def test_a_check_that_fails_gives_no_numbers(residual):
    with pytest.raises(
        nbt.errors.MeasurementError, match="is not given, because its check fails: parts sum to the whole: residual"
    ):
        example(residual)


def test_the_frame_has_a_row_per_value():
    frame = example().to_frame()
    assert list(frame) == ["layer", "position", "text", "value", "word"] and len(frame) == 6
    assert frame.value[3] == 1 and frame.word.tolist() == ["u", "v", "w", "x", "y", "z"]


def test_the_share_of_the_null_that_reaches_the_values():
    m = example()
    assert m.p() == 1 / 5
    assert math.isnan(example(null=None).p()) and math.isnan(example(null=m.null.isel(draw=0, drop=True)).p())


@pytest.mark.parametrize("how", [copy.copy, copy.deepcopy, lambda m: pickle.loads(pickle.dumps(m))])
def test_copies_are_equal(how):
    m, again = example(image=b"jpeg", note="A note."), how(example(image=b"jpeg", note="A note."))
    assert again.values.identical(m.values) and again.null.identical(m.null) and again.check == m.check
    assert again.provenance == m.provenance and again.image == m.image and repr(again) == repr(m)


def test_axes_are_selected_and_reduced_with_null_and_details():
    m = example()
    one = m.sel(layer=2, position=[0, 2])
    np.testing.assert_array_equal(one.values, [1.0, 3.0])
    assert one.null.shape == (4, 2) and one.details["word"].values.tolist() == ["x", "z"] and one.unit == m.unit
    total = m.sum("layer")
    np.testing.assert_allclose(total.values, [1.5, -2.0, 3.0])  # NaN is left out, as xarray does
    np.testing.assert_allclose(total.null, 1.0)
    assert total.null.dims == ("draw", "position") and not total.details  # texts have no sum
    assert m.mean("layer", "position").values.item() == pytest.approx(0.5) and m.mean().values.equals(m.values)
    with pytest.raises(
        nbt.errors.MeasurementError, match="example has no axis 'head'; expected one of 'layer', 'position'"
    ):
        m.mean("head")
    with pytest.raises(nbt.errors.MeasurementError, match=r"example has no {'layer': 7}; expected .* layer: \[1, 2\]"):
        m.sel(layer=7)


def test_copies_and_files_hold_no_model(tmp_path):
    m = example(target=object())
    for other in (
        copy.copy(m),
        copy.deepcopy(m),
        pickle.loads(pickle.dumps(m)),
        Measurement.open(m.save(tmp_path / "m")),
    ):
        assert other.target is None and m.target is not None
        np.testing.assert_array_equal(other.values, m.values)


def test_a_detail_with_other_entries_on_an_axis_stays_apart():
    every = xarray.DataArray(np.arange(8), {"position": range(8)}, "position")
    m = example()
    alone = Measurement(m.values.sel(layer=1), "nats", m.check, details={"unit": every})
    assert list(alone.to_frame().value) == pytest.approx([0.5, -2.0, np.nan], nan_ok=True)
    assert alone.sel(position=[0, 2]).details["unit"].equals(every)
