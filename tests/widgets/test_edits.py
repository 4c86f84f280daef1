"""Edits as data: typed, bounded, in one form."""

import math
import re

import pytest

import nbtoolkit as nbt
from nbtoolkit.widgets import edits

STEER = {"op": "steer", "layer": 4, "concept": 3, "strength": 1}


def test_steering_comes_into_one_form(study):
    own = edits.checked([STEER, {**STEER, "strength": -0.25, "positions": "image"}], study)
    assert own == [{**STEER, "strength": 1.0, "positions": "all"}, {**STEER, "strength": -0.25, "positions": "image"}]
    word = {"op": "steer", "layer": 1, "word": " snow ", "strength": 2}
    assert edits.checked([word], study)[0]["word"] == "snow"
    named = {"op": "steer", "layer": 0, "direction": "rain", "strength": 2}
    assert edits.checked([named], study)[0] == {**named, "strength": 2.0, "positions": "all"}  # a page has no vectors
    assert edits.checked([named], study, directions=["rain"])


@pytest.mark.parametrize(("change", "message"), [
    ({"strength": math.nan}, "strength of edits[0] is nan; expected a finite number from -100 to 100"),
    ({"strength": math.inf}, "strength of edits[0] is inf"),
    ({"strength": True}, "strength of edits[0] is True"),
    ({"strength": "2"}, "strength of edits[0] is '2'"),
    ({"strength": 101}, "strength of edits[0] is 101"),
    ({"concept": 8}, "concept of edits[0] is 8; expected 0 … 7"),
    ({"concept": True}, "concept of edits[0] is True"),
    ({"layer": 9}, "layer of edits[0] is 9; expected one of [1, 2, 3, 4, 5]"),
    ({"positions": "word"}, "positions of edits[0] is 'word'; expected one of 'all', 'image', 'after'"),
    ({"positions": ["all"]}, "positions of edits[0] is ['all']"),
    ({"word": "snow"}, "expected {\"op\": \"ablate\""),
    ({"path": "/etc"}, "expected {\"op\": \"ablate\""),
])  # fmt: skip
def test_other_values_are_refused(study, change, message):
    with pytest.raises(nbt.NbtoolkitError, match=re.escape(message)):
        edits.checked([{**STEER, **change}], study)


def test_words_and_directions_are_names(study):
    for name, value in [("word", ""), ("word", 3), ("word", "x" * 81), ("direction", " "), ("direction", None)]:
        with pytest.raises(
            nbt.NbtoolkitError, match=rf"{name} of edits\[0\] is .*; expected a text of 1 to 80 characters"
        ):
            edits.checked([{"op": "steer", "layer": 1, "strength": 1, name: value}], study)
    named = {"op": "steer", "layer": 6, "direction": "rain", "strength": 2}
    with pytest.raises(nbt.NbtoolkitError, match=r"layer of edits\[0\] is 6; expected 0 … 5"):
        edits.checked([named], study)
    with pytest.raises(nbt.NbtoolkitError, match=r"direction of edits\[0\] is 'rian'; .*Did you mean 'rain'\?"):
        edits.checked([{**named, "layer": 1, "direction": "rian"}], study, directions=["rain"])
    with pytest.raises(nbt.NbtoolkitError, match="The view has none"):
        edits.checked([{**named, "layer": 1}], study, directions=[])
