"""JSON of others: strict in both directions, and one error with the place."""

import os

import pytest

import nbtoolkit as nbt
from nbtoolkit.errors import DataError, StudyError
from nbtoolkit.strict_json import dump_json, encodable, parse_json, read_json


@pytest.mark.parametrize(("text", "reason"), [
    ("NaN", "NaN is no number of JSON"),
    ('{"a": -Infinity}', "-Infinity is no number of JSON"),
    ("1e999", "1e999 is beyond the range of float64"),
    ('{"a": 1, "b": 2, "a": 3}', "the key 'a' appears twice in one object"),
    ("[" * 70 + "]" * 70, "nested deeper than 64 levels"),
    ("[" * 200_000, "recursion"),
    ("1" * 5000, "integer string conversion"),
    (b"\xff\xfe{}", "codec can't decode"),
    ("{", "Expecting property name"),
    ("", "Expecting value"),
    ("{} {}", "Extra data"),
])  # fmt: skip
def test_a_flaw_is_one_error_with_the_place(text, reason):
    with pytest.raises(DataError, match=f"^'x.jsonl', line 3, is not valid JSON .*{reason}"):
        parse_json(text, "'x.jsonl', line 3,")


def test_depth_up_to_the_limit_marks_and_old_nan_are_read():
    assert parse_json("[" * 64 + "]" * 64, "x")
    assert parse_json(b'\xef\xbb\xbf{"a": 1}', "x") == {"a": 1} == parse_json('\ufeff{"a": 1}', "x")
    assert str(parse_json("[NaN, -Infinity]", "x", allow_nan=True)) == "[nan, -inf]"


def test_lone_surrogates_become_replacement_characters_and_pairs_stay():
    assert parse_json(r'{"\ud800": ["a\udc00b", "\ud83c\udf63"]}', "x") == {"\ufffd": ["a\ufffdb", "🍣"]}
    assert encodable(("a\ud800", {"b\udfff": 1, 2: None})) == ("a\ufffd", {"b\ufffd": 1, 2: None})
    assert dump_json(["\ud800"]) == '["\ufffd"]'


def test_writing_is_strict_too():
    assert dump_json({"a": (float("nan"), float("inf"), 1.5), 1: True}) == '{"a": [null, null, 1.5], "1": true}'


def test_only_regular_files_of_bounded_size_are_read(tmp_path):
    (tmp_path / "a.json").write_text("[1]")
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "link.json").symlink_to(tmp_path / "a.json")
    (tmp_path / "circle.json").symlink_to(tmp_path / "circle.json")
    (tmp_path / "zero.json").symlink_to("/dev/zero")
    os.mkfifo(tmp_path / "pipe.json")
    assert read_json(tmp_path / "a.json") == read_json(tmp_path / "in" / "link.json") == [1]
    kinds = {"in": "folder", "zero.json": "device", "pipe.json": "named pipe", "none.json": "No such file"}
    for path, reason in (kinds | {"circle.json": "symbolic links"}).items():
        with pytest.raises(StudyError, match=f"{path}.*{reason}.*expected a"):
            read_json(tmp_path / path, StudyError)
    with pytest.raises(StudyError, match=r"link.json' is a link to a file outside .*Copy it there"):
        read_json(tmp_path / "in" / "link.json", StudyError, inside=tmp_path / "in")
    with pytest.raises(nbt.errors.DataError, match=r"has 3 bytes; expected at most 2 of JSON"):
        read_json(tmp_path / "a.json", limit=2)
