"""Captions as texts and records; ids as texts and whole numbers."""

import pytest

import nbtoolkit as nbt
from nbtoolkit.data.sources.captions import caption_texts, identifier


@pytest.mark.parametrize(
    ("value", "texts"),
    [
        ("a dog", ["a dog"]), ("", [""]), (None, []), ([], []), (["a", None, "", "b"], ["a", "b"]), (("a",), ["a"]),
        ({"raw": "a", "tokens": ["a"]}, ["a"]), ({"caption": "a"}, ["a"]), ({"text": ["a", "b"]}, ["a", "b"]),
        ([{"sentence": "a"}, {"value": "b"}], ["a", "b"]), ({"raw": None}, []), ([{"raw": None}], []),
        ({"text": "b", "raw": "a"}, ["a"]),
    ],
)  # fmt: skip
def test_texts_and_records(value, texts):
    assert caption_texts(value, "row 3") == texts


@pytest.mark.parametrize(
    "value", [5, 1.5, True, b"a", [5], [["a"]], {"x": "a"}, [{"x": "a"}], {"raw": 5}, {"raw": [5]}, {}]
)
def test_anything_else_is_refused_with_its_place(value):
    with pytest.raises(nbt.errors.DataError, match=r"^row 3 has (the caption|a caption with the keys)"):
        caption_texts(value, "row 3")


def test_ids():
    assert [identifier(value, "row 3") for value in ("a", 7, 0, None)] == ["a", "7", "0", None]
    for value in ("", 1.5, True, ["a"], b"a"):
        with pytest.raises(nbt.errors.DataError, match="^row 3 has the id .*; expected a text or a whole number"):
            identifier(value, "row 3")
