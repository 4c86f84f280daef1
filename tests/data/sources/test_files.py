"""Files of every kind: each small change of one is read, or is one DataError."""

import collections
import json
import os

import pytest

import nbtoolkit as nbt

from ...fuzz.data import CONTENTS
from ...fuzz.mutate import mutations


@pytest.mark.parametrize("name", list(CONTENTS))
def test_every_change_of_a_file_is_read_or_is_one_error(folder, name):
    """Also as JSON Lines, one entry a line; what is read has texts as ids and captions."""
    outcomes = collections.Counter()
    whole = CONTENTS[name]
    assert len(nbt.load_data(write(folder / "x.json", whole))) == 2
    changes = [(write, "x.json", change) for change in mutations(whole)]
    if isinstance(whole, list):
        changes += [(write_lines, "x.jsonl", [change, whole[1]]) for change in mutations(whole[0])]
    for writer, file, change in changes:
        writer(folder / file, change)
        try:
            data = nbt.load_data(folder / file)
            outcomes["read"] += 1
            assert all(isinstance(t, str) for group in data["captions"] for t in group) and len(set(data["id"])) == len(
                data
            )
        except nbt.errors.DataError as error:
            outcomes["refused"] += 1
            assert file in str(error) or "x.json" in str(error) or "data set is empty" in str(error), error
    assert outcomes["refused"] > 100 and outcomes["read"] > 30


def write(path, value):
    path.write_text(json.dumps(value), "utf-8")
    return path


def write_lines(path, values):
    path.write_text("\n".join(map(json.dumps, values)), "utf-8")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"images": [], "images": []}', "is not valid JSON .the key 'images' appears twice"),
        ('{"images": [{"id": 1, "file_name": "a.jpg", "size": NaN}], "annotations": []}', "NaN is no number of JSON"),
        ("[" * 100_000, "is not valid JSON"),
        ("", "is not valid JSON"),
        ("\x00", "is not valid JSON"),
        ('{"images": [{"id": 1, "file_name": "a.jpg"}, {"id": 1, "file_name": "b.jpg"}], "annotations": []}',
         r"images\[1\] has the id '1', which is that of another image"),
        ('{"images": [{"id": 1, "file_name": "a.jpg"}], "annotations": [{"image_id": 2, "caption": "x"}]}',
         r"annotations\[0\] has the keys .* and the image_id '2'; expected 'caption' and the 'image_id' of a listed image"),
        ('{"images": [{"id": 1, "file_name": "a.jpg"}], "annotations": [{"image_id": 1, "bbox": [1]}]}', "may be another kind"),
        ('{"images": [{"id": 1}], "annotations": []}', r"images\[0\]: the image is None; expected a file name"),
        ('{"images": {"a": 1}, "annotations": []}', "has 'images' of type dict; expected a list of objects"),
        ('{"images": [{"id": 1, "file_name": "a.jpg"}], "annotations": [{"image_id": 1, "caption": 7}]}',
         r"annotations\[0\] has the caption 7; expected a text"),
    ],
)  # fmt: skip
def test_flaws_of_json_are_named_with_their_place(folder, text, message):
    (folder / "x.json").write_text(text, "utf-8")
    with pytest.raises(nbt.errors.DataError, match=f"x.json.*{message}"):
        nbt.load_data(folder / "x.json")


@pytest.mark.parametrize("name", ["x.json", "x.jsonl", "x.csv", "x.txt", "x.parquet"])
def test_only_regular_files_are_read(tmp_path, name):
    os.mkfifo(tmp_path / name)
    with pytest.raises(nbt.errors.DataError, match="is a named pipe; expected a regular file"):
        nbt.load_data(tmp_path / name)
    (tmp_path / name).unlink()
    (tmp_path / name).symlink_to("/dev/zero")
    with pytest.raises(nbt.errors.DataError, match="is a device; expected a regular file"):
        nbt.load_data(tmp_path / name)


def test_a_list_of_records_with_captions(folder):
    """As BLIP and ALBEF are trained on; a byte-order mark is no part of the JSON."""
    (folder / "train.json").write_text(json.dumps(CONTENTS["records"]), "utf-8-sig")
    data = nbt.load_data(folder / "train.json")
    assert data["id"][:] == ["a.jpg", "b"] and data["captions"][:] == [["a dog", "one dog"], ["a cat"]]


def test_columns_of_a_listing_are_bounded(folder):
    lines = [json.dumps({"file_name": "a.jpg", "caption": "x", "id": k, f"column {k}": "y"}) for k in range(1_100)]
    (folder / "captions.jsonl").write_text("\n".join(lines))
    with pytest.raises(nbt.errors.DataError, match="has 1,100 columns, such as .*; expected at most 1,000"):
        nbt.load_data(folder)


def test_paths_may_begin_with_the_home_folder(folder, monkeypatch, tmp_path_factory):
    monkeypatch.setenv("HOME", str(folder))
    (folder / "captions.csv").write_text("image,caption\na.jpg,a dog\n")
    elsewhere = tmp_path_factory.mktemp("elsewhere") / "list.csv"
    elsewhere.write_text("image,caption\na.jpg,a dog\n")
    for data in (nbt.load_data("~"), nbt.load_data("~/captions.csv"), nbt.load_data(elsewhere, images="~")):
        assert data[0]["image"].size == (20, 10)
