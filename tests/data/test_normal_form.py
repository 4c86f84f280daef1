"""The one form of a data set: whatever it is shown as, whatever its columns hold, one row per id."""

import time

import datasets
import numpy as np
import pytest
from PIL import Image

import nbtoolkit as nbt
from nbtoolkit.data.normal_form import no_dataset_bars

from .made import encoded, gradient

TEXT = datasets.Value("string")


@pytest.fixture(autouse=True)
def _cache(tmp_path, monkeypatch):
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")


def rows(n=4, captions="a dog", **more):
    columns = {"image": [gradient(size=(20 + k, 10)) for k in range(n)], "caption": [captions] * n} | more
    return datasets.Dataset.from_dict(columns).cast_column("image", datasets.Image())


@pytest.mark.parametrize("style", [None, "numpy", "torch", "pandas", "arrow"])
def test_a_format_changes_nothing(style):
    data = nbt.load_data(rows(more=[1, 2, 3, 4]).with_format(style))
    assert data.column_names == ["id", "image", "captions", "more"] and data.format["type"] is None
    assert (
        data["captions"][:] == [["a dog"]] * 4 and data[3]["image"].size == (23, 10) and data["more"][:] == [1, 2, 3, 4]
    )
    some = rows().with_format(style, columns=["caption"])
    assert nbt.load_data(some)[0]["image"].size == (20, 10)


def test_formatted_data_sets_are_read_alike(model, data):
    plain = nbt.extract(model, data.select(range(60)), "dog", progress=False)
    for style in ("pandas", "torch", "numpy", "arrow"):
        shown = nbt.extract(model, data.select(range(60)).with_format(style), "dog", progress=False)
        assert shown.sample_ids == plain.sample_ids
        np.testing.assert_array_equal(shown.states, plain.states)


def test_a_transform_is_applied_once():
    def shrunk(batch):
        return {"image": [i.resize((8, 8)) for i in batch["image"]], "text": [c.upper() for c in batch["caption"]]}

    data = nbt.load_data(rows().with_transform(shrunk))
    assert data.column_names == ["id", "image", "captions"] and data["captions"][:] == [["A DOG"]] * 4
    assert {image.size for image in data["image"]} == {(8, 8)}
    both = rows().with_transform(lambda batch: {"image": batch["image"]}, columns=["image"], output_all_columns=True)
    assert nbt.load_data(both)["captions"][:] == [["a dog"]] * 4


@pytest.mark.parametrize(
    ("transform", "message"),
    [
        (lambda batch: {"pixels": [1] * len(batch["image"])}, r"No column of \['pixels'\] looks like the image"),
        (lambda batch: batch["nothing"], "The transform of the data set cannot be applied to its rows .KeyError"),
        (lambda batch: 5, "The transform of the data set cannot be applied"),
        (lambda batch: {"image": [object()] * len(batch["image"])}, "The transform of the data set cannot be applied"),
    ],
)
def test_a_transform_that_gives_no_images_is_refused(transform, message):
    with pytest.raises(nbt.errors.DataError, match=message):
        nbt.load_data(rows().with_transform(transform))


def test_transformed_data_sets_are_studied(model, data):
    """As they were: the transform changes nothing."""
    part = data.select(range(40))
    reps = nbt.extract(model, part.with_transform(lambda batch: batch), "dog", progress=False)
    expected = nbt.extract(model, part, "dog", progress=False)
    assert reps.sample_ids == expected.sample_ids
    np.testing.assert_array_equal(reps.states, expected.states)


def test_labels_and_numbers_are_no_captions():
    for kind, values, message in (
        (datasets.ClassLabel(names=["cat", "dog"]), [0, 1], r"labels such as \['cat', 'dog'\]; expected texts"),
        (datasets.Value("int64"), [0, 1], "int64; expected texts"),
        (datasets.List(datasets.ClassLabel(names=["cat"])), [[0], [0]], r"labels such as \['cat'\]"),
    ):
        features = datasets.Features({"image": datasets.Image(), "text": kind})
        data = datasets.Dataset.from_dict({"image": [gradient()] * 2, "text": values}, features=features)
        with pytest.raises(nbt.errors.DataError, match=f"The column 'text' of the captions holds {message}"):
            nbt.load_data(data)


@pytest.mark.parametrize("kind", ["records", "lists"])
def test_karpathys_captions(kind):
    """The list of records of one split, as a column; as ``datasets`` stores it, and as lists per field."""
    fields = {"raw": TEXT, "tokens": datasets.List(TEXT), "sentid": datasets.Value("int64")}
    sentences = [[{"raw": "a dog", "tokens": ["a", "dog"], "sentid": 1}, {"raw": "one dog", "tokens": [], "sentid": 2}]]
    feature = datasets.List(fields)
    if kind == "lists":
        feature, sentences = (
            datasets.Sequence(fields),
            [{"raw": ["a dog", "one dog"], "tokens": [[], []], "sentid": [1, 2]}],
        )
    data = datasets.Dataset.from_dict(
        {"image": [gradient()], "cocoid": [42], "sentences": sentences},
        features=datasets.Features(
            {"image": datasets.Image(), "cocoid": datasets.Value("int64"), "sentences": feature}
        ),
    )
    data = nbt.load_data(data)
    assert data["captions"][:] == [["a dog", "one dog"]] and data["id"][:] == ["42"]


def test_one_row_per_caption(tmp_path):
    """Rows of one id become one; the other columns are those of its first row."""
    images = [encoded(gradient(size=(20 + k, 10))) for k in (0, 0, 1, 0)]
    table = {"image_id": [7, 7, 9, 7], "image": images, "caption": ["a", "b", "c", ["d"][0]], "n": [1, 2, 3, 4]}
    data = datasets.Dataset.from_dict(table)
    data.to_parquet(tmp_path / "x.parquet")
    for source in (data, tmp_path / "x.parquet", data.cast_column("image", datasets.Image())):
        merged = nbt.load_data(source)
        assert merged["id"][:] == ["7", "9"] and merged["captions"][:] == [["a", "b", "d"], ["c"]]
        assert [i.size for i in merged["image"]] == [(20, 10), (21, 10)] and merged["n"][:] == [1, 3]
    with pytest.raises(
        nbt.NbtoolkitError, match=r"The id '9' occurs more than once in column 'image_id', with different images"
    ):
        nbt.load_data(datasets.Dataset.from_dict(table | {"image_id": [7, 7, 9, 9]}))


def test_ids_are_checked_in_linear_time():
    """118,000 rows in at most five seconds, also where the last id is repeated, and one row per caption."""
    n = 118_000
    columns = {"id": [str(k) for k in range(n)], "image": [f"{k}.jpg" for k in range(n)], "caption": ["a dog"] * n}
    start = time.process_time()
    assert len(nbt.load_data(datasets.Dataset.from_dict(columns))) == n
    with pytest.raises(
        nbt.NbtoolkitError, match=rf"The id '{n - 2}' occurs more than once .* .rows {n - 2} and {n - 1}."
    ):
        nbt.load_data(datasets.Dataset.from_dict(columns | {"id": [*columns["id"][:-1], str(n - 2)]}))
    fifth = {"id": [str(k // 5) for k in range(n)], "image": [f"{k // 5}.jpg" for k in range(n)]}
    merged = nbt.load_data(datasets.Dataset.from_dict(columns | fifth))
    assert len(merged) == n // 5 and merged["captions"][0] == ["a dog"] * 5
    assert time.process_time() - start < 15


def test_listings_are_read_in_linear_time(tmp_path):
    """118,000 images with five captions each, in at most five seconds on an idle core."""
    n = 118_000
    for k in range(3):
        Image.new("RGB", (4, 4)).save(tmp_path / f"{k}.jpg")
    lines = [f"{k // 5}.jpg,a dog" for k in range(n)]
    (tmp_path / "captions.csv").write_text("\n".join(["image,caption", *lines]))
    start = time.process_time()
    assert len(nbt.load_data(tmp_path)) == n // 5
    assert time.process_time() - start < 5


def test_bars_of_datasets_are_as_before():
    for before in (True, False):
        (datasets.enable_progress_bars if before else datasets.disable_progress_bars)()
        with no_dataset_bars():
            assert not datasets.is_progress_bar_enabled()
        assert datasets.is_progress_bar_enabled() == before
    datasets.enable_progress_bars()


def test_streams_that_are_formatted_or_mapped(tmp_path):
    rows(3).to_parquet(tmp_path / "train.parquet")
    stream = datasets.load_dataset("parquet", data_files=str(tmp_path / "train.parquet"), split="train", streaming=True)
    for source in (stream, stream.with_format("torch"), stream.map(lambda row: row | {"n": 1}), stream.shuffle(seed=0),
                   stream.filter(lambda row: True), rows(3).to_iterable_dataset()):  # fmt: skip
        data = nbt.load_data(source, n=2)
        assert len(data) == 2 and data["captions"][:] == [["a dog"]] * 2 and data[0]["image"].size[1] == 10
    broken = stream.map(lambda row: row["nothing"])
    with pytest.raises(nbt.errors.DataError, match="The stream cannot be read"):
        nbt.load_data(broken, n=2)
