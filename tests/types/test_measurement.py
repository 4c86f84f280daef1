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
