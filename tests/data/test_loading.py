"""The data door: every accepted source, every kind of picture, every refusal."""

import json

import datasets
import pytest

import nbtoolkit as nbt
from nbtoolkit.data import image_counts, images_by_id, raw_images, read_image, read_images, rows_by_id, vocabulary

from .made import gradient


def test_folder_with_captions(tmp_path):
    gradient().save(tmp_path / "a.jpg")
    gradient().save(tmp_path / "b.png")
    lines = [{"file_name": "a.jpg", "caption": "a ramp"}, {"file_name": "b.png", "captions": ["one", "two"], "id": 7}]
    (tmp_path / "captions.jsonl").write_text("\n".join(map(json.dumps, lines)))
    data = nbt.load_data(tmp_path)
    assert data["id"][:] == ["a.jpg", "7"] and data["captions"][:] == [["a ramp"], ["one", "two"]]
    assert data[0]["image"].size == (20, 10)


def test_dataset_columns_are_detected_or_named():
    pictures = [gradient(), gradient()]
    data = nbt.load_data(datasets.Dataset.from_dict({"img": pictures, "text": ["a", "b"], "more": [1, 2]}, features=datasets.Features(
        {"img": datasets.Image(), "text": datasets.Value("string"), "more": datasets.Value("int64")})))  # fmt: skip
    assert data.column_names == ["id", "image", "captions", "more"] and data["id"][:] == ["0", "1"]
    odd = datasets.Dataset.from_dict(
        {"x": pictures, "y": ["a", "b"]},
        features=datasets.Features({"x": datasets.Image(), "y": datasets.Value("string")}),
    )
    assert nbt.load_data(odd, captions="y")["captions"][:] == [["a"], ["b"]]
    with pytest.raises(nbt.NbtoolkitError, match=r"No column of \['x', 'y'\] looks like the captions; name it"):
        nbt.load_data(odd)
    with pytest.raises(nbt.NbtoolkitError, match=r"no column 'z' for the captions; the columns are \['x', 'y'\]"):
        nbt.load_data(odd, captions="z")


def test_photographs_are_read_as_they_are(photos):
    assert len(photos) == 103 and photos.column_names[:3] == ["id", "image", "captions"]
    assert {len(c) for c in photos["captions"]} == {1, 5}
    sizes = [read_image(im).size for im in photos.select(range(30))["image"]]
    assert any(w > h for w, h in sizes) and any(w < h for w, h in sizes)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda p: p / "missing.parquet", "There is no file or folder"),
        (lambda p: (p / "x.txt").write_text("x") and p / "x.txt", "is not a Parquet file"),
        (lambda p: (p / "x.parquet").write_bytes(b"nonsense") and p / "x.parquet", "cannot be read as Parquet"),
        (lambda p: p, "has no captions.jsonl"),
        (lambda p: nbt.toy.scenes(0), "The data set is empty"),
        (lambda p: 7, "data is a int; expected 'toy', 'toy-second', a Parquet file"),
        (lambda p: datasets.Dataset.from_dict({"image": [], "captions": []}), "The data set is empty"),
    ],
)
def test_sources_that_cannot_be_used(tmp_path, make, message):
    with pytest.raises(nbt.NbtoolkitError, match=message):
        nbt.load_data(make(tmp_path))


def test_no_scenes_at_all_are_an_empty_data_set():
    with pytest.raises(nbt.NbtoolkitError, match="The data set is empty"):
        nbt.load_data("toy", n=0)


def test_repeated_ids_are_refused():
    rows = datasets.Dataset.from_dict({"id": ["a", "a"], "image": ["x", "y"], "caption": ["", ""]})
    with pytest.raises(nbt.NbtoolkitError, match="The id 'a' occurs more than once"):
        nbt.load_data(rows)


def test_vocabulary():
    assert vocabulary([["A dog, 2 cats"], ["dog's"]]) == {"a", "dog", "cats", "s"}


def pairs():
    rows = {
        "id": ["a", "b", "c"],
        "image": [[gradient(), gradient(size=(8, 6))], [gradient()], []],
        "captions": [["x"]] * 3,
    }
    kinds = {"id": datasets.Value("string"), "image": datasets.List(datasets.Image()),
             "captions": datasets.List(datasets.Value("string"))}  # fmt: skip
    return datasets.Dataset.from_dict(rows, features=datasets.Features(kinds))


def test_several_images_per_row(tmp_path):
    data = nbt.load_data(pairs())
    assert [len(row) for row in data["image"]] == [2, 1, 0] and image_counts(data, [2, 0]) == [0, 2]
    raw = raw_images(data.select([1, 0]))
    assert [list(cell[0]) for cell in raw["image"]] == [["bytes", "path"]] * 2  # nothing is decoded
    assert [image.size for image in next(rows_by_id(data, ["a"]))] == [(20, 10), (8, 6)]
    assert next(images_by_id(data, ["a"])).size == (20, 10)
    data.to_parquet(tmp_path / "pairs.parquet")
    assert [len(row) for row in nbt.load_data(tmp_path / "pairs.parquet")["image"]] == [2, 1, 0]
    untyped = datasets.Dataset.from_dict({"image": [[gradient(), gradient()]], "text": ["a dog"]})
    assert len(nbt.load_data(untyped)[0]["image"]) == 2
    with pytest.raises(nbt.NbtoolkitError, match="The image is a list of 2 images; expected one"):
        read_image(data[0]["image"])
    with pytest.raises(nbt.NbtoolkitError, match="empty list of images"):
        read_images(data[2]["image"])


def test_a_named_column_must_exist_also_in_parquet(tmp_path):
    nbt.load_data(pairs()).to_parquet(tmp_path / "pairs.parquet")
    with pytest.raises(nbt.NbtoolkitError, match="no column 'nope' for the image"):
        nbt.load_data(tmp_path / "pairs.parquet", image="nope")
