"""The one table of instruments: names, defaults, and what is refused before anything is measured."""

import importlib

import pytest

import nbtoolkit as nbt
from nbtoolkit.live.instruments import INSTRUMENTS, instrument, instruments


def test_every_instrument_is_a_function_that_takes_its_options():
    for name, one in INSTRUMENTS.items():
        package, _, function = one.source.rpartition(".")
        assert callable(getattr(importlib.import_module(f"nbtoolkit.{package}"), function)), name
        assert one.name == name and one.summary.endswith((".", "?"))


def test_names_are_taken_once_and_in_order():
    assert [one.name for one in instruments(" lens, occlusion,lens ")] == ["lens", "occlusion"]
    assert [one.name for one in instruments("all")] == [*INSTRUMENTS]
    assert [one.name for one in instruments("faithfulness,attention")] == ["attention", "faithfulness"]


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ("lens,oclusion", "There is no instrument 'oclusion'. Did you mean 'occlusion'? Known: lens, attention,"),
        ("Lens", "There is no instrument 'Lens'. Did you mean 'lens'?"),
        ("<script>", "There is no instrument '<script>'. Known: lens"),
        (" , ", "The instruments are ' , '; expected names among lens"),
        ("faithfulness,lens", "faithfulness needs a map beside it. Add one of attention, occlusion, gradients"),
    ],
)
def test_what_is_no_instrument_is_refused(names, message):
    with pytest.raises(nbt.NbtoolkitError, match=message.replace("?", r"\?").replace("(", r"\(")):
        instruments(names)


def test_an_instrument_measures_with_its_options(model, data):
    t = nbt.target(model, data[0]["image"], "a", foil="the")
    assert instrument("occlusion-text")(t).values.dims == ("position",)
    assert instrument("heads")(t).values.dims == ("layer", "head")
